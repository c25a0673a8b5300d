"""Tables of hand-made cells, whose numbers can be checked by hand."""

from __future__ import annotations

import csv
import json
from itertools import product

import pytest

from dgseg.errors import TrainingError
from dgseg.evaluation.benchmark.plan import Cell
from dgseg.evaluation.benchmark.results import MEASURES, TableRow, group_cells, read_cells
from dgseg.evaluation.benchmark.tables import CSV_NAME, JSON_NAME, PLOT_NAME, write_report

SCHEMA = ["LV", "RV"]


def scan(subject, dice, phase="ED"):
    """One whose structures have `dice` less and more 0.1, and all else follows from it."""
    scores = {name: dict.fromkeys(SCHEMA, dice) for name in MEASURES}
    scores["dice"] = {"LV": dice - 0.1, "RV": dice + 0.1}
    scores["dice_2d"] = {"pooled": dice - 0.05, "LV": 0.3, "RV": 0.4}
    scores["hd95"] = dict.fromkeys(SCHEMA, 10 * (1 - dice))
    scores["specificity"] = dict.fromkeys(SCHEMA, 0.9987)
    return {"subject": subject, "scan_id": f"{subject}-{phase}", "n_slices": 7, **scores}


def content(target, method, scans, *, seed=0, variant="", fraction=0.05, **changes):
    cell = {"data": "hearts", "target": target, "fraction": fraction}
    cell |= {"method": method, "variant": variant, "seed": seed}
    label = "/".join(part for part in (method, variant) if part)
    return {
        "format": 1,
        "cell": cell,
        "label": label,
        "schema": SCHEMA,
        "spacing_known": False,
        "subjects": scans,
        "selection": {"step": 60, "score": 0.8},
        "steps": 80,
        "seconds": 12.4,
        "images_seen": 960,
        "distance_correlation": None,
    } | changes


@pytest.fixture
def write(tmp_path):
    def write(*cells):
        for one in cells:
            name = "-".join(str(part) for part in one["cell"].values())
            folder = tmp_path / "cells" / name
            folder.mkdir(parents=True)
            (folder / "scores.json").write_text(json.dumps(one), encoding="utf-8")
        return tmp_path

    return write


def people(*values):
    return [scan(f"p{number}", value) for number, value in enumerate(values)]


@pytest.fixture
def out(write):
    return write(
        content("a", "deepall", people(0.5, 0.7)),
        content("b", "deepall", people(0.4, 0.4, 0.4, 0.8)),
        content("a", "sdnet-plus", people(0.6, 0.7)),
        content("a", "dgnet-plus", people(0.6, 0.8)),
        content("b", "dgnet-plus", people(0.5, 0.5, 0.5, 0.9)),
        content("a", "dgnet-plus", people(0.8, 0.8), seed=1),
    )


def table_of(path, title):
    """Lines of cells of the table below a title."""
    section = path.read_text(encoding="utf-8").split(f"### {title}")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:1]] + [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]
    ]


def test_dice_by_hand(out):
    head, deepall, sdnet, dgnet = table_of(write_report(out), "Dice (3-D), %")
    assert head == ["method", "a", "b", "average"]
    # Sample deviations: of 50 and 70, 14.1; of 40, 40, 40 and 80, 20. The average:
    # root of the mean of the variances, (200 + 400) / 2, and of the variance of the
    # means 60 and 50, which is 25.
    assert deepall == ["deepall", "60.0 ± 14.1", "50.0 ± 20.0", "55.0 ± 18.0"]
    assert sdnet == ["sdnet-plus", "65.0 ± 7.1", "–", "–"]
    # People over both seeds: 70 and 80; the seeds' means: 70 and 80.
    assert dgnet[1] == "**75.0** ± 7.1 (2 seeds: ± 7.1)"
    assert dgnet[2] == "**60.0** ± 20.0"
    assert dgnet[3].startswith("**67.5** ± ")
    assert "seeds" not in dgnet[3]


def test_the_other_measures(out):
    path = write_report(out)
    assert table_of(path, "Dice in the plane")[1][1] == "55.0 ± 14.1"
    assert table_of(path, "HD95, px")[1][1] == "4.00 ± 1.41"
    assert table_of(path, "HD95, px")[3][1].startswith("**2.50**")
    assert table_of(path, "ASSD, px")[1][1] == "**0.60** ± 0.14"
    head, deepall, sdnet, _ = table_of(path, "Averages of the other overlaps")
    assert head == ["method", "IoU", "recall", "precision", "specificity"]
    assert deepall == ["deepall", "55.00", "55.00", "55.00", "99.87"]
    assert sdnet[1:] == ["–"] * 4


def test_millimetres_where_the_size_of_a_voxel_is_known(write):
    out = write(content("a", "deepall", people(0.5), spacing_known=True))
    text = write_report(out).read_text(encoding="utf-8")
    assert "### HD95, mm" in text
    assert "px" not in text


def test_what_is_missing_is_listed(out):
    text = write_report(out).read_text(encoding="utf-8")
    assert "Not yet run, 6 cells:" in text
    assert "- deepall: every target (seed 1)\n" in text
    assert "- sdnet-plus: a (seed 1), b (seeds 0, 1)\n" in text
    assert "- dgnet-plus: b (seed 1)\n" in text


def test_a_plan_says_what_is_missing(out):
    planned = [
        Cell("hearts", target, 0.05, method, "", 0)
        for method, target in product(["deepall", "mldg"], ["a", "b", "c"])
    ]
    text = write_report(out, planned).read_text(encoding="utf-8")
    assert "Not yet run, 4 cells:" in text
    assert "- deepall: c (seed 0)\n" in text
    assert "- mldg: every target (seed 0)\n" in text
    assert "| mldg | – | – | – | – |" in text


def test_nothing_missing_is_said_too(write):
    out = write(content("a", "deepall", people(0.5, 0.7)))
    assert "All cells are there." in write_report(out).read_text(encoding="utf-8")


def test_differences_are_paired_and_over_shared_seeds(out):
    head, deepall, sdnet, dgnet = table_of(write_report(out), "Differences of 3-D Dice")
    assert head == ["method", "less deepall", "less sdnet-plus"]
    # Seed 0 alone is shared: 10 for everybody, whoever is drawn.
    assert dgnet[1] == "+10.0 [+10.0, +10.0]"
    assert dgnet[2] == "+5.0 [+0.0, +10.0] (1 of 2 targets)"
    assert sdnet[1:] == ["+5.0 [+0.0, +10.0] (1 of 2 targets)", "–"]
    assert deepall == ["deepall", "–", "-5.0 [-10.0, +0.0] (1 of 2 targets)"]


def test_single_people_have_no_interval_and_the_table_says_so(write):
    out = write(content("a", "deepall", people(0.5)), content("a", "sdnet-plus", people(0.6)))
    path = write_report(out)
    assert table_of(path, "Differences")[2][1] == "+10.0"
    assert "too narrow" in path.read_text(encoding="utf-8")


def test_fractions_have_their_own_tables(write):
    out = write(
        content("a", "deepall", people(0.5)),
        content("a", "deepall", people(0.9), fraction=0.2),
    )
    text = write_report(out).read_text(encoding="utf-8")
    first, second = text.split("## hearts, 5 % ")[1].split("## hearts, 20 % ")
    assert "| deepall | 50.0 | 50.0 |" in first
    assert "| deepall | 90.0 | 90.0 |" in second


def test_distance_correlations_and_costs(write):
    first = {"style": 0.2, "domain": 0.4, "both": 0.5}
    second = {"style": 0.4, "domain": 0.6, "both": 0.6}
    out = write(
        content("a", "deepall", people(0.5), selection=None),
        content("a", "dgnet", people(0.5), distance_correlation=first, steps=90),
        content("b", "dgnet", people(0.5), distance_correlation=second),
    )
    path = write_report(out)
    assert table_of(path, "Distance correlation")[1:] == [
        ["dgnet", "0.300", "0.500", "0.550", "2"]
    ]
    head, *lines = table_of(path, "What a cell took")
    assert head == ["method", "cells", "steps", "seconds", "images seen", "selected step"]
    assert ["deepall", "1", "80", "12", "960", "–"] in lines
    assert ["dgnet", "2", "80–90", "12", "960", "60"] in lines


def test_files_for_programs(out):
    write_report(out)
    with (out / CSV_NAME).open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * (2 + 4 + 2 + 2 + 4 + 2)
    line = next(each for each in lines if each["method"] == "sdnet-plus")
    assert (line["scan_id"], line["structure"], line["distance_unit"]) == ("p0-ED", "LV", "px")
    same = {
        each["person"] for each in lines if (each["target"], each["scan_id"]) == ("a", "p0-ED")
    }
    assert same == {line["person"]}
    assert len({each["person"] for each in lines}) == 6
    assert float(line["dice"]) == pytest.approx(0.5)
    assert float(line["dice_2d_pooled"]) == pytest.approx(0.55)
    (group,) = json.loads((out / JSON_NAME).read_text(encoding="utf-8"))["groups"]
    dgnet = next(row for row in group["rows"] if row["method"] == "dgnet-plus")
    at_a = dgnet["targets"]["a"]["dice"]
    assert at_a["mean"] == pytest.approx(0.75)
    assert at_a["seeds"] == [0, 1]
    assert at_a["structures"]["RV"]["mean"] == pytest.approx(0.85)
    assert dgnet["average"]["dice"]["mean"] == pytest.approx(0.675)
    sdnet = next(row for row in group["rows"] if row["method"] == "sdnet-plus")
    assert sdnet["targets"]["b"] is None
    assert sdnet["average"] is None
    assert {"label": "sdnet-plus", "target": "b", "seed": 0} in group["missing"]
    found = next(
        each
        for each in group["differences"]
        if (each["of"], each["less"]) == ("dgnet-plus", "deepall")
    )
    assert found["mean"] == pytest.approx(0.1)
    assert found["n_subjects"] == 6
    assert (out / PLOT_NAME).stat().st_size > 0


def test_rows_stand_in_the_order_of_the_story(write):
    methods = ["dgnet-plus", "sdnet-plus", "mine", "deepall", "dgnet-paper"]
    out = write(
        *(content("a", method, people(0.5)) for method in methods),
        content("a", "deepall", people(0.5), variant="none"),
    )
    (group,) = group_cells(read_cells(out))
    assert [row.label for row in group.rows] == [
        "deepall",
        "deepall/none",
        "mine",
        "sdnet-plus",
        "dgnet-paper",
        "dgnet-plus",
    ]
    assert group.rows[1] == TableRow("deepall", "none", "deepall/none")


def test_the_same_scores_give_the_same_files(out):
    path = write_report(out)
    first = [path.with_name(name).read_bytes() for name in (path.name, CSV_NAME, JSON_NAME)]
    write_report(out)
    assert first == [
        path.with_name(name).read_bytes() for name in (path.name, CSV_NAME, JSON_NAME)
    ]


def test_no_cell_is_an_error(tmp_path):
    with pytest.raises(TrainingError, match="No cell"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 2}', json.dumps(content("a", "deepall", []))]
)
def test_damaged_scores_are_named(tmp_path, text):
    path = tmp_path / "cells" / "x" / "scores.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingError, match="cannot be read") as error:
        write_report(tmp_path)
    assert error.value.path == path
