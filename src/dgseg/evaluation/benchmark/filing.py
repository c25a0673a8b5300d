"""The files of finished cells of any benchmark: read, and put in their places in a table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from dgseg.errors import TrainingError

_RowT = TypeVar("_RowT")
_ScoresT = TypeVar("_ScoresT")
_PlacedT = TypeVar("_PlacedT", bound="Placed")


class Placed(Protocol):
    """What a finished cell of any benchmark has written down."""

    @property
    def row(self) -> Any:
        """The line of the table that it stands in."""
        ...

    @property
    def target(self) -> str:
        """The domain that was scored."""
        ...

    @property
    def seed(self) -> int:
        """Of the cell."""
        ...


@dataclass(frozen=True, eq=False)
class Filed(Generic[_RowT, _ScoresT]):
    """Finished cells by row and target.

    Attributes
    ----------
    data : str
        Name of the data set.
    targets : tuple of str
    rows : tuple
        In the order of the table.
    cells : mapping of (row, str) to tuple
        By row and target: one cell for each seed, those that are finished.
    missing : tuple of (row, str, int)
        Row, target and seed that are not finished.
    """

    data: str
    targets: tuple[str, ...]
    rows: tuple[_RowT, ...]
    cells: Mapping[tuple[_RowT, str], tuple[_ScoresT, ...]]
    missing: tuple[tuple[_RowT, str, int], ...]

    def of(self, row: _RowT, target: str) -> tuple[_ScoresT, ...]:
        """The finished cells of a row at a target, one for each seed."""
        return self.cells.get((row, target), ())

    def by_target(self, row: _RowT) -> list[tuple[_ScoresT, ...]]:
        """The finished cells of a row at each target."""
        return [self.of(row, target) for target in self.targets]


def places(
    there: Collection[_PlacedT],
    planned: Iterable[tuple[_RowT, str, int]],
    rows: Collection[_RowT],
    targets: Collection[str],
    order: Callable[[_RowT], Any],
) -> dict[str, Any]:
    """All fields of `Filed` but the name of the data.

    Parameters
    ----------
    there : collection of Placed
        Finished cells.
    planned : iterable of (row, str, int)
        Row, target and seed of all that are to be. Where there are none, every row is
        expected at every target with every seed that any cell has.
    rows, targets : collection
        Of the table; with those of the cells.
    order : callable
        What rows are sorted by.
    """
    expected = set(planned) or set(
        itertools.product(rows, targets, {cell.seed for cell in there})
    )
    filed: dict[tuple[Any, str], list[_PlacedT]] = {}
    for cell in sorted(there, key=lambda cell: cell.seed):
        filed.setdefault((cell.row, cell.target), []).append(cell)
    left = expected - {(cell.row, cell.target, cell.seed) for cell in there}
    return {
        "targets": tuple(sorted(targets)),
        "rows": tuple(sorted(rows, key=order)),
        "cells": {key: tuple(found) for key, found in filed.items()},
        "missing": tuple(sorted(left, key=lambda each: (order(each[0]), *each[1:]))),
    }


def read_finished(
    out: Path, take: Callable[[dict[str, Any]], _ScoresT], version: int, again: str
) -> tuple[_ScoresT, ...]:
    """All finished cells of a benchmark.

    Parameters
    ----------
    out : Path
        Holds ``cells/*/scores.json``.
    take : callable
        Makes of a file's content what is returned for it.
    version : int
        Number of the format that it understands.
    again : str
        What the benchmark does for a cell without scores, for the remedy.

    Raises
    ------
    TrainingError
        If there is none, or one cannot be read.
    """
    cells = tuple(
        _read(path, take, version, again) for path in sorted(out.glob("cells/*/scores.json"))
    )
    if not cells:
        raise TrainingError(
            "No cell of the benchmark is finished here.",
            remedy="Run the benchmark, or name the folder that it writes to.",
            path=out,
        )
    return cells


def _read(
    path: Path, take: Callable[[dict[str, Any]], _ScoresT], version: int, again: str
) -> _ScoresT:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != version:
            raise ValueError(f"format {content['format']}")
        if not content["subjects"]:
            raise ValueError("no scan was scored")
        return take(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"The scores of a cell of the benchmark cannot be read: {error!r}.",
            remedy=f"Delete them and run the benchmark again; it {again}.",
            path=path,
        ) from error
