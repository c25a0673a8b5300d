"""The scores of finished cells of adaptation, read from their files, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dgseg.adaptation.gate import judge_again
from dgseg.evaluation.adaptation.cells import FORMAT
from dgseg.evaluation.adaptation.plan import CEILING, CHOICES, EVEN, FLOOR, AdaptationCell
from dgseg.evaluation.benchmark.filing import Filed, places, read_finished

# The order of a table: the simple choices first.
_ORDER = (
    FLOOR,
    "tent",
    "finetune",
    "mean-teacher",
    "two-teachers",
    "meta-disentangle",
    CEILING,
)


@dataclass(frozen=True)
class Line:
    """One line of the tables: a row at a number of corrected slices.

    Attributes
    ----------
    label : str
    k : int or None
    choice : str
        As in `dgseg.evaluation.adaptation.plan.AdaptationCell`.
    """

    label: str
    k: int | None
    choice: str = EVEN

    @property
    def text(self) -> str:
        """Its name for people."""
        if self.label in (FLOOR, CEILING):
            return self.label
        text = f"{self.label}, k = {self.k}"
        return text if self.choice == EVEN else f"{text}, {self.choice}"


@dataclass(frozen=True, eq=False)
class AdaptedScores:
    """What one finished cell has written down.

    Attributes
    ----------
    cell : AdaptationCell
    schema : tuple of str
        Short names of the structures.
    spacing_known : bool
        Whether distances are millimetres; else pixels.
    divided_by : str
        ``"people"`` or ``"slices"``.
    n_corrected : int
        Slices whose labels were there.
    scans : tuple of mapping
        One for each scan of the test half, as in
        `dgseg.evaluation.benchmark.results.CellScores`.
    gate : mapping or None
        The verdict by the present rules, on what the gate saw then; None where nothing was
        adapted, or nothing was left to judge by.
    steps : int
    seconds : float
        Of the training.
    """

    cell: AdaptationCell
    schema: tuple[str, ...]
    spacing_known: bool
    divided_by: str
    n_corrected: int
    scans: tuple[Mapping[str, Any], ...]
    gate: Mapping[str, Any] | None
    steps: int
    seconds: float

    @property
    def data(self) -> str:
        """Of the cell."""
        return self.cell.data

    @property
    def target(self) -> str:
        """Of the cell."""
        return self.cell.target

    @property
    def seed(self) -> int:
        """Of the cell."""
        return self.cell.seed

    @property
    def row(self) -> Line:
        """Where it stands in the tables."""
        return line_of(self.cell)


@dataclass(frozen=True, eq=False)
class AdaptationGroup(Filed[Line, AdaptedScores]):
    """All cells of one data set and one kind of bundle.

    Attributes
    ----------
    base : str
        The kind of bundle.
    """

    base: str

    @property
    def all_cells(self) -> list[AdaptedScores]:
        """All finished cells, line by line."""
        return [cell for line in self.rows for found in self.by_target(line) for cell in found]


def line_of(cell: AdaptationCell) -> Line:
    """The line of the tables that a cell stands in."""
    return Line(cell.label, cell.k, cell.choice)


def read_cells(out: Path) -> tuple[AdaptedScores, ...]:
    """All finished cells of a benchmark of adaptation; see `read_finished`."""
    return read_finished(out, _taken, FORMAT, "runs that cell anew")


def group_cells(
    cells: Sequence[AdaptedScores], planned: Sequence[AdaptationCell] = ()
) -> tuple[AdaptationGroup, ...]:
    """Cells by data set and kind of bundle, in that order.

    Parameters
    ----------
    cells : sequence of AdaptedScores
        Finished; at least one.
    planned : sequence of AdaptationCell, optional
        All that are to be. Where a group has none of these, every line is expected at
        every target with every seed that any cell of the group has.
    """
    pairs = sorted({(each.cell.data, each.cell.base) for each in cells})
    return tuple(_group(*pair, cells, planned) for pair in pairs)


def _group(
    data: str,
    base: str,
    cells: Sequence[AdaptedScores],
    planned: Sequence[AdaptationCell],
) -> AdaptationGroup:
    there = [each for each in cells if (each.cell.data, each.cell.base) == (data, base)]
    plan = [cell for cell in planned if (cell.data, cell.base) == (data, base)]
    known = [*(each.cell for each in there), *plan]
    return AdaptationGroup(
        data=data,
        base=base,
        **places(
            there,
            [(line_of(cell), cell.target, cell.seed) for cell in plan],
            set(map(line_of, known)),
            {cell.target for cell in known},
            _place,
        ),
    )


def _place(line: Line) -> tuple[int, str, int, int]:
    # A row that is not known here stands beside the method that its name begins with.
    known = [i for i, name in enumerate(_ORDER) if line.label.startswith(name)]
    return (
        max(known, default=len(_ORDER) - 2),
        line.label,
        line.k or 0,
        CHOICES.index(line.choice),
    )


def _taken(content: dict[str, Any]) -> AdaptedScores:
    gate = content["gate"]
    return AdaptedScores(
        cell=AdaptationCell(**content["cell"]),
        schema=tuple(content["schema"]),
        spacing_known=bool(content["spacing_known"]),
        divided_by=str(content["divided_by"]),
        n_corrected=sum(map(len, content["corrected"].values())),
        scans=tuple(content["subjects"]),
        gate=None if gate is None else asdict(judge_again(gate["numbers"])),
        steps=int(content["steps"]),
        seconds=float(content["seconds"]),
    )
