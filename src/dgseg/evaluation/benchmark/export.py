"""A benchmark's scores as files for programs."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

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


def write_csv(path: Path, cells: Sequence[CellScores]) -> None:
    """All scores as they were measured: a line for each scan and structure.

    People go by a hash of their target and subject, the same in all cells.
    """
    head = ["data", "target", "fraction", "method", "variant", "label", "seed"]
    head += ["person", "scan_id", "n_slices", "structure", *MEASURES]
    head += ["dice_2d_pooled", "distance_unit"]
    with atomic_write(path, "w") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(head)
        for cell in cells:
            row = cell.row
            first = [cell.data, cell.target, cell.fraction, row.method, row.variant]
            first += [row.label, cell.seed]
            last = "mm" if cell.spacing_known else "px"
            for scan in cell.scans:
                person = person_hash(cell.data, cell.target, scan["subject"])
                place = [person, scan["scan_id"], scan["n_slices"]]
                for name in cell.schema:
                    scores = [scan[measure][name] for measure in MEASURES]
                    pooled = scan["dice_2d"]["pooled"]
                    lines.writerow([*first, *place, name, *scores, pooled, last])


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
