"""What a benchmark compares, and what all of it shares; read without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from dgseg.errors import DatasetError, MethodError, TrainingError, first_problem
from dgseg.evaluation.benchmark.splits import file_name
from dgseg.methods import registry
from dgseg.training.config import TrainConfig

Size = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Row:
    """A method as a row of the tables.

    Attributes
    ----------
    label : str
        Name of the row.
    method : str
        A method or one of its presets, as in `TrainConfig`.
    variant : str
        What distinguishes the row from the method itself; empty where nothing does.
    options : mapping
        Fields of the method's ``Config`` that differ.
    augment : str or None
        Preset of the augmentation, where it is not that of all other rows.
    unlabelled : bool
        Whether a method that can learn from unlabelled slices is given any.
    """

    label: str
    method: str
    variant: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    augment: Literal["none", "weak", "strong"] | None = None
    unlabelled: bool = True


_BASE = {
    row.label: row
    for row in (
        Row("deepall-none", "deepall", "none", augment="none"),
        Row("deepall", "deepall"),
        Row("sdnet", "sdnet"),
        Row("sdnet-plus", "sdnet-plus"),
        Row("mldg", "mldg"),
        Row("lddg", "lddg"),
        Row("dgnet-paper", "dgnet-paper"),
        Row("dgnet-official", "dgnet-official"),
        Row("dgnet-plus", "dgnet-plus"),
    )
}

_WITHOUT: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "no-rank": {"rank_weight": 0.0},
        "no-classification": {"classification_weight": 0.0},
        "no-hsic": {"hsic_weight": 0.0},
        "first-order": {"order": 1},
        "no-unlabelled": {},
        "free-nats": {"kl_free": 4.0},
    }
)
"""Ablations: the options of a method that switch a part of it off, or change it."""

ROWS = tuple(_BASE)
"""Names of the rows that are known without their ablations."""

ABLATIONS = tuple(_WITHOUT)
"""What may follow the name of a row after a slash."""


def row(name: str) -> Row:
    """A row by its name: one of `ROWS` or a registered method, or ``row/ablation``.

    Raises
    ------
    MethodError
        If there is no such row or ablation.
    """
    base, _, ablation = name.partition("/")
    found = _BASE.get(base)
    if found is None and _is_method(base):
        found = Row(base, base)
    if found is None or ablation not in ("", *_WITHOUT) or name.endswith("/"):
        others = sorted(set(registry.names()) - set(ROWS))
        raise MethodError(
            f"There is no row {name!r} for the tables.",
            remedy=f"Choose among {', '.join((*ROWS, *others))}; each may be followed by "
            f"one of {', '.join('/' + each for each in ABLATIONS)}.",
        )
    if not ablation:
        return found
    return replace(
        found,
        label=name,
        variant="-".join(part for part in (found.variant, ablation) if part),
        options={**found.options, **_WITHOUT[ablation]},
        unlabelled=ablation != "no-unlabelled",
    )


def _is_method(name: str) -> bool:
    """Whether it can be a method or a preset of one; the methods are not imported."""
    try:
        registry.method_name(name)
    except MethodError:
        return False
    return True


@dataclass(frozen=True)
class BenchmarkPlan:
    """Everything that the cells of a benchmark have in common.

    Attributes
    ----------
    data : str
        Name of the data set.
    rows : tuple of Row
    targets : tuple of str
        Domains to hold out, one after the other; all of the data set if empty.
    fractions : tuple of float
        Shares of the people of each source domain who keep their labels.
    seeds : tuple of int
        Of the draw of people and of the training.
    n_validation : int
        People of each source domain whose labels choose the checkpoint.
    images_per_step : int
        Slices that one optimiser step sees, the same for every method: all of them
        labelled, but for a method that learns from unlabelled ones too.
    unlabelled_share : float
        Share of them that are unlabelled there; at least one of each domain.
    config : TrainConfig
        Shared by all trainings; `Row` and `Cell` decide its method, options, seed and
        batches.
    data_root : Path or None
        As in `dgseg.datasets.registry.load`.

    Raises
    ------
    TrainingError
        If nothing is to be compared, or a number is out of its range.
    """

    data: str
    rows: tuple[Row, ...]
    config: TrainConfig
    targets: tuple[str, ...] = ()
    fractions: tuple[float, ...] = (0.05,)
    seeds: tuple[int, ...] = (0,)
    n_validation: int = 2
    images_per_step: int = 12
    unlabelled_share: float = 0.25
    data_root: Path | None = None

    def __post_init__(self) -> None:
        wrong = {
            "at least one row, fraction and seed": not (
                self.rows and self.fractions and self.seeds
            ),
            "fractions above 0 and at most 1": any(
                not 0 < part <= 1 for part in self.fractions
            ),
            "0 or more people for validation": self.n_validation < 0,
            "at least 1 image a step": self.images_per_step < 1,
            "a share of unlabelled images between 0 and 1": not 0 < self.unlabelled_share < 1,
        }
        for need, missed in wrong.items():
            if missed:
                raise TrainingError(
                    f"A benchmark needs {need}.", remedy="Correct the setting, or leave it out."
                )

    def cells(self, domains: Sequence[str]) -> tuple[Cell, ...]:
        """All cells in the order of their training: seed by seed, row by row.

        Parameters
        ----------
        domains : sequence of str
            Of the data set: the targets, where none are chosen.

        Raises
        ------
        DatasetError
            If a target is none of them.
        """
        targets = self.targets or tuple(domains)
        unknown = [target for target in targets if target not in domains]
        if unknown:
            raise DatasetError(
                f"The data set {self.data} has no domain {', '.join(unknown)}.",
                remedy=f"Domains are: {', '.join(domains)}.",
            )
        cells = (
            Cell(self.data, target, fraction, row.method, row.variant, seed)
            for seed in self.seeds
            for fraction in self.fractions
            for row in self.rows
            for target in targets
        )
        return tuple(dict.fromkeys(cells))

    def row_of(self, cell: Cell) -> Row:
        """The row that a cell belongs to.

        Raises
        ------
        KeyError
            If the cell is of another plan.
        """
        for each in self.rows:
            if (each.method, each.variant) == (cell.method, cell.variant):
                return each
        raise KeyError(cell)


@dataclass(frozen=True)
class Cell:
    """One training and its score: a method, at a target, with a share of labels, once.

    Attributes
    ----------
    data, target : str
        Names of the data set and of the held-out domain.
    fraction : float
        Share of labelled people, 0 to 1.
    method, variant : str
        As in `Row`.
    seed : int
    """

    data: str
    target: str
    fraction: float
    method: str
    variant: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        method = "+".join(part for part in (self.method, self.variant) if part)
        parts = (self.data, self.target, f"{self.fraction:g}", method)
        return f"{file_name(*parts)}-seed{self.seed}"


_SHARED: Mapping[Size, Mapping[str, Any]] = MappingProxyType(
    {
        "cpu": {"size": "cpu", "width": 16, "depth": 4, "augment": "strong"},
        "gpu": {"size": "gpu", "width": 32, "depth": 5, "augment": "strong"},
    }
)
# The true pixel size of the hearts is unknown, so that their grid is that of the scans,
# or half as fine: 80 pixels then hold the heart and its surroundings.
_GRIDS: Mapping[tuple[str, Size], Mapping[str, Any]] = MappingProxyType(
    {
        ("heart", "cpu"): {"spacing_mm": None, "pixel_scale": 2.0, "patch_px": 80},
        ("heart", "gpu"): {"spacing_mm": None, "pixel_scale": 1.0, "patch_px": 192},
        ("cord", "cpu"): {"spacing_mm": 0.5, "patch_px": 128},
        ("cord", "gpu"): {"spacing_mm": 0.5, "patch_px": 224},
    }
)
_ANATOMY = MappingProxyType(
    {
        "cardiac": "heart",
        "synthetic-heart": "heart",
        "spinal-gm": "cord",
        "synthetic-cord": "cord",
    }
)
_VALIDATION = MappingProxyType({"cardiac": 2, "spinal-gm": 0})


def default_config(data: str, size: Size = "cpu", **changes: Any) -> TrainConfig:
    """Settings for a data set, the same for every method.

    Parameters
    ----------
    data : str
        Name of the data set.
    size : {'cpu', 'gpu'}
        Sized for a training of at most half an hour on two cores, or for a GPU.
    **changes
        Fields of `TrainConfig` that shall differ.

    Raises
    ------
    MethodError
        If one of them is out of its range.
    """
    grid = _GRIDS[_ANATOMY.get(data, "cord"), size]
    config = TrainConfig(**{**_SHARED[size], **grid, **changes})
    try:
        TypeAdapter(TrainConfig).validate_python(asdict(config))
    except ValidationError as error:
        raise MethodError(
            f"The training does not take this setting: {first_problem(error)}.",
            remedy="Correct the setting, or leave it out.",
        ) from error
    return config


def default_validation(data: str) -> int:
    """People of each source domain who choose the checkpoint, where nobody says how many.

    None at ``spinal-gm``, whose centres have one person each.
    """
    return _VALIDATION.get(data, 1)
