"""Tables and the map of hand-made cells, whose numbers can be checked by hand."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict

import numpy as np
import pytest

from dgseg.errors import TrainingError
from dgseg.evaluation.benchmark.claims import folder_of
from dgseg.evaluation.benchmark.results import MEASURES
from dgseg.evaluation.centres.cells import FEATURES_NAME
from dgseg.evaluation.centres.plan import BASELINE, EMA, CentresCell, Row
from dgseg.evaluation.centres.results import group_cells, read_cells
from dgseg.evaluation.centres.summaries import BASE, Features, gain, read_features
from dgseg.evaluation.centres.tables import (
    CSV_NAME,
    JSON_NAME,
    PLOT_NAME,
    TABLE_NAME,
    write_report,
)

CENTRES = ("a", "b", "c")
TO_B, TO_C = Row("mse", 20.0, "b"), Row("mse", 20.0, "c")


def scan(centre, subject, dice):
    scores = {name: {"LV": dice, "RV": dice} for name in MEASURES}
    scores["dice"] = {"LV": dice - 0.1, "RV": dice + 0.1}
    scores["dice_2d"] = {"pooled": dice, "LV": dice, "RV": dice}
    place = {"centre": centre, "subject": subject, "scan_id": f"{subject}-scan", "n_slices": 5}
    return {**place, **scores}


def content(row, dice, *, seed=0, by="people", **changes):
    cell = CentresCell("hearts", ("a",), row, seed)
    people = [(centre, value, d) for centre, value in dice.items() for d in (-0.02, 0.02)]
    return {
        "format": 1,
        "cell": asdict(cell),
        "schema": ["LV", "RV"],
        "spacing_known": False,
        "divided_by": dict.fromkeys(dice, by),
        "subjects": [scan(centre, f"{centre}{d}", value + d) for centre, value, d in people],
        "selection": {"step": 150, "score": 0.7},
        "steps": 300,
        "seconds": 61.2,
    } | changes


@pytest.fixture
def write(tmp_path):
    def write(*cells, apart=3.0):
        rng = np.random.default_rng(0)
        for one in cells:
            folder = folder_of(tmp_path, CentresCell.from_json(one["cell"]))
            folder.mkdir(parents=True)
            (folder / "scores.json").write_text(json.dumps(one), encoding="utf-8")
            whose = np.repeat(CENTRES, 8)
            values = rng.normal(0, 1, (24, 4)) + apart * np.repeat(range(3), 8)[:, None]
            features = {"features": values.astype(np.float32), "centres": whose}
            np.savez(folder / FEATURES_NAME, **features)
        return tmp_path

    return write


@pytest.fixture
def measured(write):
    return write(
        content(BASE, {"a": 0.80, "b": 0.60, "c": 0.50}),
        content(TO_B, {"a": 0.78, "b": 0.66, "c": 0.52}),
        content(TO_C, {"a": 0.80, "b": 0.61, "c": 0.49}),
        content(Row("ce", 5.0, "b"), {"a": 0.70, "b": 0.55, "c": 0.40}),
        content(Row(EMA), {"a": 0.81, "b": 0.60, "c": 0.51}),
    )


def group_of(out, planned=()):
    (group,) = group_cells(read_cells(out), planned)
    return group


def test_gains_are_those_that_one_counts_by_hand(measured):
    group = group_of(measured)
    assert gain(group, TO_B, ["b"]).mean == pytest.approx(0.06)
    assert gain(group, TO_B, ["b", "c"]).mean == pytest.approx(0.04)
    assert gain(group, TO_B, ["b", "c"]).targets == ("b", "c")
    assert gain(group, BASE, ["b"]) is None
    assert gain(group, TO_B, []) is None
    assert (group.adapted, group.unseen) == (("b", "c"), ("b", "c"))


def table_after(text, title):
    _, _, rest = text.partition(title)
    lines = rest.splitlines()[1:]
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    end = next((i for i in range(first, len(lines)) if not lines[i]), len(lines))
    return lines[first:end]


def test_table_1_has_every_centre_with_every_adaptation(measured):
    assert write_report(measured).name == TABLE_NAME
    text = (measured / TABLE_NAME).read_text(encoding="utf-8")
    table = table_after(text, "### Adapting to different centres")
    assert table[0] == "| adapted to | a (source) | b | c |"
    assert table[2] == "| nothing (baseline) | 80.0 ± 2.8 | 60.0 ± 2.8 | 50.0 ± 2.8 |"
    assert table[3].startswith("| b | 78.0 ± 2.8 (-2.0; -2.0 to -2.0) | **66.0** ± 2.8 (+6.0;")
    assert "**49.0** ± 2.8 (-1.0;" in table[4]
    assert "| evaluated at | adapted to | Dice, % | IoU, % | recall, % |" in text
    line = "| c | b | 52.0 | 52.0 | 52.0 | 52.0 | 52.00 | 0.52 | 0.52 |"
    assert line in text.splitlines()
    assert "fewer than 6 people" in text


def test_table_2_compares_losses_at_the_centre_that_is_adapted_to(measured):
    text = write_report(measured).read_text(encoding="utf-8")
    table = table_after(text, "### Consistency losses and weights at b")
    assert [line.split(" | ")[:2] for line in table[2:]] == [
        ["| none", "–"],
        ["| ce", "5"],
        ["| mse", "20"],
    ]
    assert table[3].startswith("| ce | 5 | 55.0 ± 2.8 (-5.0;")
    assert table[4].rstrip(" |").endswith("52.0 (+2.0; +2.0 to +2.0)")  # at c alone
    assert "weights at c" not in text  # one loss is no comparison


def test_table_3_has_the_running_mean(measured):
    text = write_report(measured).read_text(encoding="utf-8")
    table = table_after(text, "### The running mean without unlabelled scans")
    assert table[2].startswith("| as they are | 80.0 ± 2.8 |")
    assert table[3].startswith("| their running mean | 81.0 ± 2.8 (+1.0;")
    assert table[3].endswith("| 55.5 (+0.5; +0.5 to +0.5) |")


def test_what_a_cell_took_and_what_is_missing(measured):
    planned = [CentresCell("hearts", ("a",), Row("dice", 5.0, "b"), 0)]
    text = write_report(measured, planned).read_text(encoding="utf-8")
    assert "| adapted to b, ce, weight 5 | 300 | 61 | 150 |" in text
    assert "Not yet run, 1 cells:" in text
    assert "- adapted to b, dice, weight 5 (seed 0)" in text
    assert "All cells are there." in write_report(measured).read_text(encoding="utf-8")


def test_a_single_person_is_told_of(write):
    out = write(content(BASE, {"a": 0.8, "b": 0.6}, by="slices"))
    text = write_report(out).read_text(encoding="utf-8")
    assert "At a, b there is one person" in text
    assert "table 1" not in text  # nothing to compare with


def test_files_for_programs(measured):
    write_report(measured, [CentresCell("hearts", ("a",), Row("dice", 5.0, "b"), 1)])
    rows = list(csv.DictReader((measured / CSV_NAME).read_text().splitlines()))
    assert len(rows) == 5 * 3 * 2 * 2
    assert {row["target"] for row in rows} == set(CENTRES)
    first = next(row for row in rows if row["kind"] == "ce")
    assert (first["weight"], first["adapted"], first["sources"]) == ("5.0", "b", "a")
    (group,) = json.loads((measured / JSON_NAME).read_text())["groups"]
    found = next(each for each in group["rows"] if each["kind"] == "ce")
    assert found["centres"]["b"]["dice"]["mean"] == pytest.approx(0.55)
    assert found["centres"]["b"]["gain"]["mean"] == pytest.approx(-0.05)
    assert group["missing"] == [{"kind": "dice", "weight": 5.0, "adapted": "b", "seed": 1}]


def test_the_map_is_a_picture(measured):
    write_report(measured)
    picture = (measured / PLOT_NAME).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == 1000


def test_without_features_there_is_no_map(measured):
    for path in measured.glob(f"cells/*/{FEATURES_NAME}"):
        path.unlink()
    write_report(measured)
    assert not (measured / PLOT_NAME).exists()


def test_the_silhouette_tells_mixed_centres_from_those_apart(write):
    far = read_features(write(content(BASE, {"a": 0.8}), apart=9.0), cell_of(BASE))
    mixed = Features(far.values, np.tile(CENTRES, 8))
    assert far.apart > 0.6
    assert mixed.apart < 0.1
    assert Features(far.values, np.full(24, "a")).apart is None


def cell_of(row):
    return CentresCell("hearts", ("a",), row, 0)


def test_what_cannot_be_read_is_named(tmp_path, write):
    with pytest.raises(TrainingError, match="No cell"):
        read_cells(tmp_path)
    write(content(BASE, {"a": 0.6}, format=2))
    with pytest.raises(TrainingError, match="format 2"):
        read_cells(tmp_path)
    path = folder_of(tmp_path, cell_of(BASE)) / FEATURES_NAME
    path.write_bytes(b"PK nothing")
    with pytest.raises(TrainingError, match="features of a cell"):
        read_features(tmp_path, cell_of(BASE))
    assert read_features(tmp_path, cell_of(Row(EMA))) is None
    assert BASE.kind == BASELINE
