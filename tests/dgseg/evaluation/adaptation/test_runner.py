"""Bundles that are missing are trained; a cell that fails stops no other."""

from __future__ import annotations

import pickle

import pytest

from dgseg.errors import MethodError, TrainingError
from dgseg.evaluation.adaptation import runner
from dgseg.evaluation.adaptation.runner import run
from dgseg.evaluation.benchmark.claims import CellResult


def test_what_is_missing_is_trained_and_nothing_twice(make_plan, tmp_path):
    plan = make_plan("mean-teacher", ks=(0, 1))
    lines = []
    out = tmp_path / "out"
    results = run(plan, out, out / "bundles", threads=1, say=lines.append)
    assert [result.status for result in results] == ["finished"] * 3
    assert lines[0] == "Training the bundles without east"
    assert "3 cells" in lines
    lines.clear()
    results = run(plan, out, out / "bundles", threads=1, say=lines.append)
    assert [result.status for result in results] == ["kept"] * 3
    assert lines[0] == "3 cells"


def test_a_cell_that_fails_stops_no_other(make_plan, bundles, tmp_path, monkeypatch):
    plan = make_plan("mean-teacher")
    original = runner.run_cell

    def fail(cell, *args, **options):
        if cell.label == "mean-teacher":
            raise TrainingError("Not finite.", remedy="Think.")
        return original(cell, *args, **options)

    monkeypatch.setattr(runner, "run_cell", fail)
    lines = []
    results = run(plan, tmp_path, bundles, say=lines.append)
    assert [result.status for result in results] == ["finished", "failed"]
    assert any("failed: Not finite. Think." in line for line in lines)


def test_all_is_checked_before_anything_is_adapted(make_plan, bundles, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "run_cell", lambda *_, **__: pytest.fail("begun"))
    with pytest.raises(MethodError, match="sharpness"):
        run(make_plan("mean-teacher", "mean-teacher:sharpness=1"), tmp_path, bundles)


def test_bundles_that_do_not_come_about_end_it(make_plan, tmp_path, monkeypatch):
    def busy(plan, out, **_):
        return tuple(CellResult(cell, "busy") for cell in plan.cells(("east", "north")))

    monkeypatch.setattr(runner.runner, "run", busy)
    with pytest.raises(TrainingError, match="could be trained"):
        run(make_plan("mean-teacher"), tmp_path, tmp_path / "nothing")


def test_other_processes_can_be_given_the_work(make_plan, bundles, tmp_path, monkeypatch):
    given = {}

    def work_off(cells, work, fail, **options):
        given.update(cells=cells, parts=pickle.loads(pickle.dumps((work, fail))), **options)
        return ()

    monkeypatch.setattr(runner, "work_off", work_off)
    run(make_plan("mean-teacher"), tmp_path, bundles, workers=2, threads=1)
    floor, adapted = given["cells"]
    work, fail = given["parts"]
    assert given["workers"] == 2
    assert work(floor, say=print).status == "finished"
    assert work(adapted, say=print, should_stop=lambda: True).status == "stopped"
    assert fail(adapted, error=MemoryError("all of it")).problem == "MemoryError: all of it"
