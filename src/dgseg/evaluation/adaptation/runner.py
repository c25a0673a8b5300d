"""All cells of a plan of adaptation, and the bundles that they begin from."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

from dgseg.errors import TrainingError
from dgseg.evaluation.adaptation.cells import run_cell, settings_of, task_of
from dgseg.evaluation.adaptation.plan import AdaptationCell, AdaptationPlan
from dgseg.evaluation.benchmark import runner
from dgseg.evaluation.benchmark.claims import (
    SCORES_NAME,
    CellResult,
    check_claim,
    folder_of,
)
from dgseg.evaluation.benchmark.runner import attempt, failed, work_off
from dgseg.evaluation.benchmark.work import Say
from dgseg.training.data import training_set

_log = logging.getLogger(__name__)


def run(
    plan: AdaptationPlan,
    out: Path,
    bundles: Path,
    *,
    workers: int = 1,
    threads: int | None = None,
    say: Say = _log.info,
) -> tuple[CellResult, ...]:
    """Train the bundles that are missing, then run all cells that are not finished yet.

    A cell that fails is reported, noted in its folder, and tried again by the next run;
    the others go on. Nothing is adapted before all settings have been checked.

    Parameters
    ----------
    plan : AdaptationPlan
    out : Path
        Folder of halves and cells.
    bundles : Path
        Folder of a benchmark whose bundles are adapted; those that are finished there are
        not trained again, whatever they were trained with.
    workers : int
        Processes that each work on one cell.
    threads : int, optional
        Of the CPU, for each cell; None for the default of an adaptation.
    say : callable
        Given a line of text where something begins, goes on or ends.

    Returns
    -------
    tuple of CellResult
        In the order of the plan.

    Raises
    ------
    DgsegError
        If the data set, a method, an option or a bundle is not as it should be, or a cell
        was begun with other settings.
    """
    plan = replace(plan, config=replace(plan.config, threads=threads))
    data = training_set((plan.data,), root=plan.data_root)
    cells = plan.cells(data.domains)
    train_bundles(plan, cells, bundles, workers=workers, threads=threads, say=say)
    for cell in cells:
        settings = settings_of(task_of(cell, plan, out, bundles, data))
        check_claim(folder_of(out, cell), settings)
    there = out.resolve()
    one = partial(
        run_cell,
        plan=plan,
        out=there,
        bundles=bundles.resolve(),
        data=data if workers == 1 else None,
    )
    work = partial(attempt, run_cell=one, out=there)
    return work_off(cells, work, partial(failed, out=out), workers=workers, say=say)


def train_bundles(
    plan: AdaptationPlan,
    cells: tuple[AdaptationCell, ...],
    bundles: Path,
    *,
    workers: int,
    threads: int | None,
    say: Say,
) -> None:
    """Train the bundles that are not in their folder yet.

    Raises
    ------
    TrainingError
        If one of them does not come about; and as the benchmark raises.
    """
    missing = {
        cell.target
        for cell in cells
        if not (folder_of(bundles, plan.bundle_cell(cell)) / SCORES_NAME).exists()
    }
    if not missing:
        return
    say(f"Training the bundles without {', '.join(sorted(missing))}")
    results = runner.run(
        replace(plan.bundles, targets=tuple(sorted(missing))),
        bundles,
        workers=workers,
        threads=threads,
        say=say,
    )
    if any(result.status not in ("finished", "kept") for result in results):
        raise TrainingError(
            "Not all bundles that are to be adapted could be trained.",
            remedy="See what is said of them above, and run this again.",
            path=bundles,
        )
