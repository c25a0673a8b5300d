"""A cell that fails stops no other, and nothing is begun before all is checked."""

from __future__ import annotations

import pickle

import pytest

from dgseg.errors import DatasetError, TrainingError
from dgseg.evaluation.centres import runner
from dgseg.evaluation.centres.plan import BASELINE
from dgseg.evaluation.centres.runner import run


def test_a_cell_that_fails_stops_no_other(make_plan, tmp_path, monkeypatch):
    original = runner.run_cell

    def fail(cell, *args, **options):
        if cell.row.kind == BASELINE:
            raise TrainingError("Not finite.", remedy="Think.")
        return original(cell, *args, **options)

    monkeypatch.setattr(runner, "run_cell", fail)
    lines = []
    plan = make_plan(experiments=("ema",))
    results = run(plan, tmp_path, threads=1, say=lines.append)
    assert [result.status for result in results] == ["failed", "finished"]
    assert any("failed: Not finite. Think." in line for line in lines)
    monkeypatch.undo()
    results = run(plan, tmp_path, threads=1)
    assert [result.status for result in results] == ["finished", "kept"]


def test_all_is_checked_before_anything_is_trained(make_plan, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "run_cell", lambda *_, **__: pytest.fail("begun"))
    with pytest.raises(DatasetError, match="no centre moon"):
        run(make_plan(adapt_to=("moon",)), tmp_path)
    with pytest.raises(DatasetError, match="too few"):
        run(make_plan(n_validation=2), tmp_path)


def test_other_processes_can_be_given_the_work(make_plan, tmp_path, monkeypatch):
    given = {}

    def work_off(cells, work, fail, **options):
        given.update(cells=cells, parts=pickle.loads(pickle.dumps((work, fail))), **options)
        return ()

    monkeypatch.setattr(runner, "work_off", work_off)
    run(make_plan(experiments=("centres",)), tmp_path, workers=2, threads=1)
    work, fail = given["parts"]
    assert given["workers"] == 2
    cell = given["cells"][-1]
    assert work(cell, say=print, should_stop=lambda: True).status == "stopped"
    assert fail(cell, error=MemoryError("all of it")).problem == "MemoryError: all of it"
