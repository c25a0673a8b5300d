"""A cell learns without a look at what is scored, is run once, and keeps to its settings."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from dgseg.datasets import cardiac
from dgseg.errors import DatasetError, MethodError, TrainingError
from dgseg.evaluation.benchmark.claims import folder_of
from dgseg.evaluation.centres import cells as module
from dgseg.evaluation.centres.cells import FEATURES_NAME, run_cell
from dgseg.evaluation.centres.plan import BASELINE, EMA
from dgseg.training.train import train


@pytest.fixture
def reads(monkeypatch):
    """Who is read, in order, with a mark where the bundle is written."""
    seen = []
    load = cardiac._load

    def spy(path, labels_path, domain, subject):
        seen.append((domain, subject))
        return load(path, labels_path, domain, subject)

    def marked(*args, **options):
        bundle = train(*args, **options)
        seen.append("trained")
        return bundle

    monkeypatch.setattr(cardiac, "_load", spy)
    monkeypatch.setattr(module, "train", marked)
    return seen


def scores_of(out, cell):
    return json.loads((folder_of(out, cell) / "scores.json").read_text())


@pytest.mark.parametrize("kind", [BASELINE, EMA, "mse"])
def test_nothing_that_is_scored_is_read_before_the_bundle_is_there(
    make_plan, cell_of, tmp_path, reads, kind
):
    plan = make_plan()
    cell = cell_of(plan, kind)
    assert run_cell(cell, plan, tmp_path).status == "finished"
    done = reads.index("trained")
    learnt = set(reads[:done])
    scored = {
        (each["centre"], each["subject"]) for each in scores_of(tmp_path, cell)["subjects"]
    }
    assert not learnt & scored
    assert {domain for domain, _ in scored} == {"east", "north", "west"}
    assert {domain for domain, _ in learnt} == {
        "east",
        "north",
        *([] if kind in (BASELINE, EMA) else ["west"]),
    }


def test_what_a_training_is_given(make_plan, cell_of, tmp_path, monkeypatch):
    given = {}

    def look(config, data, out, **options):
        given.update(config=config, data=data, **options)
        return train(config, data, out, **options)

    monkeypatch.setattr(module, "train", look)
    plan = make_plan()
    run_cell(cell_of(plan, "dice"), plan, tmp_path)
    assert given["unlabelled"] == ("west",)
    assert {e.domain: e.labelled for e in given["data"].entries} == {
        "east": True,
        "north": True,
        "west": False,
    }
    assert (given["config"].method, given["validation"]) == ("mean-teacher-paper", None)


def test_what_it_leaves_behind(make_plan, cell_of, tmp_path):
    plan = make_plan()
    cell = cell_of(plan, "mse", 20.0)
    run_cell(cell, plan, tmp_path)
    there = {path.name for path in folder_of(tmp_path, cell).iterdir()}
    assert there == {".lock", "cell.json", "scores.json", FEATURES_NAME}
    scores = scores_of(tmp_path, cell)
    assert scores["cell"] == json.loads(json.dumps(dataclasses.asdict(cell)))
    assert set(scores["divided_by"].values()) == {"people"}
    assert (scores["steps"], scores["selection"]) == (3, None)
    assert set(scores["subjects"][0]["dice"]) == {"LV", "MYO", "RV"}
    with np.load(folder_of(tmp_path, cell) / FEATURES_NAME) as features:
        n_slices = sum(each["n_slices"] for each in scores["subjects"])
        assert features["features"].shape[0] == n_slices
        assert np.isfinite(features["features"]).all()
        assert set(features["centres"]) == {"east", "north", "west"}
    assert run_cell(cell, plan, tmp_path).status == "kept"


def test_one_that_was_stopped_ends_as_if_nothing_had_been(make_plan, cell_of, tmp_path):
    plan = make_plan(steps=4)
    cell = cell_of(plan, "mse")
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 2

    halted = tmp_path / "halted"
    assert run_cell(cell, plan, halted, should_stop=stop).status == "stopped"
    assert not (folder_of(halted, cell) / "scores.json").exists()
    assert run_cell(cell, plan, halted).status == "finished"
    run_cell(cell, plan, tmp_path / "whole")
    one, two = (scores_of(tmp_path / where, cell) for where in ("halted", "whole"))
    assert {**one, "seconds": 0} == {**two, "seconds": 0}


def test_other_settings_are_refused(make_plan, cell_of, tmp_path):
    plan = make_plan()
    cell = cell_of(plan, BASELINE)
    run_cell(cell, plan, tmp_path)
    with pytest.raises(TrainingError, match="batch_per_domain"):
        run_cell(cell, dataclasses.replace(plan, images=4), tmp_path)
    threads = dataclasses.replace(plan, config=dataclasses.replace(plan.config, threads=1))
    assert run_cell(cell, threads, tmp_path).status == "kept"


def test_what_cannot_be_trained_is_said(make_plan, cell_of, tmp_path):
    plan = make_plan(n_validation=1)
    with pytest.raises(DatasetError, match="too few"):
        run_cell(cell_of(plan, BASELINE), plan, tmp_path)
    plan = make_plan()
    wrong = dataclasses.replace(plan.config, learning_rate=7.0)
    plan = dataclasses.replace(plan, config=wrong)
    with pytest.raises(MethodError, match="learning_rate"):
        run_cell(cell_of(plan, BASELINE), plan, tmp_path)
