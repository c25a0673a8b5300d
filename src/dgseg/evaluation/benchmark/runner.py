"""All cells of a plan, in this process or several at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from dgseg.errors import DgsegError
from dgseg.evaluation.benchmark.cells import (
    run_cell,
    settings_of,
    split_of,
)
from dgseg.evaluation.benchmark.claims import (
    FAILED_NAME,
    CellResult,
    Named,
    check_claim,
    folder_of,
)
from dgseg.evaluation.benchmark.plan import BenchmarkPlan
from dgseg.evaluation.benchmark.work import Fail, Say, Work
from dgseg.files import write_json
from dgseg.training.loop import OnStep, ShouldStop
from dgseg.training.train import training_set

_REPORT_S = 30.0
"""Seconds between two lines about the same cell."""

_log = logging.getLogger(__name__)


def run(
    plan: BenchmarkPlan,
    out: Path,
    *,
    workers: int = 1,
    threads: int | None = None,
    scheduler: str | None = None,
    say: Say = _log.info,
) -> tuple[CellResult, ...]:
    """Run all cells that are not finished yet.

    A cell that fails is reported, noted in its folder, and tried again by the next run;
    the others go on. Nothing is trained before all settings have been checked.

    Parameters
    ----------
    plan : BenchmarkPlan
    out : Path
        Folder of splits and cells.
    workers : int
        Processes on this machine that each work on one cell.
    threads : int, optional
        Of the CPU, for each cell; None for PyTorch's choice.
    scheduler : str, optional
        Address of a running scheduler of ``dask.distributed`` instead, whose workers see
        the same files.
    say : callable
        Given a line of text where something begins, goes on or ends.

    Returns
    -------
    tuple of CellResult
        In the order of the plan.

    Raises
    ------
    DgsegError
        If the data set, a method, an option or a split is not as it should be, or a
        cell was begun with other settings.
    """
    plan = replace(plan, config=replace(plan.config, threads=threads))
    data = training_set((plan.data,), root=plan.data_root)
    cells = plan.cells(data.domains)
    for cell in cells:
        split = split_of(cell, plan, out, data)
        _, settings = settings_of(cell, plan, split, data.schema.n_classes)
        check_claim(folder_of(out, cell), settings)
    here, there = workers == 1 and scheduler is None, out.resolve()
    one = partial(run_cell, plan=plan, out=there, data=data if here else None)
    work = partial(attempt, run_cell=one, out=there)
    return work_off(
        cells, work, partial(failed, out=out), workers=workers, scheduler=scheduler, say=say
    )


def work_off(
    cells: Sequence[Named],
    work: Work,
    fail: Fail,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    say: Say = _log.info,
) -> tuple[CellResult, ...]:
    """Run cells of any benchmark, here or in several processes.

    Parameters
    ----------
    cells : sequence of Named
        In the order in which they shall begin.
    work, fail : callable
        Can be pickled where there are several processes; `fail` is for a process that
        died.
    workers, scheduler, say
        As in `run`.

    Returns
    -------
    tuple of CellResult
        In the order of the cells.
    """
    say(f"{len(cells)} cells")
    if workers > 1 or scheduler is not None:
        from dgseg.evaluation.benchmark.parallel import run_parallel

        results = run_parallel(cells, work, fail, workers, scheduler, say)
    else:
        results = (work(cell, say=say) for cell in cells)
    ended = {}
    for number, result in enumerate(results, start=1):
        ended[result.cell] = result
        say(f"[{number}/{len(cells)}] {_sentence(result)}")
    return tuple(ended[cell] for cell in cells)


class RunCell(Protocol):
    """Runs one cell of a benchmark, whose plan and folder it knows."""

    def __call__(
        self, cell: Any, *, on_step: OnStep, should_stop: ShouldStop | None
    ) -> CellResult:
        """Run it."""
        ...


def attempt(
    cell: Named,
    run_cell: RunCell,
    out: Path,
    say: Say,
    *,
    should_stop: ShouldStop | None = None,
) -> CellResult:
    """Run one cell of any benchmark; where it fails, say so in its folder, do not raise.

    Parameters
    ----------
    cell : Named
    run_cell : callable
        Can be pickled where there are several processes.
    out : Path
        Folder of the benchmark.
    say : callable
        As in `run`.
    should_stop : callable, optional
        As in `dgseg.training.loop.fit`.
    """
    try:
        return run_cell(cell, on_step=Progress(cell, say).report, should_stop=should_stop)
    except DgsegError as error:
        return failed(cell, out, error)
    except Exception as error:  # noqa: BLE001
        # Hours of other cells must not be lost to what went wrong in this one.
        _log.exception("The cell %s failed.", cell.name)
        return failed(cell, out, error)


def failed(cell: Named, out: Path, error: BaseException) -> CellResult:
    """Note in the folder of a cell that it failed, and why."""
    if isinstance(error, DgsegError):
        problem = error.public_message
    else:
        problem = f"{type(error).__name__}: {error}"
    folder = folder_of(out, cell)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FAILED_NAME, {"kind": type(error).__name__, "problem": problem})
    return CellResult(cell, "failed", problem=problem)


@dataclass
class Progress:
    """Says now and then how far a training is, and how long it will take."""

    cell: Named
    say: Say
    every_s: float = _REPORT_S
    _first: tuple[float, int] | None = field(default=None, init=False)
    _said: float = field(default=0.0, init=False)

    def report(self, step: int, total: int, losses: dict[str, float]) -> None:
        """As `dgseg.training.loop.OnStep`."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, step)
            self._said = now
            return
        if now - self._said < self.every_s:
            return
        self._said = now
        began, first = self._first
        left_s = (now - began) / max(step - first, 1) * (total - step)
        loss = f", loss {losses['loss']:.3f}" if "loss" in losses else ""
        self.say(f"{self.cell.name}: step {step} of {total}{loss}, {_duration(left_s)} left")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _sentence(result: CellResult) -> str:
    words = {
        "finished": f"finished in {_duration(result.seconds)}",
        "kept": "was finished before",
        "stopped": "stopped",
        "busy": "is in the hands of another program",
        "failed": f"failed: {result.problem}",
    }
    return f"{result.cell.name} {words[result.status]}"
