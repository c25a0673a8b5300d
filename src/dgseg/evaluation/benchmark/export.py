"""A benchmark's scores as files for programs."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dgseg.evaluation.benchmark.results import MEASURES, CellScores, Group, TableRow
from dgseg.evaluation.benchmark.summaries import (
    Summary,
    average,
    difference,
    reference_rows,
    summarise,
)
from dgseg.files import atomic_write, write_json

_FORMAT = 1

_MeasuredT = TypeVar("_MeasuredT", bound="Measured")


class Measured(Protocol):
    """A finished cell of any benchmark, as far as its scans go."""

    @property
    def data(self) -> str:
        """Name of the data set."""
        ...

    @property
    def target(self) -> str:
        """The domain that was scored."""
        ...

    @property
    def schema(self) -> tuple[str, ...]:
        """Short names of the structures."""
        ...

    @property
    def spacing_known(self) -> bool:
        """Whether distances are millimetres; else pixels."""
        ...

    @property
    def scans(self) -> tuple[Mapping[str, Any], ...]:
        """As in `CellScores`."""
        ...


def write_csv(path: Path, cells: Sequence[CellScores]) -> None:
    """All scores as they were measured; see `write_lines`."""
    head = ["data", "target", "fraction", "method", "variant", "label", "seed"]

    def first(cell: CellScores) -> list[Any]:
        row = cell.row
        place = [cell.data, cell.target, cell.fraction]
        return [*place, row.method, row.variant, row.label, cell.seed]

    write_lines(path, cells, head, first)


def write_lines(
    path: Path,
    cells: Sequence[_MeasuredT],
    head: Sequence[str],
    first: Callable[[_MeasuredT], list[Any]],
) -> None:
    """A line for each scan and structure of the cells of any benchmark.

    People go by a hash of their target and subject, the same in all cells.

    Parameters
    ----------
    path : Path
        A CSV file.
    cells : sequence of Measured
    head : sequence of str
        Names of what `first` makes of a cell; its lines begin with that.
    first : callable
    """
    scores_head = ["person", "scan_id", "n_slices", "structure", *MEASURES]
    with atomic_write(path, "w") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow([*head, *scores_head, "dice_2d_pooled", "distance_unit"])
        for cell in cells:
            unit = "mm" if cell.spacing_known else "px"
            for scan in cell.scans:
                person = person_hash(cell.data, cell.target, scan["subject"])
                place = [*first(cell), person, scan["scan_id"], scan["n_slices"]]
                for name in cell.schema:
                    scores = [scan[measure][name] for measure in MEASURES]
                    pooled = scan["dice_2d"]["pooled"]
                    lines.writerow([*place, name, *scores, pooled, unit])


def write_summaries(path: Path, groups: Sequence[Group]) -> None:
    """Means, spreads, paired differences and what is missing, as JSON."""
    write_json(path, {"format": _FORMAT, "groups": [_as_json(group) for group in groups]})


def person_hash(*parts: str) -> str:
    """What a person goes by in a file that leaves the machine."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:12]


def _as_json(group: Group) -> dict[str, Any]:
    references = reference_rows(group)
    pairs = [(row, other) for row in group.rows for other in references if row != other]
    differences = [(row, other, difference(group, row, other)) for row, other in pairs]
    return {
        "data": group.data,
        "fraction": group.fraction,
        "schema": group.schema,
        "distance_unit": "mm" if group.spacing_known else "px",
        "targets": group.targets,
        "rows": [_row_as_json(group, row) for row in group.rows],
        "differences": [
            {"measure": "dice", "of": row.label, "less": other.label, **asdict(found)}
            for row, other, found in differences
            if found is not None
        ],
        "missing": [
            {"label": row.label, "target": target, "seed": seed}
            for row, target, seed in group.missing
        ],
    }


def _row_as_json(group: Group, row: TableRow) -> dict[str, Any]:
    def all_measures(
        summary: Callable[[str, str | None], Summary | None],
    ) -> dict[str, Any] | None:
        found: dict[str, Any] = {}
        for measure in MEASURES:
            whole = summary(measure, None)
            if whole is None:
                return None
            parts = {name: summary(measure, name) for name in group.schema}
            found[measure] = asdict(whole) | {
                "structures": {name: asdict(part) for name, part in parts.items() if part}
            }
        return found

    cells = group.by_target(row)
    return {
        **asdict(row),
        "targets": {
            target: all_measures(lambda m, s, found=found: summarise(found, m, s))  # type: ignore[misc]
            for target, found in zip(group.targets, cells, strict=True)
        },
        "average": all_measures(lambda m, s: average(cells, m, s)),
    }
