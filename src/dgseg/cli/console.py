"""What every command shares: messages, progress bars, finding scans, exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol, TextIO, TypeVar

from tqdm import tqdm

from dgseg.errors import DatasetError, DgsegError, ScanError
from dgseg.scans.scan import ScanSource

_CellT = TypeVar("_CellT", covariant=True)

typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())
"""The arguments of the command that is running."""

OK = 0
FAILED = 1
USAGE = 2
SOME_FAILED = 3
INTERRUPTED = 130


def say(text: str) -> None:
    """Print a line of results to standard output."""
    _write(text, sys.stdout)


def warn(error: DgsegError | str) -> None:
    """Print a problem, and its remedy, to standard error."""
    _write(f"dgseg: {error}", sys.stderr)


def _write(text: str, stream: TextIO) -> None:
    """Print a line at once; where nobody reads any more, the work goes on unheard."""
    try:
        tqdm.write(text, file=stream)
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def find_scans(paths: Iterable[Path]) -> tuple[list[ScanSource], int]:
    """All scans in files and folders, and how many could not be used.

    Each unusable file is named on standard error and stops nothing else.

    Raises
    ------
    ScanError
        If there is no usable scan at all.
    """
    from dgseg.scans.sources import discover

    sources: list[ScanSource] = []
    failures = 0
    for path in paths:
        for found in discover(path):
            if found.source is None:
                failures += 1
                warn(found.error if found.error is not None else "unknown problem")
            else:
                sources.append(found.source)
    if not sources:
        raise ScanError(
            "There is no usable scan in what was given.",
            remedy="Name NIfTI files, DICOM folders, BIDS folders, or a folder of those.",
        )
    return sources, failures


class Plan(Protocol[_CellT]):
    """What a benchmark compares."""

    def cells(self, domains: Sequence[str]) -> tuple[_CellT, ...]:
        """All cells, given the domains of the data set."""
        ...


def planned_cells(
    plan: Callable[[], Plan[_CellT]], data: str, root: Path | None
) -> tuple[_CellT, ...]:
    """The cells that a benchmark is about, finished or not; none without the data.

    Parameters
    ----------
    plan : callable
        Makes the plan, for which the data may be needed.
    data : str
        Name of the data set.
    root : Path or None
        As in `dgseg.datasets.registry.load`.
    """
    from dgseg.datasets.registry import load

    try:
        return plan().cells(load(data, root=root).domains)
    except DatasetError:
        return ()  # tables of what is there can be written anywhere


def report_cells(statuses: Collection[str] | None, report: Callable[[], Path]) -> int:
    """Print the table of a benchmark, if any cell is there; returns the exit code.

    Parameters
    ----------
    statuses : collection of str or None
        How its cells ended, as in `dgseg.evaluation.benchmark.claims.CellResult`; None
        where nothing was to be run.
    report : callable
        Writes the table and returns its path.
    """
    if statuses is not None and not {"finished", "kept"} & set(statuses):
        return FAILED
    say(report().read_text(encoding="utf-8"))
    return SOME_FAILED if "failed" in (statuses or ()) else OK


def bar(total: float | None, what: str, unit: str = "scan") -> tqdm:
    """A progress bar on standard error, silent where that is no terminal."""
    return tqdm(
        total=total, desc=what, unit=unit, disable=None, dynamic_ncols=True, leave=False
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns aligned for a terminal: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


class StepBar:
    """A bar for training: made when the number of steps is known, with the loss beside it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: tqdm | None = None

    def report(self, step: int, total: int, losses: Mapping[str, float] | None = None) -> None:
        """Move to a step of so many."""
        if self._bar is None or self._bar.total != total:
            self.close()
            self._bar = bar(total, self._what, "step")
        self._bar.update(step - self._bar.n)
        if losses:
            self._bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()})

    def rename(self, what: str) -> None:
        """Begin another part of the work."""
        self.close()
        self._what = what

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> StepBar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
