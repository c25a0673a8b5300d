"""What is compared where labelled source data lie beside unlabelled scans; without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from dgseg.errors import DatasetError, TrainingError
from dgseg.evaluation.benchmark.splits import file_name
from dgseg.methods import registry
from dgseg.methods.config import OptimiserConfig
from dgseg.training.config import TrainConfig

Experiment = Literal["centres", "consistency", "ema"]
"""Tables 1, 2 and 3 of Perone et al., NeuroImage 2019."""

Kind = Literal["baseline", "ema", "mse", "ce", "dice", "tversky"]
"""No running mean and nothing unlabelled; the mean alone; consistency with its answers."""

BASELINE: Kind = "baseline"
EMA: Kind = "ema"

PAPER_METHOD = "mean-teacher-paper"
PAPER_KIND: Kind = "mse"
PAPER_WEIGHT = 20.0

# The published decays, 0.99 and then 0.999, forget within about 1 % and 6 % of some
# 17,000 steps. Within some hundred, these do: with those the teacher would still be the
# mean of all that the student has ever been.
_DECAYS = MappingProxyType({"ema_decay": 0.9, "late_ema_decay": 0.98})

_SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cardiac": ("acdc", "mnms-siemens-c1"),  # Siemens scanners both; the others are not
        "spinal-gm": ("UCL", "NWU"),
    }
)


@dataclass(frozen=True)
class Row:
    """A training as a line of the tables.

    Attributes
    ----------
    kind : Kind
    weight : float
        Of the consistency; 0 where there is none.
    adapted : str
        The centre whose unlabelled scans are learnt from; empty for none.
    """

    kind: Kind
    weight: float = 0.0
    adapted: str = ""


@dataclass(frozen=True)
class CentresCell:
    """One training, and its scores at every centre.

    Attributes
    ----------
    data : str
        Name of the data set.
    sources : tuple of str
        Centres that are learnt from with labels.
    row : Row
    seed : int
        Of the halves and of the training.
    """

    data: str
    sources: tuple[str, ...]
    row: Row
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        row = self.row
        what = f"{row.kind}-{row.weight:g}" if row.adapted else row.kind
        parts = (self.data, "+".join(self.sources), what, row.adapted)
        return f"{file_name(*filter(None, parts))}-seed{self.seed}"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CentresCell:
        """The inverse of `dataclasses.asdict`, once it went through JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        row = Row(**content["row"])
        if row.kind not in get_args(Kind):
            raise ValueError(f"{row.kind!r} is no kind of training")
        sources = tuple(map(str, content["sources"]))
        return cls(str(content["data"]), sources, row, int(content["seed"]))


@dataclass(frozen=True)
class CentresPlan:
    """Everything that the cells have in common.

    Attributes
    ----------
    data : str
        Name of the data set.
    config : TrainConfig
        Shared by all trainings; row and cell decide method, options, batches and seed.
    sources : tuple of str
        Centres whose labels are learnt from; the data set's own choice if empty.
    adapt_to : tuple of str
        Centres to adapt to, one after the other; all that are no source if empty.
    experiments : tuple of Experiment
    kinds : tuple of Kind
        Consistency losses that are compared, at the first centre that is adapted to.
    weights : tuple of float
        Of each of them.
    seeds : tuple of int
    n_validation : int
        People of each source centre whose labels choose the checkpoint.
    images : int
        Labelled slices in a step, shared out among the sources, and as many unlabelled
        ones of the centre that is adapted to.
    ce_weight : float
        Of cross-entropy beside the Dice loss, which alone is the published loss.
    data_root : Path or None
        As in `dgseg.datasets.registry.load`.

    Raises
    ------
    TrainingError
        If nothing is to be compared, or a number is out of its range.
    """

    data: str
    config: TrainConfig
    sources: tuple[str, ...] = ()
    adapt_to: tuple[str, ...] = ()
    experiments: tuple[Experiment, ...] = ("centres", "consistency", "ema")
    kinds: tuple[Kind, ...] = ("mse", "ce", "dice", "tversky")
    weights: tuple[float, ...] = (5.0, 20.0)
    seeds: tuple[int, ...] = (0,)
    n_validation: int = 0
    images: int = 8
    ce_weight: float = 0.0
    data_root: Path | None = None

    def __post_init__(self) -> None:
        wrong = {
            "at least one experiment and one seed": not (self.experiments and self.seeds),
            "at least one consistency loss and weight": not (self.kinds and self.weights),
            "consistency losses with a teacher": bool({BASELINE, EMA} & set(self.kinds)),
            "weights above 0": any(weight <= 0 for weight in self.weights),
            "0 or more people for validation": self.n_validation < 0,
            "at least 1 image a step": self.images < 1,
            "a weight of cross-entropy of 0 or more": self.ce_weight < 0,
        }
        for need, missed in wrong.items():
            if missed:
                raise TrainingError(
                    f"A comparison of centres needs {need}.",
                    remedy="Correct the setting, or leave it out.",
                )

    def chosen(self, centres: Sequence[str]) -> CentresPlan:
        """The same with the sources and the centres to adapt to named.

        Parameters
        ----------
        centres : sequence of str
            Of the data set.

        Raises
        ------
        DatasetError
            If one is unknown or in both roles, or none is left to adapt to.
        TrainingError
            If the images of a step cannot be shared out evenly among the sources.
        """
        sources = self.sources or _SOURCES.get(self.data, tuple(centres[:2]))
        adapt_to = self.adapt_to or tuple(name for name in centres if name not in sources)
        unknown = [name for name in (*sources, *adapt_to) if name not in centres]
        if unknown:
            raise DatasetError(
                f"The data set {self.data} has no centre {', '.join(unknown)}.",
                remedy=f"Centres are: {', '.join(centres)}.",
            )
        both = [name for name in adapt_to if name in sources]
        if both or not adapt_to:
            raise DatasetError(
                f"{', '.join(both)} cannot be both a source and adapted to."
                if both
                else "All centres are sources: none is left to adapt to.",
                remedy="Name other sources.",
            )
        if self.images % len(sources):
            raise TrainingError(
                f"{self.images} images a step cannot be shared out evenly among "
                f"{len(sources)} sources.",
                remedy=f"Choose a multiple of {len(sources)}.",
            )
        return replace(self, sources=sources, adapt_to=adapt_to)

    def cells(self, centres: Sequence[str]) -> tuple[CentresCell, ...]:
        """All cells in their order: seed by seed, then experiment by experiment.

        Raises
        ------
        DatasetError, TrainingError
            See `chosen`.
        """
        plan = self.chosen(centres)
        cells = (
            CentresCell(plan.data, plan.sources, row, seed)
            for seed in plan.seeds
            for row in plan.rows()
        )
        return tuple(dict.fromkeys(cells))

    def rows(self) -> tuple[Row, ...]:
        """All lines of the tables, each once, where the centres have been `chosen`."""
        first = self.adapt_to[0]
        of = {
            "centres": [Row(PAPER_KIND, PAPER_WEIGHT, centre) for centre in self.adapt_to],
            "consistency": [
                Row(kind, weight, first) for kind in self.kinds for weight in self.weights
            ],
            "ema": [Row(EMA)],
        }
        found = [Row(BASELINE), *(row for name in self.experiments for row in of[name])]
        return tuple(dict.fromkeys(found))

    def config_of(self, cell: CentresCell) -> TrainConfig:
        """The training of a cell.

        Optimiser and schedules are those of Perone et al. in every row; the learning rate
        and the decays of the running mean are for a few hundred steps instead.

        Raises
        ------
        MethodError
            If a method or an option is not there.
        """
        row = cell.row
        options: dict[str, Any] = {**_DECAYS, "ce_weight": self.ce_weight}
        if row.adapted:
            options |= {"consistency": row.kind, "consistency_weight": row.weight}
        if row.kind == BASELINE:
            _, paper = registry.resolve(PAPER_METHOD)
            names = {field.name for field in fields(OptimiserConfig)} - _SHARED
            options = {name: getattr(paper, name) for name in sorted(names)}
            options |= {"ema_decay": 0.0, "ce_weight": self.ce_weight}
        return replace(
            self.config,
            method="deepall" if row.kind == BASELINE else PAPER_METHOD,
            options=options,
            batch_per_domain=self.images // len(cell.sources),
            unlabelled_per_domain=self.images if row.adapted else 0,
            domains_per_step=None,
            seed=cell.seed,
            validate_every=self.config.validate_every if self.n_validation else 0,
        )


_SHARED = {"learning_rate", "augment"}
"""What `TrainConfig` itself says of the optimiser, the same in every row."""
