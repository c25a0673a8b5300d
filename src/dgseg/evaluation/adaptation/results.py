"""The scores of finished cells of adaptation, read from their files, line by line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgseg.errors import TrainingError
from dgseg.evaluation.adaptation.cells import FORMAT
from dgseg.evaluation.adaptation.plan import CEILING, FLOOR, AdaptationCell

# The order of a table: the simple choices first.
_ORDER = (FLOOR, "tent", "finetune", "mean-teacher", "meta-disentangle", CEILING)


@dataclass(frozen=True)
class Line:
    """One line of the tables: a row at a number of corrected slices.

    Attributes
    ----------
    label : str
    k : int or None
        As in `dgseg.evaluation.adaptation.plan.AdaptationCell`.
    """

    label: str
    k: int | None

    @property
    def text(self) -> str:
        """Its name for people."""
        alone = self.label in (FLOOR, CEILING)
        return self.label if alone else f"{self.label}, k = {self.k}"


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
        The verdict; None where nothing was adapted, or nothing was left to judge by.
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
    def seed(self) -> int:
        """Of the cell."""
        return self.cell.seed

    @property
    def line(self) -> Line:
        """Where it stands in the tables."""
        return Line(self.cell.label, self.cell.k)


@dataclass(frozen=True, eq=False)
class AdaptationGroup:
    """All cells of one data set and one kind of bundle.

    Attributes
    ----------
    data, base : str
    targets : tuple of str
    lines : tuple of Line
    cells : mapping of (Line, str) to tuple of AdaptedScores
        By line and target: one cell for each seed, those that are finished.
    missing : tuple of (Line, str, int)
        Line, target and seed that are not finished.
    """

    data: str
    base: str
    targets: tuple[str, ...]
    lines: tuple[Line, ...]
    cells: Mapping[tuple[Line, str], tuple[AdaptedScores, ...]]
    missing: tuple[tuple[Line, str, int], ...]

    def of(self, row: Line, target: str) -> tuple[AdaptedScores, ...]:
        """The finished cells of a line at a target, one for each seed."""
        return self.cells.get((row, target), ())

    def by_target(self, line: Line) -> list[tuple[AdaptedScores, ...]]:
        """The finished cells of a line at each target."""
        return [self.of(line, target) for target in self.targets]

    @property
    def all_cells(self) -> list[AdaptedScores]:
        """All finished cells, line by line."""
        return [cell for line in self.lines for found in self.by_target(line) for cell in found]


def read_cells(out: Path) -> tuple[AdaptedScores, ...]:
    """All finished cells of a benchmark of adaptation.

    Parameters
    ----------
    out : Path
        Holds ``cells/*/scores.json``.

    Raises
    ------
    TrainingError
        If there is none, or one cannot be read.
    """
    cells = tuple(_read(path) for path in sorted(out.glob("cells/*/scores.json")))
    if not cells:
        raise TrainingError(
            "No cell of the benchmark is finished here.",
            remedy="Run the benchmark, or name the folder that it writes to.",
            path=out,
        )
    return cells


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
    lines = sorted({Line(cell.label, cell.k) for cell in known}, key=_place)
    targets = sorted({cell.target for cell in known})
    expected = {(Line(cell.label, cell.k), cell.target, cell.seed) for cell in plan}
    if not expected:
        seeds = {cell.seed for cell in known}
        expected = set(itertools.product(lines, targets, seeds))
    filed: dict[tuple[Line, str], list[AdaptedScores]] = {}
    for each in sorted(there, key=lambda each: each.seed):
        filed.setdefault((each.line, each.cell.target), []).append(each)
    left = expected - {(each.line, each.cell.target, each.seed) for each in there}
    return AdaptationGroup(
        data,
        base,
        tuple(targets),
        tuple(lines),
        {key: tuple(found) for key, found in filed.items()},
        tuple(sorted(left, key=lambda each: (_place(each[0]), *each[1:]))),
    )


def _place(line: Line) -> tuple[int, str, int]:
    # A row that is not known here stands beside the method that its name begins with.
    known = [i for i, name in enumerate(_ORDER) if line.label.startswith(name)]
    return max(known, default=len(_ORDER) - 2), line.label, line.k or 0


def _read(path: Path) -> AdaptedScores:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        if not content["subjects"]:
            raise ValueError("no scan was scored")
        return AdaptedScores(
            cell=AdaptationCell(**content["cell"]),
            schema=tuple(content["schema"]),
            spacing_known=bool(content["spacing_known"]),
            divided_by=str(content["divided_by"]),
            n_corrected=sum(map(len, content["corrected"].values())),
            scans=tuple(content["subjects"]),
            gate=content["gate"],
            steps=int(content["steps"]),
            seconds=float(content["seconds"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"The scores of a cell of the benchmark cannot be read: {error!r}.",
            remedy="Delete them and run the benchmark again; it runs that cell anew.",
            path=path,
        ) from error
