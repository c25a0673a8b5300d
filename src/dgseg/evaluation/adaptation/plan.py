"""What a benchmark of adaptation compares."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dgseg.adaptation.config import AdaptConfig
from dgseg.bundles.bundle import BundleInfo
from dgseg.errors import DatasetError, MethodError, TrainingError
from dgseg.evaluation.benchmark.plan import BenchmarkPlan, Cell
from dgseg.evaluation.benchmark.splits import file_name
from dgseg.methods import registry

FLOOR = "bundle"
"""Label of the row that adapts nothing."""

CEILING = "all labels"
"""Label of the row that learns from all labels of the adaptation half."""

EVEN = "even"
"""The usual choice of slices: over people, over their scans, and over the height."""

CHOICES = (EVEN, "random", "suggested")
"""How slices can be chosen."""

FURTHER = "further"
"""The usual gate: by corrected slices that nothing learns from."""

CROSSED = "crossed"
"""The gate of a site with few corrections: by trainings without some of them."""

GATES = (FURTHER, CROSSED)
"""What a gate can judge by."""


@dataclass(frozen=True)
class AdaptationRow:
    """A method as a row of the tables.

    Attributes
    ----------
    label : str
        Name of the row.
    method : str
        A method or one of its presets.
    options : mapping
        Fields of the method's ``Config`` that differ.
    """

    label: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)


def adaptation_row(name: str) -> AdaptationRow:
    """A row by its name: ``method``, or ``method:option=value,option=value``.

    Raises
    ------
    MethodError
        If there is no such method, or an option has no value.
    """
    method, _, rest = name.partition(":")
    registry.method_name(method)
    options: dict[str, Any] = {}
    for part in rest.split(",") if rest else ():
        option, equals, value = part.partition("=")
        if not (option and equals and value):
            raise MethodError(
                f"The row {name!r} has the option {part!r} without a value.",
                remedy="Write a row as method:option=value,option=value.",
            )
        options[option] = _value(value)
    return AdaptationRow(name, method, options)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@dataclass(frozen=True)
class AdaptationCell:
    """One adaptation and its score.

    Attributes
    ----------
    data, target : str
        Names of the data set and of the domain that is adapted to.
    base : str
        Row of the benchmark that the bundle is from.
    label : str
        Of the row: a method with its options, `FLOOR` or `CEILING`.
    k : int or None
        Corrected slices; None for all of the adaptation half.
    seed : int
        Of the halves, of the training, and of a random choice of slices.
    choice : {'even', 'random', 'suggested'}
        How the corrected slices were chosen.
    """

    data: str
    target: str
    base: str
    label: str
    k: int | None
    seed: int
    choice: str = EVEN

    @property
    def name(self) -> str:
        """Name of its folder."""
        k = "all" if self.k is None else str(self.k)
        parts = [self.data, self.target, self.base, self.label, f"k{k}"]
        if self.choice != EVEN:
            parts.append(self.choice)
        return f"{file_name(*parts)}-seed{self.seed}"

    def as_json(self) -> dict[str, Any]:
        """Its fields; the usual choice goes without saying, as in older files."""
        fields = asdict(self)
        return {k: v for k, v in fields.items() if (k, v) != ("choice", EVEN)}


@dataclass(frozen=True)
class AdaptationPlan:
    """Everything that the cells have in common.

    Attributes
    ----------
    bundles : BenchmarkPlan
        One row, one fraction and one seed: the trainings of the bundles that are adapted,
        and the targets.
    rows : tuple of AdaptationRow
    config : AdaptConfig
        Shared by all adaptations; row and cell decide method, options and seed.
    ks : tuple of int
        Numbers of corrected slices.
    seeds : tuple of int
        Of the halves and of the trainings.
    choices : tuple of str
        Of `CHOICES`: how those slices are chosen. Where there are none to choose, the
        first of `CHOICES` stands for all.
    gate_slices : int
        Further corrected slices that nothing learns from, for the gate to judge by.
    gate : str
        Of `GATES`: by these, or by the corrected slices themselves, as a site with few of
        them does (see `dgseg.adaptation.crossing`).
    ceiling : AdaptationRow or None
        What learns from all labels of the adaptation half.
    ceiling_steps : int or None
        Of the ceiling, where they are not those of all others.

    Raises
    ------
    TrainingError
        If nothing is to be compared, or a number is out of its range.
    """

    bundles: BenchmarkPlan
    rows: tuple[AdaptationRow, ...]
    config: AdaptConfig
    ks: tuple[int, ...] = (0, 1, 3, 5)
    seeds: tuple[int, ...] = (0,)
    choices: tuple[str, ...] = (EVEN,)
    gate_slices: int = 3
    gate: str = FURTHER
    ceiling: AdaptationRow | None = None
    ceiling_steps: int | None = None

    def __post_init__(self) -> None:
        bundles = self.bundles
        wrong = {
            "bundles of one row, fraction and seed": not (
                len(bundles.rows) == len(bundles.fractions) == len(bundles.seeds) == 1
            ),
            "at least one number of slices and one seed": not (self.ks and self.seeds),
            "numbers of slices that are 0 or more": any(k < 0 for k in self.ks),
            f"slices that are chosen by {', '.join(CHOICES)}": not (
                self.choices and set(self.choices) <= set(CHOICES)
            ),
            "0 or more slices for the gate": self.gate_slices < 0,
            f"a gate of {', '.join(GATES)}": self.gate not in GATES,
        }
        for need, missed in wrong.items():
            if missed:
                raise TrainingError(
                    f"A benchmark of adaptation needs {need}.",
                    remedy="Correct the setting, or leave it out.",
                )

    @property
    def data(self) -> str:
        """Name of the data set."""
        return self.bundles.data

    @property
    def data_root(self) -> Path | None:
        """Where it lies; as in `dgseg.datasets.registry.load`."""
        return self.bundles.data_root

    def cells(self, domains: Sequence[str]) -> tuple[AdaptationCell, ...]:
        """All cells in their order: seed by seed, then row by row, then target by target.

        A method that can do nothing without labels has no cell at k = 0.

        Parameters
        ----------
        domains : sequence of str
            Of the data set: the targets, where none are chosen.

        Raises
        ------
        DatasetError
            If a target is none of them.
        MethodError
            If a method is unknown.
        """
        targets = [cell.target for cell in self.bundles.cells(domains)]
        base = self.bundles.rows[0].label
        cells = [
            AdaptationCell(self.data, target, base, label, k, seed, choice)
            for seed in self.seeds
            for label, k, choice in self._lines()
            for target in targets
        ]
        return tuple(dict.fromkeys(cells))

    def _lines(self) -> list[tuple[str, int | None, str]]:
        lines: list[tuple[str, int | None, str]] = [(FLOOR, 0, EVEN)]
        for each in self.rows:
            needy = getattr(registry.resolve(each.method)[0], "needs_labels", True)
            ks = [k for k in sorted(set(self.ks)) if k or not needy]
            lines += [
                (each.label, k, choice)
                for k in ks
                for choice in (self.choices if k else (EVEN,))
            ]
        return lines if self.ceiling is None else [*lines, (CEILING, None, EVEN)]

    def bundle_cell(self, cell: AdaptationCell) -> Cell:
        """The training that a cell's bundle is from."""
        (row,) = self.bundles.rows
        (fraction,), (seed,) = self.bundles.fractions, self.bundles.seeds
        return Cell(self.data, cell.target, fraction, row.method, row.variant, seed)

    def row_of(self, cell: AdaptationCell) -> AdaptationRow | None:
        """The method of a cell; None for the bundle as it is.

        Raises
        ------
        KeyError
            If the cell is of another plan.
        """
        if cell.label == FLOOR:
            return None
        if cell.label == CEILING and self.ceiling is not None:
            return self.ceiling
        for each in self.rows:
            if each.label == cell.label:
                return each
        raise KeyError(cell)

    def config_of(self, cell: AdaptationCell) -> AdaptConfig | None:
        """The adaptation of a cell; None for the bundle as it is.

        Parameters
        ----------
        cell : AdaptationCell

        Raises
        ------
        MethodError
            If the method does not take one of its options.
        """
        row = self.row_of(cell)
        if row is None:
            return None
        changes: dict[str, Any] = {}
        if cell.label == CEILING and self.ceiling_steps is not None:
            changes["steps"] = self.ceiling_steps
        return replace(
            self.config,
            method=row.method,
            options=dict(row.options),
            seed=cell.seed,
            holdout_every=0,  # what the gate judges by is chosen by `gate_slices`
            **changes,
        )


def check_unseen(target: str, info: BundleInfo) -> None:
    """Refuse a bundle that has learnt from the target.

    Raises
    ------
    DatasetError
        If it has.
    """
    if target in info.domains:
        raise DatasetError(
            f"The bundle that is to be adapted to {target} has learnt from it already.",
            remedy="Name the folder of a benchmark that held this domain out.",
        )


def as_settings(config: AdaptConfig | None) -> dict[str, Any] | None:
    """All of an adaptation that its result depends on.

    How the work is spread over a machine changes no result worth the name, and a cell is
    of one method.
    """
    if config is None:
        return None
    left_out = {"threads", "rivals"}
    return {key: value for key, value in asdict(config).items() if key not in left_out}
