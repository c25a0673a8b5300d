"""Tables and curves of hand-made cells, whose numbers can be checked by hand."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict

import pytest

from dgseg.adaptation.gate import Evidence, judge
from dgseg.errors import TrainingError
from dgseg.evaluation.adaptation.plan import CEILING, FLOOR, AdaptationCell
from dgseg.evaluation.adaptation.results import Line, group_cells, read_cells
from dgseg.evaluation.adaptation.summaries import gain, gate_counts
from dgseg.evaluation.adaptation.tables import (
    CSV_NAME,
    JSON_NAME,
    PLOT_NAME,
    TABLE_NAME,
    write_report,
)
from dgseg.evaluation.benchmark.results import MEASURES

MT3, FT3 = Line("mean-teacher", 3), Line("finetune", 3)


def scan(subject, dice):
    scores = {name: {"LV": dice, "RV": dice} for name in MEASURES}
    scores["dice"] = {"LV": dice - 0.1, "RV": dice + 0.1}
    scores["dice_2d"] = {"pooled": dice, "LV": dice, "RV": dice}
    return {"subject": subject, "scan_id": f"{subject}-scan", "n_slices": 5, **scores}


def verdict(accept):
    """Green, or red."""
    before, after = {"LV": 0.6, "RV": 0.6}, dict.fromkeys(("LV", "RV"), 0.8 if accept else 0.4)
    return judge(Evidence(3, before, after, *((3, 0) if accept else (0, 3))))


def content(target, label, k, dice, *, seed=0, accept=None, choice="even", **changes):
    cell = AdaptationCell("hearts", target, "dgnet-plus", label, k, seed, choice)
    gate = None if accept is None else asdict(verdict(accept))
    return {
        "format": 1,
        "cell": cell.as_json(),
        "divided_by": "people",
        "corrected": {"scan": list(range(k))} if k else {},
        "schema": ["LV", "RV"],
        "spacing_known": False,
        "subjects": [scan("p", dice - 0.02), scan("q", dice + 0.02)],
        "gate": gate,
        "steps": 200,
        "seconds": 61.2,
    } | changes


@pytest.fixture
def write(tmp_path):
    def write(*cells):
        for one in cells:
            folder = tmp_path / "cells" / AdaptationCell(**one["cell"]).name
            folder.mkdir(parents=True)
            (folder / "scores.json").write_text(json.dumps(one), encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def measured(write):
    """Two targets: one where all is well, one that the mean teacher spoils."""
    return write(
        content("a", FLOOR, 0, 0.60),
        content("a", "finetune", 3, 0.64, accept=False),
        content("a", "mean-teacher", 3, 0.68, accept=True),
        content("a", CEILING, None, 0.70),
        content("b", FLOOR, 0, 0.50),
        content("b", "finetune", 3, 0.47, accept=True),
        content("b", "mean-teacher", 3, 0.48, accept=False),
        content("b", CEILING, None, 0.60),
    )


def group_of(out):
    (group,) = group_cells(read_cells(out))
    return group


def test_verdicts_are_those_of_the_present_rules(write):
    """What a cell has written down was said when other rules held, perhaps."""
    gate = asdict(verdict(True)) | {"colour": "red", "accept": False}
    (read,) = read_cells(write(content("a", "finetune", 3, 0.6) | {"gate": gate}))
    assert (read.gate["colour"], read.gate["accept"]) == ("green", True)


def test_gains_are_those_that_one_counts_by_hand(measured):
    group = group_of(measured)
    found = gain(group, MT3)
    assert found.over_bundle.mean == pytest.approx(0.03)
    assert found.by_target["a"].mean == pytest.approx(0.08)
    assert found.by_target["b"].mean == pytest.approx(-0.02)
    assert found.gap_closed == pytest.approx(0.3)
    assert found.over_reference.mean == pytest.approx(0.025)
    assert found.worst_against_reference == pytest.approx(0.01)
    assert found.gated.mean == pytest.approx(0.04)  # what was refused is the bundle
    assert found.worst_gated == pytest.approx(0.0)
    assert gain(group, FT3).over_reference is None


def test_the_gate_is_counted_by_the_true_gains(measured):
    counts = gate_counts(group_of(measured), [MT3, FT3])
    assert (counts.n, counts.green, counts.amber, counts.red) == (4, 2, 0, 2)
    assert (counts.accepted_worse, counts.accepted_much_worse) == (1, 1)
    assert counts.refused_better == 1
    assert counts.gain_accepted == pytest.approx((0.08 - 0.03) / 2)
    assert counts.gain_refused == pytest.approx((0.04 - 0.02) / 2)


def test_only_the_same_halves_are_compared(write):
    out = write(
        content("a", FLOOR, 0, 0.60),
        content("a", FLOOR, 0, 0.90, seed=1),
        content("a", "mean-teacher", 3, 0.65),
        content("a", CEILING, None, 0.95, seed=1),
    )
    found = gain(group_of(out), MT3)
    assert found.over_bundle.mean == pytest.approx(0.05)
    assert found.gap_closed is None  # no seed has all three
    assert found.gated is None


def test_the_page(measured):
    assert write_report(measured).name == TABLE_NAME
    text = (measured / TABLE_NAME).read_text(encoding="utf-8")
    assert "| bundle | 60.0 ± 2.8 | 50.0 ± 2.8 | 55.0 ± 5.7 |" in text
    line = next(row for row in text.splitlines() if row.startswith("| mean-teacher, k = 3 | +"))
    assert "| +8.0 | -2.0 | +3.0 [+3.0, +3.0] | 30 % | +2.5 [+2.5, +2.5] | +1.0 |" in line
    assert line.endswith("| +4.0 | +0.0 |")
    assert "| mean-teacher | 2 | 1 | 0 | 1 | 0 (0) | 0 | +8.0 | -2.0 |" in text
    assert "| finetune, k = 3 | 2 | 3 | 200 | 61 |" in text
    assert "All cells are there." in text
    assert "one person" not in text
    assert "fewer than 6 people" in text  # each target has two


def test_lines_stand_in_order_and_what_is_missing_is_named(write):
    out = write(
        content("a", CEILING, None, 0.7),
        content("a", "mean-teacher:anchor=1", 3, 0.6, divided_by="slices"),
        content("a", "mean-teacher", 5, 0.6),
        content("a", "tent", 0, 0.5),
        content("a", FLOOR, 0, 0.5),
    )
    planned = [AdaptationCell("hearts", "b", "dgnet-plus", "finetune", 1, 2)]
    group, *_ = group_cells(read_cells(out), planned)
    texts = [line.text for line in group.rows]
    assert texts == [
        "bundle",
        "tent, k = 0",
        "finetune, k = 1",
        "mean-teacher, k = 5",
        "mean-teacher:anchor=1, k = 3",
        "all labels",
    ]
    text = write_report(out, planned).read_text(encoding="utf-8")
    assert "Not yet run, 1 cells:" in text
    assert "- finetune, k = 1: b (seed 2)" in text
    assert "At a there is one person" in text


def test_choices_of_slices_are_compared_pair_by_pair(write):
    out = write(
        content("a", FLOOR, 0, 0.50),
        content("a", "finetune", 3, 0.60),
        content("a", "finetune", 3, 0.57, choice="random"),
        content("a", "finetune", 3, 0.64, choice="suggested"),
        content("a", "mean-teacher", 3, 0.70, choice="suggested"),
    )
    text = write_report(out).read_text(encoding="utf-8")
    section = text[text.index("### Which slices") : text.index("### What a cell took")]
    rows = [line for line in section.splitlines() if line.startswith("| finetune")]
    assert rows == [
        "| finetune | 3 | even | 60.0 ± 2.8 | +10.0 [+10.0, +10.0] | – | +3.0 [+3.0, +3.0] |",
        "| finetune | 3 | random | 57.0 ± 2.8 | +7.0 [+7.0, +7.0] | -3.0 [-3.0, -3.0] | – |",
        (
            "| finetune | 3 | suggested | 64.0 ± 2.8 | +14.0 [+14.0, +14.0] | +4.0 [+4.0, +4.0] "
            "| +7.0 [+7.0, +7.0] |"
        ),
    ]
    assert "mean-teacher" not in section  # there is nothing to compare it with
    assert "| finetune, k = 3, suggested | 64.0" in text
    assert "+6.0 [+6.0, +6.0]" in text  # the mean teacher less finetune with the same slices


def test_without_other_choices_nothing_is_said_of_them(measured):
    assert "Which slices" not in write_report(measured).read_text(encoding="utf-8")


def test_files_for_programs(measured):
    write_report(measured)
    rows = list(csv.DictReader((measured / CSV_NAME).read_text().splitlines()))
    assert len(rows) == 8 * 2 * 2
    first = next(row for row in rows if row["label"] == "mean-teacher")
    assert (first["k"], first["n_corrected"], first["gate"]) == ("3", "3", "green")
    assert first["person"] not in ("p", "q")
    (group,) = json.loads((measured / JSON_NAME).read_text())["groups"]
    line = next(each for each in group["lines"] if each["label"] == "mean-teacher")
    assert line["gain"]["gap_closed"] == pytest.approx(0.3)
    assert line["dice"]["targets"]["b"]["mean"] == pytest.approx(0.48)
    assert group["gate"]["refused_better"] == 1


def test_curves_are_a_picture(measured):
    write_report(measured)
    content = (measured / PLOT_NAME).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20], "big") == 1000


def test_what_cannot_be_read_is_named(tmp_path, write):
    with pytest.raises(TrainingError, match="No cell"):
        read_cells(tmp_path)
    write(content("a", FLOOR, 0, 0.6, subjects=[]))
    with pytest.raises(TrainingError, match="no scan was scored"):
        read_cells(tmp_path)
