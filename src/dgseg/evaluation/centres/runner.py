"""All cells of a comparison of centres, in this process or several at a time."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

from dgseg.evaluation.benchmark.claims import CellResult, check_claim, folder_of
from dgseg.evaluation.benchmark.runner import attempt, failed, work_off
from dgseg.evaluation.benchmark.work import Say
from dgseg.evaluation.centres.cells import division_of, run_cell, settings_of
from dgseg.evaluation.centres.plan import CentresPlan
from dgseg.training.data import training_set

_log = logging.getLogger(__name__)


def run(
    plan: CentresPlan,
    out: Path,
    *,
    workers: int = 1,
    threads: int | None = None,
    say: Say = _log.info,
) -> tuple[CellResult, ...]:
    """Run all cells that are not finished yet.

    A cell that fails is reported, noted in its folder, and tried again by the next run;
    the others go on. Nothing is trained before all settings have been checked.

    Parameters
    ----------
    plan : CentresPlan
    out : Path
        Folder of halves and cells.
    workers : int
        Processes that each work on one cell.
    threads : int, optional
        Of the CPU, for each cell; None for PyTorch's choice.
    say : callable
        Given a line of text where something begins, goes on or ends.

    Returns
    -------
    tuple of CellResult
        In the order of the plan.

    Raises
    ------
    DgsegError
        If the data set, a centre or an option is not as it should be, or a cell was
        begun with other settings.
    """
    plan = replace(plan, config=replace(plan.config, threads=threads))
    data = training_set((plan.data,), root=plan.data_root)
    cells = plan.cells(data.domains)
    for cell in cells:
        division = division_of(cell, plan, out, data)
        division.learnt(data, cell.sources, cell.row.adapted)
        settings = settings_of(cell, plan, division, data.schema.n_classes)
        check_claim(folder_of(out, cell), settings)
    there = out.resolve()
    one = partial(run_cell, plan=plan, out=there, data=data if workers == 1 else None)
    work = partial(attempt, run_cell=one, out=there)
    return work_off(cells, work, partial(failed, out=out), workers=workers, say=say)
