"""Rows differ in what they are named for, and in nothing else."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dgseg.errors import DatasetError, TrainingError
from dgseg.evaluation.centres.plan import BASELINE, EMA, CentresCell, Row
from dgseg.methods import registry

CENTRES = ("east", "north", "west", "south")


def test_each_training_is_there_once(make_plan):
    cells = make_plan(adapt_to=(), seeds=(0, 1)).cells(CENTRES)
    first = [cell.row for cell in cells if cell.seed == 0]
    assert first[:3] == [Row(BASELINE), Row("mse", 20.0, "west"), Row("mse", 20.0, "south")]
    assert Row(EMA) in first
    # Four losses with two weights, one of which table 1 has already.
    assert sum(row.adapted == "west" for row in first) == 8
    assert sum(row.adapted == "south" for row in first) == 1
    assert len(first) == len(set(first)) == 11
    assert [cell.row for cell in cells[11:]] == first
    assert len({cell.name for cell in cells}) == len(cells)


def test_experiments_can_be_chosen(make_plan):
    cells = make_plan(experiments=("ema",)).cells(CENTRES)
    assert [cell.row.kind for cell in cells] == [BASELINE, EMA]


def test_a_cell_survives_json(make_plan):
    for cell in make_plan().cells(CENTRES):
        content = json.loads(json.dumps(dataclasses.asdict(cell)))
        assert CentresCell.from_json(content) == cell
    content["row"]["kind"] = "cosine"
    with pytest.raises(ValueError, match="cosine"):
        CentresCell.from_json(content)


def test_the_data_sets_own_sources(make_plan):
    centres = ("acdc", "mnms-philips-c2", "mnms-philips-c3", "mnms-siemens-c1")
    plan = make_plan(sources=(), adapt_to=()).chosen(centres)
    assert plan.sources == ("acdc", "mnms-siemens-c1")
    assert plan.adapt_to == ("mnms-philips-c2", "mnms-philips-c3")


def configs(make_plan, cell_of, **changes):
    plan = make_plan(**changes)
    found = {}
    for kind in (BASELINE, EMA, "mse", "tversky"):
        config = plan.config_of(cell_of(plan, kind))
        options = {"learning_rate": config.learning_rate, "augment": config.augment}
        _, preset = registry.resolve(config.method)
        method = dataclasses.asdict(preset) | options | config.options
        found[kind] = config, method
    return found


@pytest.mark.parametrize("ce_weight", [0.0, 1.0])
def test_all_rows_share_optimiser_and_schedule(make_plan, cell_of, ce_weight):
    found = configs(make_plan, cell_of, ce_weight=ce_weight)
    assert found["mse"][1]["ce_weight"] == ce_weight
    names = ("learning_rate", "weight_decay", "warm_up", "final_rate", "clip_norm", "augment")
    for name in (*names, "dice_weight", "ce_weight"):
        assert len({json.dumps(method[name]) for _, method in found.values()}) == 1
    assert found["mse"][1]["weight_decay"] == 6e-4  # Perone et al.'s


def test_rows_differ_in_what_they_are_named_for(make_plan, cell_of):
    found = configs(make_plan, cell_of)
    baseline, method = found[BASELINE]
    assert (baseline.method, method["ema_decay"]) == ("deepall", 0.0)
    assert (baseline.batch_per_domain, baseline.unlabelled_per_domain) == (1, 0)
    ema, method = found[EMA]
    assert (ema.unlabelled_per_domain, method["ema_decay"]) == (0, 0.9)
    config, method = found["tversky"]
    assert config.unlabelled_per_domain == 2
    assert (method["consistency"], method["consistency_weight"]) == ("tversky", 5.0)
    assert method["teacher_views"] == 0


def test_the_checkpoint_is_chosen_only_where_there_are_people_for_it(make_plan, cell_of):
    plan = make_plan()
    plan = dataclasses.replace(plan, config=dataclasses.replace(plan.config, validate_every=2))
    cell = cell_of(plan, BASELINE)
    assert plan.config_of(cell).validate_every == 0
    assert dataclasses.replace(plan, n_validation=1).config_of(cell).validate_every == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"experiments": ()}, "experiment"),
        ({"seeds": ()}, "seed"),
        ({"kinds": ()}, "consistency loss"),
        ({"kinds": ("ema",)}, "with a teacher"),
        ({"weights": (0.0,)}, "weights above 0"),
        ({"n_validation": -1}, "people"),
        ({"images": 0}, "image"),
        ({"ce_weight": -1.0}, "cross-entropy"),
    ],
)
def test_nonsense_is_refused(make_plan, changes, words):
    with pytest.raises(TrainingError, match=words):
        make_plan(**changes)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"sources": ("moon",)}, DatasetError, "no centre moon"),
        ({"adapt_to": ("mars",)}, DatasetError, "no centre mars"),
        ({"adapt_to": ("east",)}, DatasetError, "east cannot be both"),
        ({"sources": CENTRES, "adapt_to": (), "images": 4}, DatasetError, "none is left"),
        ({"images": 3}, TrainingError, "shared out evenly"),
    ],
)
def test_centres_that_do_not_fit_are_named(make_plan, changes, kind, words):
    with pytest.raises(kind, match=words):
        make_plan(**changes).cells(CENTRES)
