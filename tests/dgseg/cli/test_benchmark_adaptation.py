"""``dgseg benchmark-adaptation``: from the command line to a plan, and to an exit code."""

from __future__ import annotations

import pytest

from dgseg.cli import console
from dgseg.cli.main import main
from dgseg.datasets.registry import load
from dgseg.evaluation.adaptation import runner, tables
from dgseg.evaluation.benchmark.claims import CellResult

COMMAND = ["benchmark-adaptation", "synthetic-heart", "--ceiling", "mean-teacher"]


@pytest.fixture
def runs(monkeypatch):
    """What `run` is called with; its results can be set."""
    calls = {"status": "finished"}

    def run(plan, out, bundles, **options):
        calls.update(plan=plan, out=out, bundles=bundles, **options)
        targets = plan.bundles.targets
        return [CellResult(cell, calls["status"]) for cell in plan.cells(targets)]

    def write_report(out, planned=(), rivals=()):
        calls["report"], calls["planned"], calls["rivals"] = out, planned, rivals
        out.mkdir(exist_ok=True)
        (out / "table.md").write_text("| a table |", encoding="utf-8")
        return out / "table.md"

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(tables, "write_report", write_report)
    return calls


def test_options_make_a_plan(runs, tmp_path, capsys):
    target = load("synthetic-heart").domains[0]
    options = ["--methods", "mean-teacher", "mean-teacher:anchor=1", "--ks", "0", "3"]
    options += ["--seeds", "0", "1", "--targets", target, "--base", "deepall"]
    options += ["--steps", "50", "--patch-px", "64", "--batch-labelled", "2"]
    options += ["--batch-unlabelled", "6", "--workers", "2", "--threads", "1"]
    options += ["--choose", "even", "suggested", "--gate", "crossed"]
    options += ["--rivals", "mean-teacher:anchor=1"]
    assert main([*COMMAND, *options, "--out", str(tmp_path)]) == console.OK
    plan = runs["plan"]
    assert (plan.choices, plan.gate) == (("even", "suggested"), "crossed")
    assert [row.label for row in plan.rows] == ["mean-teacher", "mean-teacher:anchor=1"]
    assert (plan.ks, plan.seeds, plan.bundles.targets) == ((0, 3), (0, 1), (target,))
    assert (plan.config.patch_px, plan.gate_slices, plan.ceiling.method) == (
        64,
        3,
        "mean-teacher",
    )
    config = plan.config
    assert (config.steps, config.batch_labelled, config.batch_unlabelled) == (50, 2, 6)
    assert config.learning_rate is None
    bundles = plan.bundles
    assert [row.label for row in bundles.rows] == ["deepall"]
    assert (bundles.fractions, bundles.seeds, bundles.config.steps) == ((0.05,), (0,), 2000)
    assert (runs["bundles"], runs["workers"], runs["threads"]) == (tmp_path / "bundles", 2, 1)
    assert len(runs["planned"]) == 2 * (1 + 2 * 3 + 1)
    assert runs["rivals"] == ("mean-teacher:anchor=1",)
    assert "| a table |" in capsys.readouterr().out


def test_minutes_stand_for_steps(runs, tmp_path):
    options = ["--methods", "mean-teacher", "--minutes", "1.5", "--ceiling", "none"]
    options += ["--targets", load("synthetic-heart").domains[0]]
    assert main([*COMMAND, *options, "--out", str(tmp_path)]) == console.OK
    assert (runs["plan"].config.steps, runs["plan"].config.minutes) == (None, 1.5)
    assert runs["plan"].ceiling is None


def test_the_exit_code_tells_whether_cells_failed(runs, tmp_path):
    runs["status"] = "failed"
    options = ["--methods", "mean-teacher", "--targets", "x", "--out", str(tmp_path)]
    assert main([*COMMAND, *options]) == console.FAILED
    assert "report" not in runs


def test_the_report_alone_adapts_nothing(runs, tmp_path):
    options = ["--methods", "mean-teacher", "--out", str(tmp_path), "--report-only"]
    assert main([*COMMAND, *options]) == console.OK
    assert "plan" not in runs
    assert runs["planned"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--methods", "unet"], "unet"),
        (["--methods", "mean-teacher", "--steps", "0"], "steps"),
        (["--methods", "mean-teacher", "--base", "unet"], "unet"),
        (["--methods", "mean-teacher", "--ks", "-1"], "numbers of slices"),
        (["--methods", "mean-teacher", "--rivals", "tent"], "no row tent"),
    ],
)
def test_wrong_settings_are_named(options, words, tmp_path, capsys):
    assert main([*COMMAND, *options, "--out", str(tmp_path)]) == console.FAILED
    assert words in capsys.readouterr().err
