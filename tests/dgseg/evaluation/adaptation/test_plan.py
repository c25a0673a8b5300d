"""From names of rows to cells, and from a cell to the settings of its adaptation."""

from __future__ import annotations

import pytest

from dgseg.bundles.bundle import read_info
from dgseg.errors import DatasetError, MethodError, TrainingError
from dgseg.evaluation.adaptation.cells import bundle_of
from dgseg.evaluation.adaptation.plan import (
    CEILING,
    FLOOR,
    AdaptationCell,
    adaptation_row,
    check_unseen,
)
from dgseg.methods.deepall import DeepAll
from dgseg.methods.mean_teacher import MeanTeacher

DOMAINS = ("east", "north", "west")


def test_a_row_is_a_method_with_options():
    row = adaptation_row("mean-teacher:anchor=0.5,consistency=dice,labelled_views=2")
    assert row.method == "mean-teacher"
    assert row.options == {"anchor": 0.5, "consistency": "dice", "labelled_views": 2}
    assert row.label.startswith("mean-teacher:anchor")
    assert adaptation_row("dgnet-plus").options == {}


@pytest.mark.parametrize("name", ["unet", "mean-teacher:anchor", "mean-teacher:=1", ""])
def test_a_row_that_is_none_is_refused(name):
    with pytest.raises(MethodError):
        adaptation_row(name)


def test_floor_first_ceiling_last_and_no_labels_where_none_are_needed(make_plan, monkeypatch):
    monkeypatch.setattr(MeanTeacher, "needs_labels", False, raising=False)
    monkeypatch.setattr(DeepAll, "needs_labels", True, raising=False)
    plan = make_plan(
        "deepall", "mean-teacher", ks=(3, 0), seeds=(0, 1), ceiling=adaptation_row("deepall")
    )
    cells = plan.cells(DOMAINS)
    lines = [(cell.label, cell.k) for cell in cells if cell.seed == 0]
    assert lines == [
        (FLOOR, 0),
        ("deepall", 3),
        ("mean-teacher", 0),
        ("mean-teacher", 3),
        (CEILING, None),
    ]
    assert len(cells) == 10
    assert {cell.target for cell in cells} == {"east"}


def test_names_of_folders():
    label = "mean-teacher:anchor=0.5,ramp=0.1"
    cell = AdaptationCell("cardiac", "east", "dgnet-plus", label, 3, 1)
    name = "cardiac-east-dgnet-plus-mean-teacher-anchor-0.5-ramp-0.1-k3-seed1"
    assert cell.name == name
    ceiling = AdaptationCell("cardiac", "east", "deepall", CEILING, None, 0)
    assert ceiling.name == "cardiac-east-deepall-all-labels-kall-seed0"


def test_other_choices_of_slices_are_cells_of_their_own(make_plan):
    plan = make_plan(
        "deepall", ks=(0, 2), choices=("even", "suggested"), ceiling=adaptation_row("deepall")
    )
    cells = plan.cells(DOMAINS)
    lines = [(cell.label, cell.k, cell.choice) for cell in cells]
    adapted = [line for line in lines if line[0] == "deepall"]
    assert adapted[-2:] == [("deepall", 2, "even"), ("deepall", 2, "suggested")]
    assert all(choice == "even" for *_, k, choice in lines if not k)
    assert lines[-1] == (CEILING, None, "even")
    assert len({cell.name for cell in cells}) == len(cells)


def test_the_usual_choice_goes_without_saying():
    cell = AdaptationCell("cardiac", "east", "deepall", "finetune", 3, 0)
    assert "choice" not in cell.as_json()
    assert AdaptationCell(**cell.as_json()) == cell
    other = AdaptationCell("cardiac", "east", "deepall", "finetune", 3, 0, "random")
    assert other.name == "cardiac-east-deepall-finetune-k3-random-seed0"
    assert AdaptationCell(**other.as_json()) == other


def test_a_cell_is_adapted_with_its_own_settings(make_plan, bundles, cell_of):
    plan = make_plan(
        "mean-teacher:anchor=2", ceiling=adaptation_row("deepall"), ceiling_steps=9, seeds=(4,)
    )
    cell = cell_of(plan, "mean-teacher:anchor=2")
    config = plan.config_of(cell)
    assert (config.method, config.options, config.seed) == ("mean-teacher", {"anchor": 2}, 4)
    assert (config.patch_px, config.steps, config.holdout_every) == (32, 2, 0)
    assert plan.config_of(cell_of(plan, FLOOR, 0)) is None
    ceiling = plan.config_of(cell_of(plan, CEILING, None))
    assert (ceiling.method, ceiling.steps) == ("deepall", 9)


def test_a_bundle_that_has_seen_the_target_is_refused(make_plan, bundles, cell_of):
    plan = make_plan("deepall")
    info = read_info(bundle_of(cell_of(plan, "deepall"), plan, bundles))
    check_unseen("east", info)
    with pytest.raises(DatasetError, match="learnt from it"):
        check_unseen("north", info)


@pytest.mark.parametrize(
    "changes",
    [
        {"ks": ()},
        {"seeds": ()},
        {"ks": (-1,)},
        {"gate_slices": -1},
        {"choices": ("odd",)},
        {"gate": "odd"},
    ],
)
def test_settings_out_of_range_are_refused(make_plan, changes):
    with pytest.raises(TrainingError, match="needs"):
        make_plan("deepall", **changes)
