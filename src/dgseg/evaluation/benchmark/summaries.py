"""Means, spreads and differences of the scores of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Protocol

import numpy as np

from dgseg.evaluation.benchmark.bootstrap import Difference, paired_difference
from dgseg.evaluation.benchmark.results import Group, TableRow

REFERENCES = ("deepall", "sdnet-plus")
"""Methods to which all others are compared, in the variant that has no name."""


class Scored(Protocol):
    """A finished cell of any benchmark."""

    @property
    def seed(self) -> int:
        """As in `dgseg.evaluation.benchmark.results.CellScores`."""
        ...

    @property
    def scans(self) -> tuple[Mapping[str, Any], ...]:
        """As in `dgseg.evaluation.benchmark.results.CellScores`."""
        ...


class Lines(Protocol):
    """The cells of any table: a line of it at a target has one for each seed."""

    @property
    def targets(self) -> tuple[str, ...]:
        """All of them."""
        ...

    def of(self, row: Any, target: str) -> Sequence[Scored]:
        """The finished cells of a line at a target."""
        ...


@dataclass(frozen=True)
class Summary:
    """Mean and spread of one measure.

    Attributes
    ----------
    mean : float
    sd : float or None
        Over people; None for one person.
    sd_seeds : float or None
        Of the means of several seeds; None for one.
    n_subjects : int
    seeds : tuple of int
    """

    mean: float
    sd: float | None
    sd_seeds: float | None
    n_subjects: int
    seeds: tuple[int, ...]


def subject_values(
    cells: Sequence[Scored], measure: str, structure: str | None = None
) -> dict[str, float]:
    """One number for each person of a target.

    The mean over the structures of a scan, over the scans of a person, and over the
    seeds, in this order.

    Parameters
    ----------
    cells : sequence of Scored
        Of one row and target, one for each seed.
    measure : str
        One of `MEASURES`; ``"dice_2d"`` is the pooled one.
    structure : str, optional
        This one alone, not the mean over all.
    """
    gathered: dict[str, list[float]] = {}
    for cell in cells:
        scans: dict[str, list[float]] = {}
        for scan in cell.scans:
            value = _value(scan[measure], measure, structure)
            scans.setdefault(scan["subject"], []).append(value)
        for subject, values in scans.items():
            gathered.setdefault(subject, []).append(fmean(values))
    return {subject: fmean(values) for subject, values in gathered.items()}


def summarise(
    cells: Sequence[Scored], measure: str, structure: str | None = None
) -> Summary | None:
    """Mean over people of one row at one target; None where no cell is finished."""
    if not cells:
        return None
    people = list(subject_values(cells, measure, structure).values())
    seeds = [_mean_of([cell], measure, structure) for cell in cells]
    return Summary(
        mean=float(np.mean(people)),
        sd=_sd(people),
        sd_seeds=_sd(seeds),
        n_subjects=len(people),
        seeds=tuple(cell.seed for cell in cells),
    )


def average(
    per_target: Sequence[Sequence[Scored]], measure: str, structure: str | None = None
) -> Summary | None:
    """Mean over targets, which weigh the same however many people they have.

    The spread is that of a person of a target, both drawn at random: the mean of the
    variances within the targets, and the variance of their means.

    Parameters
    ----------
    per_target : sequence of sequence of Scored
        Of one row: for each target one cell for each seed.
    measure, structure
        As in `subject_values`.

    Returns
    -------
    Summary or None
        None where one target has no finished cell: means over other targets cannot
        be compared.
    """
    found = [summarise(cells, measure, structure) for cells in per_target]
    there = [summary for summary in found if summary is not None]
    if not there or len(there) < len(found):
        return None
    means = np.array([summary.mean for summary in there])
    within = [summary.sd**2 for summary in there if summary.sd is not None]
    whole = len(within) == len(there)
    shared = sorted(set.intersection(*(set(summary.seeds) for summary in there)))
    by_seed = [
        fmean(
            _mean_of([cell for cell in cells if cell.seed == seed], measure, structure)
            for cells in per_target
        )
        for seed in shared
    ]
    return Summary(
        mean=float(means.mean()),
        sd=float(np.sqrt(np.mean(within) + means.var())) if whole else None,
        sd_seeds=_sd(by_seed),
        n_subjects=sum(summary.n_subjects for summary in there),
        seeds=tuple(shared),
    )


def reference_rows(group: Group) -> list[TableRow]:
    """The rows of `REFERENCES` that a group has."""
    return [
        row
        for name in REFERENCES
        for row in group.rows
        if (row.method, row.variant) == (name, "")
    ]


def difference(group: Lines, row: Any, reference: Any) -> Difference | None:
    """How much higher the 3-D Dice (0 to 1) of a row is than that of another.

    For each target over the seeds that both rows have there, for with another seed
    other people are labelled; see
    `dgseg.evaluation.benchmark.bootstrap.paired_difference`.
    """
    first: dict[str, dict[str, float]] = {}
    second: dict[str, dict[str, float]] = {}
    for target in group.targets:
        ours, theirs = group.of(row, target), group.of(reference, target)
        shared = {cell.seed for cell in ours} & {cell.seed for cell in theirs}
        for found, cells in ((first, ours), (second, theirs)):
            chosen = [cell for cell in cells if cell.seed in shared]
            found[target] = subject_values(chosen, "dice")
    return paired_difference(first, second)


def _mean_of(cells: Sequence[Scored], measure: str, structure: str | None) -> float:
    return fmean(subject_values(cells, measure, structure).values())


def _value(scores: Mapping[str, float], measure: str, structure: str | None) -> float:
    if structure is not None:
        return scores[structure]
    if measure == "dice_2d":
        return scores["pooled"]
    return fmean(scores.values())


def _sd(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
