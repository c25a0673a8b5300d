"""``dgseg benchmark-centres``: from the command line to a plan, and to an exit code."""

from __future__ import annotations

import pytest

from dgseg.cli import console
from dgseg.cli.main import main
from dgseg.datasets.registry import load
from dgseg.evaluation.benchmark.claims import CellResult
from dgseg.evaluation.centres import runner, tables

COMMAND = ["benchmark-centres", "synthetic-heart"]


@pytest.fixture
def runs(monkeypatch):
    """What `run` is called with; its results can be set."""
    calls = {"status": "finished"}

    def run(plan, out, **options):
        calls.update(plan=plan, out=out, **options)
        centres = load("synthetic-heart").domains
        return [CellResult(cell, calls["status"]) for cell in plan.cells(centres)]

    def write_report(out, planned=()):
        calls["planned"] = planned
        out.mkdir(exist_ok=True)
        (out / "table.md").write_text("| a table |", encoding="utf-8")
        return out / "table.md"

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(tables, "write_report", write_report)
    return calls


def test_options_make_a_plan(runs, tmp_path, capsys):
    one, two, three, *_ = load("synthetic-heart").domains
    options = ["--experiment", "consistency", "ema", "--sources", one, two]
    options += ["--adapt-to", three, "--kinds", "mse", "ce", "--weights", "5", "15"]
    options += ["--seeds", "0", "1", "--steps", "60", "--images", "4", "--width", "12"]
    options += ["--patch-px", "64", "--workers", "2", "--threads", "1"]
    assert main([*COMMAND, *options, "--out", str(tmp_path)]) == console.OK
    plan = runs["plan"]
    assert (plan.sources, plan.adapt_to) == ((one, two), (three,))
    assert (plan.experiments, plan.kinds) == (("consistency", "ema"), ("mse", "ce"))
    assert (plan.weights, plan.seeds, plan.images) == ((5.0, 15.0), (0, 1), 4)
    config = plan.config
    assert (config.steps, config.width, config.patch_px) == (60, 12, 64)
    assert (config.augment, config.validate_every, plan.n_validation) == ("weak", 10, 1)
    assert (runs["workers"], runs["threads"]) == (2, 1)
    assert len(runs["planned"]) == 2 * (1 + 2 * 2 + 1)
    assert "| a table |" in capsys.readouterr().out


def test_the_data_set_has_its_defaults(runs, tmp_path):
    assert main([*COMMAND, "--out", str(tmp_path)]) == console.OK
    centres = load("synthetic-heart").domains
    kinds = [cell.row.kind for cell in runs["planned"]]
    assert {cell.sources for cell in runs["planned"]} == {centres[:2]}
    assert {cell.row.adapted for cell in runs["planned"]} == {"", *centres[2:]}
    assert set(kinds) == {"baseline", "ema", "mse", "ce", "dice", "tversky"}


def test_the_exit_code_tells_whether_cells_failed(runs, tmp_path):
    runs["status"] = "failed"
    assert main([*COMMAND, "--out", str(tmp_path)]) == console.FAILED
    assert "planned" not in runs


def test_the_report_alone_trains_nothing(runs, tmp_path):
    assert main([*COMMAND, "--out", str(tmp_path), "--report-only"]) == console.OK
    assert "plan" not in runs
    assert runs["planned"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps", "0"], "steps"),
        (["--weights", "0"], "weights above 0"),
        (["--images", "0"], "image"),
    ],
)
def test_wrong_settings_are_named(options, words, tmp_path, capsys):
    assert main([*COMMAND, *options, "--out", str(tmp_path)]) == console.FAILED
    assert words in capsys.readouterr().err
