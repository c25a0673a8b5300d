"""The scores of finished cells, read from their files, by table, row and target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dgseg.evaluation.benchmark.filing import Filed, places, read_finished

if TYPE_CHECKING:
    from dgseg.evaluation.benchmark.plan import Cell

FORMAT = 1

MEASURES = ("dice", "dice_2d", "hd95", "assd", "iou", "precision", "recall", "specificity")

# The order of a table: plain learning first, the models that the project is about last.
_ORDER = (
    "deepall",
    "mean-teacher",
    "mldg",
    "lddg",
    "sdnet",
    "sdnet-plus",
    "dgnet-official",
    "dgnet-paper",
    "dgnet-plus",
)


@dataclass(frozen=True)
class TableRow:
    """One line of the tables: a method in one variant.

    Attributes
    ----------
    method, variant : str
    label : str
        Its name for people.
    """

    method: str
    variant: str
    label: str


@dataclass(frozen=True, eq=False)
class CellScores:
    """What one finished cell has written down.

    Attributes
    ----------
    data, target : str
    fraction : float
        Share of the people whose labels were used.
    row : TableRow
    seed : int
    schema : tuple of str
        Short names of the structures.
    spacing_known : bool
        Whether distances are millimetres; else pixels.
    scans : tuple of mapping
        One for each scan of the target: ``subject``, ``scan_id``, ``n_slices``, and
        for each of `MEASURES` the value by structure (``dice_2d`` by structure and
        ``pooled``).
    selection : mapping or None
        ``step`` and ``score`` of the weights that were taken.
    steps, images_seen : int
    seconds : float
        Of the training.
    distance_correlation : mapping or None
        ``style``, ``domain`` and ``both``, where the method has them.
    """

    data: str
    target: str
    fraction: float
    row: TableRow
    seed: int
    schema: tuple[str, ...]
    spacing_known: bool
    scans: tuple[Mapping[str, Any], ...]
    selection: Mapping[str, Any] | None
    steps: int
    seconds: float
    images_seen: int
    distance_correlation: Mapping[str, float] | None


@dataclass(frozen=True, eq=False)
class Group(Filed[TableRow, CellScores]):
    """All cells of one data set at one fraction of labels: one table.

    Its targets are all that any cell of the data set has.

    Attributes
    ----------
    fraction : float
    schema : tuple of str
    spacing_known : bool
    """

    fraction: float
    schema: tuple[str, ...]
    spacing_known: bool


def read_cells(out: Path) -> tuple[CellScores, ...]:
    """All finished cells of a benchmark; see `read_finished`."""
    return read_finished(out, _taken, FORMAT, "scores that cell anew")


def group_cells(cells: Sequence[CellScores], planned: Sequence[Cell] = ()) -> tuple[Group, ...]:
    """Cells by data set and fraction of labels, in that order.

    Parameters
    ----------
    cells : sequence of CellScores
        Finished; at least one.
    planned : sequence of Cell, optional
        All that are to be. Where a group has none of these, every row is expected at
        every target of its data set with every seed that any row of the group has.
    """
    return tuple(
        _group(data, fraction, cells, planned)
        for data, fraction in sorted({(cell.data, cell.fraction) for cell in cells})
    )


def _group(
    data: str, fraction: float, cells: Sequence[CellScores], planned: Sequence[Cell]
) -> Group:
    of_data = [cell for cell in cells if cell.data == data]
    there = [cell for cell in of_data if cell.fraction == fraction]
    plan = [cell for cell in planned if (cell.data, cell.fraction) == (data, fraction)]
    named = {(cell.row.method, cell.row.variant): cell.row for cell in of_data}
    planned_rows = [named.get((cell.method, cell.variant)) or _unnamed(cell) for cell in plan]
    return Group(
        data=data,
        fraction=fraction,
        schema=there[0].schema,
        spacing_known=all(cell.spacing_known for cell in there),
        **places(
            there,
            [
                (row, cell.target, cell.seed)
                for row, cell in zip(planned_rows, plan, strict=True)
            ],
            {*planned_rows, *(cell.row for cell in there)},
            {*(cell.target for cell in of_data), *(cell.target for cell in plan)},
            _place,
        ),
    )


def _unnamed(cell: Cell) -> TableRow:
    """The row of a cell that is planned, before any of its row is finished."""
    label = "/".join(part for part in (cell.method, cell.variant) if part)
    return TableRow(cell.method, cell.variant, label)


def _place(row: TableRow) -> tuple[int, str, str, str]:
    # Methods that are not known here stand before those that the project is about.
    place = _ORDER.index(row.method) if row.method in _ORDER else _ORDER.index("sdnet-plus")
    return place, row.method, row.variant, row.label


def _taken(content: dict[str, Any]) -> CellScores:
    cell = content["cell"]
    return CellScores(
        data=cell["data"],
        target=cell["target"],
        fraction=float(cell["fraction"]),
        row=TableRow(cell["method"], cell["variant"], content["label"]),
        seed=int(cell["seed"]),
        schema=tuple(content["schema"]),
        spacing_known=bool(content["spacing_known"]),
        scans=tuple(content["subjects"]),
        selection=content["selection"],
        steps=int(content["steps"]),
        seconds=float(content["seconds"]),
        images_seen=int(content["images_seen"]),
        distance_correlation=content["distance_correlation"],
    )
