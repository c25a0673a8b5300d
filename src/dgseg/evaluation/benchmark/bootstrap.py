"""How sure a difference between two methods is, given the people it was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000

ENOUGH = 6
"""People of a target; from fewer the bootstrap cannot learn how they differ."""

TOO_FEW_NOTE = (
    f"\nSome targets have fewer than {ENOUGH} people, too few for a bootstrap: the "
    "intervals are too narrow.\n"
)


@dataclass(frozen=True)
class Difference:
    """Mean of one method less that of another, on the same people.

    Attributes
    ----------
    mean : float
    low, high : float or None
        Interval around it; None where every target has a single person, of whom no
        spread can be learnt.
    n_subjects : int
    targets : tuple of str
        What it is the mean over.
    fewest : int
        People of the smallest target. A target of one is the same in every resample:
        then the interval is too narrow.
    """

    mean: float
    low: float | None
    high: float | None
    n_subjects: int
    targets: tuple[str, ...]
    fewest: int


def paired_difference(
    first: Mapping[str, Mapping[str, float]],
    second: Mapping[str, Mapping[str, float]],
    *,
    n_resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Difference | None:
    """Mean difference of two methods with its bootstrap interval over people.

    Only people whom both methods were scored on count, each as the difference of
    the two. Several seeds (choices of labelled people and of first weights) of a
    method are to be averaged for each person before: the interval is about
    other people of these targets, not about other seeds or other targets. People are
    drawn with replacement within each target, and the mean over targets weighs them
    the same however many people they have; percentile interval of Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Parameters
    ----------
    first, second : mapping of str to mapping of str to float
        By target, then by subject.
    n_resamples : int
    level : float
        Of confidence, 0 to 1.
    seed : int
        Of the resampling.

    Returns
    -------
    Difference or None
        None where they share nobody.
    """
    differences = {}
    for target in first:
        theirs = second.get(target, {})
        shared = [value - theirs[who] for who, value in first[target].items() if who in theirs]
        if shared:
            differences[target] = np.asarray(shared, dtype=np.float64)
    if not differences:
        return None
    sizes = [len(values) for values in differences.values()]
    low: float | None = None
    high: float | None = None
    if max(sizes) > 1:
        means = _resampled(list(differences.values()), n_resamples, seed)
        tail = 50 * (1 - level)
        low, high = (float(x) for x in np.percentile(means, (tail, 100 - tail)))
    return Difference(
        mean=float(np.mean([values.mean() for values in differences.values()])),
        low=low,
        high=high,
        n_subjects=sum(sizes),
        targets=tuple(differences),
        fewest=min(sizes),
    )


def _resampled(per_target: list[np.ndarray], n_resamples: int, seed: int) -> np.ndarray:
    """Means over targets, (n_resamples,), of people drawn within each target."""
    rng = np.random.default_rng(seed)
    total = np.zeros(n_resamples)
    for values in per_target:
        # How often each person is drawn says all that a mean needs.
        n = len(values)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)
        total += counts @ values / n
    return total / len(per_target)
