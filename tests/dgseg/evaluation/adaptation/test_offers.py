"""What would be offered is the candidate that the gate's slices speak for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dgseg.adaptation.contest import LEAD
from dgseg.evaluation.adaptation.offers import is_offer, planned_offers, with_offers
from dgseg.evaluation.adaptation.plan import AdaptationCell
from dgseg.evaluation.adaptation.results import AdaptedScores

CELL = AdaptationCell("cardiac", "acdc", "dgnet-plus", "mean-teacher", 3, 0)


def scores(label, gain, k=3, seed=0, seconds=10.0, accept=True):
    """A cell whose slices that judge rise from 0.5 by so much; None for no verdict."""
    gate = None
    if gain is not None:
        gate = {"accept": accept, "numbers": {"dice_before": 0.5, "dice_after": 0.5 + gain}}
    return AdaptedScores(
        cell=replace(CELL, label=label, k=k, seed=seed),
        schema=("LV",),
        spacing_known=False,
        divided_by="people",
        n_corrected=k or 0,
        scans=({"subject": label},),
        gate=gate,
        steps=200,
        seconds=seconds,
    )


def offered(*cells, rivals=("tent",)):
    found = with_offers(cells, rivals)
    assert found[: len(cells)] == cells
    return found[len(cells) :]


@pytest.mark.parametrize(
    ("rival", "taken"),
    [(0.3, "tent"), (0.1 + 0.5 * LEAD, "mean-teacher"), (-0.1, "mean-teacher")],
)
def test_a_rival_is_taken_only_where_it_clearly_leads(rival, taken):
    (found,) = offered(scores("mean-teacher", 0.1), scores("tent", rival, seconds=3.0))
    assert found.scans == ({"subject": taken},)
    assert found.cell == replace(CELL, label="mean-teacher or tent")
    assert found.gate["numbers"]["dice_after"] == pytest.approx(0.5 + max(rival, 0.1), abs=0.02)
    assert found.seconds == 13.0
    assert is_offer(found.cell.label)
    assert not is_offer("mean-teacher:anchor=1")


def test_a_rival_that_the_gate_refuses_is_not_taken():
    (found,) = offered(scores("mean-teacher", 0.1), scores("tent", 0.3, accept=False))
    assert found.scans == ({"subject": "mean-teacher"},)


def test_each_method_gets_a_row_where_all_rivals_are_there():
    cells = [
        scores(label, gain, seed=seed)
        for seed in (0, 1)
        for label, gain in (("finetune", -0.1), ("mean-teacher", 0.1), ("tent", 0.2))
    ]
    found = offered(*cells[:-1])
    assert [(each.cell.label, each.cell.seed) for each in found] == [
        ("finetune or tent", 0),
        ("mean-teacher or tent", 0),
    ]
    assert all(each.scans == ({"subject": "tent"},) for each in found)


def test_of_several_rivals_the_best_is_compared():
    (found,) = offered(
        scores("mean-teacher", 0.1),
        scores("tent", 0.2),
        scores("finetune", 0.3),
        rivals=("tent", "finetune"),
    )
    assert found.cell.label == "mean-teacher or tent or finetune"
    assert found.scans == ({"subject": "finetune"},)


def test_nothing_is_offered_without_a_verdict_or_without_rivals():
    assert offered(scores("mean-teacher", None), scores("tent", 0.2)) == ()
    assert offered(scores("bundle", None, k=0), scores("tent", 0.2, k=0)) == ()
    assert offered(scores("mean-teacher", 0.1), scores("tent", 0.2), rivals=()) == ()


def test_offers_are_expected_where_all_are_planned():
    cells = [replace(CELL, label=label) for label in ("mean-teacher", "tent", "finetune")]
    cells += [replace(CELL, k=0), replace(CELL, label="tent", k=0), replace(CELL, seed=1)]
    found = planned_offers(cells, ("tent",))
    assert {(each.label, each.k, each.seed) for each in found} == {
        ("mean-teacher or tent", 3, 0),
        ("finetune or tent", 3, 0),
    }
    assert planned_offers(cells, ()) == ()
