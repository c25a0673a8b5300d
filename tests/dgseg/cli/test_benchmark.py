"""``dgseg benchmark``: from the command line to a plan, and from results to an exit code."""

from __future__ import annotations

import pytest

from dgseg.cli import console
from dgseg.cli.main import main
from dgseg.evaluation.benchmark import runner, tables
from dgseg.evaluation.benchmark.claims import CellResult

COMMAND = ["benchmark", "synthetic-heart", "--methods", "deepall-none", "deepall/no-unlabelled"]


@pytest.fixture
def runs(monkeypatch):
    """What `run` is called with; its results can be set."""
    calls = {"status": "finished"}

    def run(plan, out, **options):
        calls.update(plan=plan, out=out, **options)
        return [CellResult(cell, calls["status"]) for cell in plan.cells(("a", "b"))]

    def write_report(out, planned=()):
        calls["report"], calls["planned"] = out, planned
        out.mkdir(exist_ok=True)
        (out / "table.md").write_text("| a table |", encoding="utf-8")
        return out / "table.md"

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(tables, "write_report", write_report)
    return calls


def test_options_make_a_plan(runs, tmp_path, capsys):
    options = ["--fractions", "0.05", "0.2", "--seeds", "0", "1", "--targets", "a"]
    more = ["--workers", "2", "--threads", "1", "--steps", "100", "--width", "8"]
    assert main([*COMMAND, *options, *more, "--out", str(tmp_path)]) == console.OK
    plan = runs["plan"]
    assert [row.label for row in plan.rows] == ["deepall-none", "deepall/no-unlabelled"]
    assert (plan.fractions, plan.seeds, plan.targets) == ((0.05, 0.2), (0, 1), ("a",))
    assert (plan.n_validation, plan.images_per_step) == (1, 12)
    config = plan.config
    assert (config.steps, config.width, config.depth, config.validate_every) == (100, 8, 4, 5)
    assert (runs["workers"], runs["threads"], runs["scheduler"]) == (2, 1, None)
    assert "| a table |" in capsys.readouterr().out


def test_the_exit_code_tells_whether_cells_failed(runs, tmp_path):
    runs["status"] = "failed"
    assert main([*COMMAND, "--out", str(tmp_path)]) == console.FAILED
    assert "report" not in runs


def test_the_report_alone_trains_nothing(runs, tmp_path, capsys):
    assert main([*COMMAND, "--out", str(tmp_path), "--report-only"]) == console.OK
    assert "plan" not in runs
    assert "| a table |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cardiac", "--methods", "unet"], "dgnet-official"),
        (["nowhere"], "spinal-gm"),
        (["synthetic-heart", "--steps", "0"], "steps"),
        (["synthetic-heart", "--n-validation", "-1"], "validation"),
    ],
)
def test_wrong_settings_name_the_way_out(arguments, words, tmp_path, capsys):
    code = main(["benchmark", *arguments, "--out", str(tmp_path), "--data-root", str(tmp_path)])
    assert code == console.FAILED
    assert words in capsys.readouterr().err
