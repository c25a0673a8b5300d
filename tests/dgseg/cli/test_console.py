"""How a benchmark ends: its table, its exit code, and the cells that it is about."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dgseg.cli import console
from dgseg.errors import DatasetError


@pytest.mark.parametrize(
    ("statuses", "code", "printed"),
    [
        (None, console.OK, True),
        (["finished", "kept", "busy"], console.OK, True),
        (["kept", "failed"], console.SOME_FAILED, True),
        (["failed", "failed"], console.FAILED, False),
        (["busy"], console.FAILED, False),
        ([], console.FAILED, False),
    ],
)
def test_the_table_is_printed_where_any_cell_is_there(
    statuses, code, printed, tmp_path, capsys
):
    table = tmp_path / "table.md"
    table.write_text("| a table |", encoding="utf-8")
    assert console.report_cells(statuses, lambda: table) == code
    assert ("| a table |" in capsys.readouterr().out) is printed


class Plan:
    def cells(self, domains):
        return tuple(domains)


def test_without_the_data_no_cell_is_planned(tmp_path):
    assert console.planned_cells(Plan, "cardiac", tmp_path / "nowhere") == ()
    assert console.planned_cells(Plan, "synthetic-heart", None)


def test_a_plan_that_needs_the_data_is_asked_only_where_it_is_there():
    def plan():
        raise DatasetError("It is not there.")

    assert console.planned_cells(plan, "synthetic-heart", None) == ()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_work_goes_on_where_nobody_reads_what_it_prints(stream):
    code = (
        "import sys; from dgseg.cli import console; sys.stdin.read()\n"
        "for _ in range(3): console.say('a line'); console.warn('a problem')\n"
        f"print('the end', file=sys.{'stderr' if stream == 'stdout' else 'stdout'})"
    )
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:
        getattr(process, stream).close()
        process.stdin.close()
        other = process.stderr if stream == "stdout" else process.stdout
        assert other.read().endswith("the end\n")
        assert process.wait(timeout=60) == 0
