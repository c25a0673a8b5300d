"""Cells in order; one that fails stops no other; what was stopped goes on."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dgseg.errors import MethodError, TrainingError
from dgseg.evaluation.benchmark import runner
from dgseg.evaluation.benchmark.claims import FAILED_NAME, folder_of
from dgseg.evaluation.benchmark.runner import Progress, run

LOSSES = {"loss": 0.5}


@pytest.fixture
def trained(monkeypatch):
    """Names of the cells that were begun."""
    begun = []
    original = runner.run_cell

    def spy(cell, *args, **options):
        result = original(cell, *args, **options)
        if result.status == "finished":
            begun.append(cell.name)
        return result

    monkeypatch.setattr(runner, "run_cell", spy)
    return begun


def test_a_run_that_was_interrupted_goes_on_where_it_was(
    make_plan, tmp_path, trained, monkeypatch
):
    plan = make_plan("deepall-none", "deepall")
    first, second = plan.cells(("east",))
    report = Progress.report

    def interrupt(self, step, *rest):
        if self.cell == second and step == 2:
            raise KeyboardInterrupt
        report(self, step, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "report", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(plan, tmp_path)
    assert trained == [first.name]
    lines = []
    results = run(plan, tmp_path, say=lines.append)
    assert trained == [first.name, second.name]
    assert [result.status for result in results] == ["kept", "finished"]
    assert lines[0] == "2 cells"
    assert lines[1].startswith("[1/2]")
    assert lines[1].endswith("was finished before")
    assert run(plan, tmp_path)[1].status == "kept"
    assert len(trained) == 2


def test_a_cell_that_fails_stops_no_other_and_is_tried_again(make_plan, tmp_path, monkeypatch):
    plan = make_plan("deepall-none", "deepall")
    first = plan.cells(("east",))[0]
    original = runner.run_cell
    errors = iter([TrainingError("Not finite.", remedy="Think."), ZeroDivisionError("by 0")])

    def fail(cell, *args, **options):
        if cell == first:
            raise next(errors)
        return original(cell, *args, **options)

    lines = []
    with monkeypatch.context() as patch:
        patch.setattr(runner, "run_cell", fail)
        for kind, status in (("TrainingError", "finished"), ("ZeroDivisionError", "kept")):
            results = run(plan, tmp_path, say=lines.append)
            assert [result.status for result in results] == ["failed", status]
            note = json.loads((folder_of(tmp_path, first) / FAILED_NAME).read_text())
            assert note["kind"] == kind
    assert any("failed: Not finite. Think." in line for line in lines)
    assert [result.status for result in run(plan, tmp_path)] == ["finished", "kept"]
    assert not (folder_of(tmp_path, first) / FAILED_NAME).exists()


def test_everything_is_checked_before_anything_is_trained(make_plan, tmp_path, trained):
    with pytest.raises(MethodError, match="rank_weight"):
        run(make_plan("deepall", "deepall/no-rank"), tmp_path)
    assert not trained
    plan = make_plan("deepall", "deepall-none")
    run(make_plan("deepall-none"), tmp_path)
    longer = dataclasses.replace(plan, config=dataclasses.replace(plan.config, steps=9))
    with pytest.raises(TrainingError, match="other settings"):
        run(longer, tmp_path)
    assert len(trained) == 1


def test_progress_is_said_now_and_then(make_plan, monkeypatch):
    (cell,) = make_plan("deepall").cells(("east",))
    now = iter([100.0, 110.0, 140.0, 150.0, 200.0])
    monkeypatch.setattr(runner.time, "monotonic", lambda: next(now))
    lines = []
    progress = Progress(cell, lines.append)
    for step in (10, 20, 50, 60, 110):  # resumed at the tenth step
        progress.report(step, 310, LOSSES)
    assert lines == [
        f"{cell.name}: step 50 of 310, loss 0.500, 4 min left",
        f"{cell.name}: step 110 of 310, loss 0.500, 3 min left",
    ]


def test_two_processes_come_to_the_scores_of_one(make_plan, tmp_path):
    plan = make_plan("deepall-none", "deepall")
    run(plan, tmp_path / "one", threads=1)
    lines = []
    results = run(plan, tmp_path / "two", workers=2, threads=1, say=lines.append)
    assert [result.status for result in results] == ["finished"] * 2
    assert sorted(line[:5] for line in lines[1:]) == ["[1/2]", "[2/2]"]
    for cell in plan.cells(("east",)):
        one, two = (
            json.loads((folder_of(tmp_path / where, cell) / "scores.json").read_text())
            for where in ("one", "two")
        )
        assert {**one, "seconds": 0} == {**two, "seconds": 0}
