"""The scores of finished cells at each centre, read from their files, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgseg.evaluation.benchmark.filing import Filed, places, read_finished
from dgseg.evaluation.centres.cells import FORMAT
from dgseg.evaluation.centres.plan import BASELINE, EMA, CentresCell, Kind, Row

_KINDS: tuple[Kind, ...] = (BASELINE, EMA, "ce", "dice", "mse", "tversky")
"""The order of a table."""


@dataclass(frozen=True, eq=False)
class CentreScores:
    """What one finished cell has written down of one centre.

    Attributes
    ----------
    cell : CentresCell
    target : str
        The centre that was scored.
    divided_by : str
        ``"people"`` or ``"slices"``.
    schema : tuple of str
        Short names of the structures.
    spacing_known : bool
        Whether distances are millimetres; else pixels.
    scans : tuple of mapping
        One for each scan of the scored half, as in
        `dgseg.evaluation.benchmark.results.CellScores`.
    selection : mapping or None
        ``step`` and ``score`` of the weights that were taken.
    steps : int
    seconds : float
        Of the training.
    """

    cell: CentresCell
    target: str
    divided_by: str
    schema: tuple[str, ...]
    spacing_known: bool
    scans: tuple[Mapping[str, Any], ...]
    selection: Mapping[str, Any] | None
    steps: int
    seconds: float

    @property
    def data(self) -> str:
        """Name of the data set."""
        return self.cell.data

    @property
    def row(self) -> Row:
        """The line of the tables that it stands in."""
        return self.cell.row

    @property
    def seed(self) -> int:
        """Of the cell."""
        return self.cell.seed


@dataclass(frozen=True, eq=False)
class CentresGroup(Filed[Row, CentreScores]):
    """All cells of one data set with the same sources.

    Its targets are all centres that were scored.

    Attributes
    ----------
    sources : tuple of str
    schema : tuple of str
    spacing_known : bool
    """

    sources: tuple[str, ...]
    schema: tuple[str, ...]
    spacing_known: bool

    @property
    def adapted(self) -> tuple[str, ...]:
        """Centres that any line adapts to."""
        return tuple(sorted({row.adapted for row in self.rows if row.adapted}))

    @property
    def missing_cells(self) -> tuple[tuple[Row, int], ...]:
        """Line and seed of the cells that are not finished; one scores all centres."""
        return tuple(dict.fromkeys((row, seed) for row, _, seed in self.missing))

    @property
    def unseen(self) -> tuple[str, ...]:
        """Centres that are no source."""
        return tuple(name for name in self.targets if name not in self.sources)


def read_cells(out: Path) -> tuple[CentreScores, ...]:
    """All finished cells of a comparison of centres, one for each centre; see `read_finished`."""
    found = read_finished(out, _taken, FORMAT, "trains and scores that cell anew")
    return tuple(each for cell in found for each in cell)


def group_cells(
    cells: Sequence[CentreScores], planned: Sequence[CentresCell] = ()
) -> tuple[CentresGroup, ...]:
    """Cells by data set and sources, in that order.

    Parameters
    ----------
    cells : sequence of CentreScores
        Finished; at least one.
    planned : sequence of CentresCell, optional
        All that are to be.
    """
    keys = sorted({(each.data, each.cell.sources) for each in cells})
    return tuple(_group(*key, cells, planned) for key in keys)


def _group(
    data: str,
    sources: tuple[str, ...],
    cells: Sequence[CentreScores],
    planned: Sequence[CentresCell],
) -> CentresGroup:
    there = [each for each in cells if (each.data, each.cell.sources) == (data, sources)]
    plan = [cell for cell in planned if (cell.data, cell.sources) == (data, sources)]
    targets = {each.target for each in there}
    return CentresGroup(
        data=data,
        sources=sources,
        schema=there[0].schema,
        spacing_known=all(each.spacing_known for each in there),
        **places(
            there,
            [(cell.row, target, cell.seed) for cell in plan for target in targets],
            {*(cell.row for cell in plan), *(each.row for each in there)},
            targets,
            _place,
        ),
    )


def _place(row: Row) -> tuple[int, str, float]:
    return _KINDS.index(row.kind), row.adapted, row.weight


def _taken(content: dict[str, Any]) -> list[CentreScores]:
    cell = CentresCell.from_json(content["cell"])
    scans: dict[str, list[Mapping[str, Any]]] = {}
    for scan in content["subjects"]:
        scans.setdefault(scan["centre"], []).append(scan)
    return [
        CentreScores(
            cell=cell,
            target=centre,
            divided_by=str(content["divided_by"][centre]),
            schema=tuple(content["schema"]),
            spacing_known=bool(content["spacing_known"]),
            scans=tuple(found),
            selection=content["selection"],
            steps=int(content["steps"]),
            seconds=float(content["seconds"]),
        )
        for centre, found in scans.items()
    ]
