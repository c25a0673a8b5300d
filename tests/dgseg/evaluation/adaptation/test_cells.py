"""A cell adapts without a look at the test half, is run once, and keeps to its settings."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dgseg.adaptation.candidate import fine_tune
from dgseg.datasets import cardiac
from dgseg.errors import MethodError, TrainingError
from dgseg.evaluation.adaptation import cells as module
from dgseg.evaluation.adaptation.cells import run_cell
from dgseg.evaluation.adaptation.plan import CEILING, CROSSED, FLOOR, adaptation_row
from dgseg.evaluation.benchmark.claims import folder_of

HALF = 1
"""Of three people one is adapted to."""


@pytest.fixture
def reads(monkeypatch):
    """Who is read, in order, with a mark where the candidate is written."""
    seen = []
    load = cardiac._load

    def spy(path, labels_path, domain, subject):
        seen.append((domain, subject))
        return load(path, labels_path, domain, subject)

    def marked(*args, **options):
        bundle = fine_tune(*args, **options)
        seen.append("adapted")
        return bundle

    monkeypatch.setattr(cardiac, "_load", spy)
    monkeypatch.setattr(module, "fine_tune", marked)
    return seen


def scores_of(out, cell):
    return json.loads((folder_of(out, cell) / "scores.json").read_text())


@pytest.mark.parametrize("k", [0, 1, None])
def test_the_test_half_is_read_only_once_the_candidate_is_written(
    make_plan, bundles, cell_of, tmp_path, reads, k
):
    plan = make_plan("mean-teacher", ks=(0, 1), ceiling=adaptation_row("mean-teacher"))
    cell = cell_of(plan, CEILING if k is None else "mean-teacher", k)
    assert run_cell(cell, plan, tmp_path, bundles).status == "finished"
    halves = json.loads((tmp_path / "halves" / "cardiac-east-seed0.json").read_text())
    done = reads.index("adapted")
    learnt = {who for domain, who in reads[:done] if domain == "east"}
    assert learnt == set(halves["adaptation"])
    assert {domain for domain, _ in reads[:done]} == {"east"}
    scored = {each["subject"] for each in scores_of(tmp_path, cell)["subjects"]}
    assert scored == set(halves["test"])
    assert len(learnt) == HALF
    assert not scored & learnt


def test_what_a_training_is_given(make_plan, bundles, cell_of, tmp_path, monkeypatch):
    given = []

    def look(items, *args, **options):
        given.extend(items())
        return fine_tune(items, *args, **options)

    monkeypatch.setattr(module, "fine_tune", look)
    plan = make_plan("mean-teacher")
    cell = cell_of(plan, "mean-teacher")
    run_cell(cell, plan, tmp_path, bundles)
    (item,) = given
    scores = scores_of(tmp_path, cell)
    assert scores["corrected"] == {item.scan.scan_id: [1]}
    assert item.annotated.tolist() == [False, True, False]
    ((judged,),) = scores["kept"].values()
    assert item.hidden[judged]
    assert not item.labels[item.hidden].any()
    assert scores["gate"]["numbers"]["n_heldout"] == 1
    assert scores["gate"]["colour"] == "amber"  # a single slice settles nothing


def test_what_it_leaves_behind(make_plan, bundles, cell_of, tmp_path):
    plan = make_plan("mean-teacher")
    cell = cell_of(plan, "mean-teacher")
    run_cell(cell, plan, tmp_path, bundles)
    there = {path.name for path in folder_of(tmp_path, cell).iterdir()}
    assert there == {".lock", "cell.json", "scores.json"}
    scores = scores_of(tmp_path, cell)
    assert scores["cell"] == cell.as_json()
    assert (scores["divided_by"], scores["steps"]) == ("people", 2)
    assert set(scores["subjects"][0]["dice"]) == {"LV", "MYO", "RV"}
    assert run_cell(cell, plan, tmp_path, bundles).status == "kept"


def test_the_floor_trains_nothing(make_plan, bundles, cell_of, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "fine_tune", lambda *_, **__: pytest.fail("trained"))
    plan = make_plan()
    cell = cell_of(plan, FLOOR, 0)
    assert run_cell(cell, plan, tmp_path, bundles).status == "finished"
    scores = scores_of(tmp_path, cell)
    assert (scores["gate"], scores["steps"], scores["corrected"]) == (None, 0, {})


def test_the_ceiling_has_all_labels_of_its_half(make_plan, bundles, cell_of, tmp_path):
    plan = make_plan(ceiling=adaptation_row("deepall"), ceiling_steps=3)
    cell = cell_of(plan, CEILING, None)
    run_cell(cell, plan, tmp_path, bundles)
    scores = scores_of(tmp_path, cell)
    assert [len(slices) for slices in scores["corrected"].values()] == [3]
    assert (scores["kept"], scores["gate"], scores["steps"]) == ({}, None, 3)


@pytest.mark.parametrize("choice", ["random", "suggested"])
def test_other_slices_can_be_corrected(make_plan, bundles, cell_of, tmp_path, choice, reads):
    plan = make_plan("deepall", choices=(choice,))
    cell = cell_of(plan, "deepall")
    assert run_cell(cell, plan, tmp_path, bundles).status == "finished"
    scores = scores_of(tmp_path, cell)
    (slices,) = scores["corrected"].values()
    assert len(slices) == 1
    assert scores["cell"]["choice"] == choice
    done = reads.index("adapted")
    halves = json.loads((tmp_path / "halves" / "cardiac-east-seed0.json").read_text())
    assert {who for _, who in reads[:done]} == set(halves["adaptation"])
    if choice == "suggested":
        (saved,) = (tmp_path / "suggested").iterdir()
        (pick,) = json.loads(saved.read_text())["slices"]
        assert [pick["slice"]] == slices
        assert pick["reason"].endswith("nothing is corrected yet.")


def test_the_corrected_slices_judge_themselves_where_that_is_asked_for(
    make_plan, bundles, cell_of, tmp_path, reads
):
    plan = make_plan("mean-teacher", ks=(2,), gate=CROSSED)
    cell = cell_of(plan, "mean-teacher", 2)
    assert run_cell(cell, plan, tmp_path, bundles).status == "finished"
    scores = scores_of(tmp_path, cell)
    assert scores["kept"] == {}
    assert [len(slices) for slices in scores["corrected"].values()] == [2]
    numbers = scores["gate"]["numbers"]
    assert (numbers["n_heldout"], numbers["crossed"]) == (2, True)
    halves = json.loads((tmp_path / "halves" / "cardiac-east-seed0.json").read_text())
    last = max(i for i, who in enumerate(reads) if who[1] in halves["adaptation"])
    first = min(i for i, who in enumerate(reads) if who[1] in halves["test"])
    assert last < first
    settings = json.loads((folder_of(tmp_path, cell) / "cell.json").read_text())
    assert settings["folds"] == [
        {key: [i]} for key, all_ in scores["corrected"].items() for i in all_
    ]


def test_the_usual_gate_has_the_settings_that_it_always_had(
    make_plan, bundles, cell_of, tmp_path
):
    plan = make_plan("mean-teacher")
    cell = cell_of(plan, "mean-teacher")
    run_cell(cell, plan, tmp_path, bundles)
    settings = json.loads((folder_of(tmp_path, cell) / "cell.json").read_text())
    assert "folds" not in settings
    crossed = dataclasses.replace(plan, gate=CROSSED)
    with pytest.raises(TrainingError, match=r"\(kept\)"):
        run_cell(cell, crossed, tmp_path, bundles)


def test_one_that_was_stopped_ends_as_if_nothing_had_been(
    make_plan, bundles, cell_of, tmp_path
):
    plan = make_plan("mean-teacher", steps=4)
    cell = cell_of(plan, "mean-teacher")
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 3

    halted = tmp_path / "halted"
    assert run_cell(cell, plan, halted, bundles, should_stop=stop).status == "stopped"
    assert not (folder_of(halted, cell) / "scores.json").exists()
    assert (folder_of(halted, cell) / "checkpoint" / "training.pt").exists()
    assert run_cell(cell, plan, halted, bundles).status == "finished"
    run_cell(cell, plan, tmp_path / "whole", bundles)
    one, two = (scores_of(tmp_path / where, cell) for where in ("halted", "whole"))
    assert {**one, "seconds": 0} == {**two, "seconds": 0}


def test_other_settings_are_refused(make_plan, bundles, cell_of, longer, tmp_path):
    plan = make_plan("mean-teacher")
    cell = cell_of(plan, "mean-teacher")
    run_cell(cell, plan, tmp_path, bundles)
    with pytest.raises(TrainingError, match=r"\(steps\)"):
        run_cell(cell, longer(plan, 7), tmp_path, bundles)
    with pytest.raises(TrainingError, match=r"\(kept\)"):
        run_cell(cell, dataclasses.replace(plan, gate_slices=2), tmp_path, bundles)


def test_an_unknown_option_is_refused_before_anything_is_read(
    make_plan, bundles, cell_of, tmp_path, reads
):
    plan = make_plan("mean-teacher:sharpness=3")
    with pytest.raises(MethodError, match="sharpness"):
        run_cell(cell_of(plan, "mean-teacher:sharpness=3"), plan, tmp_path, bundles)
    assert "adapted" not in reads


def test_a_bundle_that_is_not_finished_is_named(make_plan, cell_of, tmp_path):
    plan = make_plan("mean-teacher")
    with pytest.raises(TrainingError, match="not finished"):
        run_cell(cell_of(plan, "mean-teacher"), plan, tmp_path, tmp_path / "nothing")
