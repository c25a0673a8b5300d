"""Scans, people, seeds and targets, averaged in this order."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.evaluation.benchmark.results import CellScores, Group, TableRow, group_cells
from dgseg.evaluation.benchmark.summaries import (
    average,
    difference,
    reference_rows,
    subject_values,
    summarise,
)


def cell(target, scans, method="dgnet", seed=0, variant=""):
    """Scans are pairs of a subject and a Dice, of which structures are 0.1 away."""
    return CellScores(
        data="hearts",
        target=target,
        fraction=0.05,
        row=TableRow(method, variant, method + variant),
        seed=seed,
        schema=("LV", "RV"),
        spacing_known=False,
        scans=tuple(
            {
                "subject": subject,
                "dice": {"LV": dice - 0.1, "RV": dice + 0.1},
                "dice_2d": {"pooled": dice - 0.05, "LV": 0.3, "RV": 0.4},
            }
            for subject, dice in scans
        ),
        selection=None,
        steps=1,
        seconds=1.0,
        images_seen=1,
        distance_correlation=None,
    )


def only(group: Group) -> list[tuple[CellScores, ...]]:
    return group.by_target(group.rows[0])


def test_scans_of_a_person_come_before_people():
    cells = [cell("a", [("p", 0.4), ("p", 0.6), ("q", 0.8)])]
    assert subject_values(cells, "dice") == pytest.approx({"p": 0.5, "q": 0.8})
    assert subject_values(cells, "dice", "LV") == pytest.approx({"p": 0.4, "q": 0.7})
    assert subject_values(cells, "dice_2d") == pytest.approx({"p": 0.45, "q": 0.75})
    assert subject_values(cells, "dice_2d", "RV") == pytest.approx({"p": 0.4, "q": 0.4})
    summary = summarise(cells, "dice")
    assert summary.mean == pytest.approx(0.65)
    assert summary.sd == pytest.approx(0.3 / np.sqrt(2))
    assert summary.sd_seeds is None
    assert summary.n_subjects == 2


def test_seeds_are_averaged_for_each_person():
    cells = [cell("a", [("p", 0.2), ("q", 0.4)]), cell("a", [("p", 0.6), ("q", 0.8)], seed=1)]
    assert subject_values(cells, "dice") == pytest.approx({"p": 0.4, "q": 0.6})
    summary = summarise(cells, "dice")
    assert summary.mean == pytest.approx(0.5)
    assert summary.sd == pytest.approx(0.2 / np.sqrt(2))
    assert summary.sd_seeds == pytest.approx(0.4 / np.sqrt(2))
    assert summary.seeds == (0, 1)


def test_one_person_has_no_spread_and_no_cell_no_summary():
    assert summarise([cell("a", [("p", 0.5)])], "dice").sd is None
    assert summarise([], "dice") is None


def test_targets_weigh_the_same():
    (group,) = group_cells(
        [cell("a", [("p", 0.2), ("q", 0.4)]), cell("b", [(who, 0.9) for who in "rstuv"])]
    )
    summary = average(only(group), "dice")
    assert summary.mean == pytest.approx((0.3 + 0.9) / 2)
    assert summary.sd == pytest.approx(np.sqrt((0.02 + 0) / 2 + 0.09))
    assert summary.n_subjects == 7
    assert average([*only(group), ()], "dice") is None


def test_spread_of_the_average_over_the_seeds_of_all_targets():
    dice = {("a", 0): 0.5, ("a", 1): 0.6, ("b", 0): 0.7, ("b", 1): 0.5, ("b", 2): 0.1}
    (group,) = group_cells(
        [cell(target, [("p", value)], seed=seed) for (target, seed), value in dice.items()]
    )
    summary = average(only(group), "dice")
    # Seed 2 is not at all targets; the means of the others are 60 and 55.
    assert summary.seeds == (0, 1)
    assert summary.sd_seeds == pytest.approx(0.05 / np.sqrt(2))
    assert summary.sd is None


def test_difference_is_over_the_seeds_of_both():
    (group,) = group_cells(
        [
            cell("a", [("p", 0.5), ("q", 0.7)], "deepall"),
            cell("a", [("p", 0.1), ("q", 0.1)], "deepall", seed=2),
            cell("a", [("p", 0.6), ("q", 0.9)]),
            cell("a", [("p", 0.9), ("q", 0.9)], seed=1),
            cell("b", [("r", 0.9)], seed=1),
            cell("b", [("r", 0.2)], "deepall", seed=0),
            cell("a", [("p", 0.9)], "deepall", variant="-none"),
        ]
    )
    (reference,) = reference_rows(group)
    assert (reference.method, reference.variant) == ("deepall", "")
    row = next(row for row in group.rows if row.method == "dgnet")
    found = difference(group, row, reference)
    assert found.mean == pytest.approx(0.15)
    assert found.targets == ("a",)
    assert found.n_subjects == 2
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.2)
