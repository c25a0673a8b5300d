"""The scores of a comparison of centres as files for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dgseg.evaluation.benchmark.export import write_lines
from dgseg.evaluation.benchmark.results import MEASURES
from dgseg.evaluation.benchmark.summaries import summarise
from dgseg.evaluation.centres.plan import Row
from dgseg.evaluation.centres.results import CentreScores, CentresGroup
from dgseg.evaluation.centres.summaries import gain
from dgseg.files import write_json

_FORMAT = 1


def write_csv(path: Path, cells: Sequence[CentreScores]) -> None:
    """All scores as they were measured; see `dgseg.evaluation.benchmark.export.write_lines`."""
    head = ["data", "target", "divided_by", "sources", "kind", "weight", "adapted", "seed"]

    def first(each: CentreScores) -> list[Any]:
        sources, row = "+".join(each.cell.sources), each.row
        place = [each.data, each.target, each.divided_by, sources]
        return [*place, row.kind, row.weight, row.adapted, each.seed]

    write_lines(path, cells, head, first)


def write_summaries(path: Path, groups: Sequence[CentresGroup]) -> None:
    """Means, spreads, gains over the baseline and what is missing, as JSON."""
    write_json(path, {"format": _FORMAT, "groups": [_as_json(group) for group in groups]})


def _as_json(group: CentresGroup) -> dict[str, Any]:
    return {
        "data": group.data,
        "sources": group.sources,
        "centres": group.targets,
        "schema": group.schema,
        "distance_unit": "mm" if group.spacing_known else "px",
        "rows": [_row_as_json(group, row) for row in group.rows],
        "missing": [{**asdict(row), "seed": seed} for row, seed in group.missing_cells],
    }


def _row_as_json(group: CentresGroup, row: Row) -> dict[str, Any]:
    centres: dict[str, Any] = {}
    for centre in group.targets:
        found = {name: summarise(group.of(row, centre), name) for name in MEASURES}
        measured = {name: asdict(each) for name, each in found.items() if each is not None}
        gained = gain(group, row, [centre])
        centres[centre] = measured | {"gain": None if gained is None else asdict(gained)}
    cells = [each for found in group.by_target(row)[:1] for each in found]
    return {
        **asdict(row),
        "centres": centres,
        "steps": [each.steps for each in cells],
        "seconds": [each.seconds for each in cells],
    }
