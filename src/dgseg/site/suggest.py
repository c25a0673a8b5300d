"""Which slice of a site is worth a person's time next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dgseg.site.pool import Pool
from dgseg.site.wording import reason_for

_HALF_WAY = 2.0
"""So many slices from a corrected one, a slice counts half as much as far from any."""

_AT_A_TIME = 256
"""Slices whose distances to all others are in memory together."""


@dataclass(frozen=True)
class Suggestion:
    """A slice to look at.

    Attributes
    ----------
    scan_id : str
        The scan.
    slice : int
        The slice's index from 0, as the viewer shows it.
    reason : str
        Why this one, as a sentence.
    score : float
        0 to 1, as `suggest_slice` orders by.
    structure : str
        The structure that the model is least certain of there; empty where there is none.
    distance : float or None
        To the nearest corrected slice in the space of features, where 1 is usual
        between two slices of the site; None where there is nothing to compare with.
    """

    scan_id: str
    slice: int
    reason: str
    score: float
    structure: str = ""
    distance: float | None = None


def suggest_slice(
    pool: Pool,
    done: Mapping[str, Collection[int]],
    names: Sequence[str],
    closed: Collection[str] = (),
) -> Suggestion | None:
    """The slice that is worth most to be corrected next.

    Its score is a product of two numbers. The first is the share of the site's doubt
    that it would bring near a correction: ``sum_j w_j max(0, r_j - d_ij) / sum_j w_j
    r_j`` over all slices j, where ``w`` is the doubt (see `dgseg.site.pool.pool_of`), ``d`` the distance
    in feature space, and ``r`` that to the nearest corrected slice; before the first
    correction, all are as far as can be from any. So it is the slice that k-medoids,
    weighted by doubt and greedy (facility location: Wei, Iyer and Bilmes, ICML 2015),
    chooses next: one that stands for many others. With a few corrections that matters
    more than being the least certain or the most unlike (Hacohen, Dekel and Weinshall,
    ICML 2022): those are slices like no other, at the ends of a structure, and a model
    that learns from three of them gets worse. The second number is ``g / (g + 2)``,
    where g is the number of slices to the nearest corrected one of the same scan: a
    neighbour of a corrected slice comes after one of another scan that is as good. Of
    slices with the same score the one with most doubt comes first.

    Parameters
    ----------
    pool : Pool
    done : mapping of str to collection of int
        Scan to the slices that a person has changed or confirmed; all of them count as
        corrected so far, those of scans that are not in the pool only by number.
    names : sequence of str
        Of the structures, in the order of their labels.
    closed : collection of str
        Scans of which nothing is to be suggested.

    Returns
    -------
    Suggestion or None
        None when no slice is left.
    """
    corrected = _corrected(pool, done)
    shut = np.array([scan_id in closed for scan_id in pool.scan_ids], dtype=bool)[pool.scan]
    left = np.flatnonzero(np.isfinite(pool.uncertainty) & ~corrected & ~shut)
    if not left.size:
        return None
    near = np.flatnonzero(corrected)
    score = _brought_near(pool, left, near, np.where(shut, 0.0, pool.doubt))
    distance = None
    if near.size:
        distance = _nearest(pool.features[left], pool.features[near])
        score = score * _apart(pool, left, near)
    # What differs by rounding alone is the same.
    at = int(np.lexsort((-left, pool.doubt[left], score.round(9)))[-1])
    best = int(left[at])
    n_done = sum(len(set(slices)) for slices in done.values())
    structure, reason = reason_for(pool, best, left, near, n_done, names)
    return Suggestion(
        scan_id=pool.scan_ids[pool.scan[best]],
        slice=int(pool.index[best]),
        reason=reason,
        score=float(score[at]),
        structure=structure,
        distance=None if distance is None else float(distance[at]),
    )


def least_certain(uncertainty: np.ndarray, done: Collection[int]) -> int | None:
    """Of one scan, the slice that the model is least certain of and nobody has looked at.

    Parameters
    ----------
    uncertainty : ndarray of float, shape (slices,)
        0 (certain) to 1; what is not a number is never chosen.
    done : collection of int
        Slices that a person has changed or confirmed.

    Returns
    -------
    int or None
        None when no slice is left.
    """
    values = np.array(uncertainty, dtype=np.float64)
    values[[index for index in done if 0 <= index < values.size]] = np.nan
    left = np.flatnonzero(np.isfinite(values))
    return int(left[np.argmax(values[left])]) if left.size else None


def _corrected(pool: Pool, done: Mapping[str, Collection[int]]) -> np.ndarray:
    found = np.zeros(len(pool.index), dtype=bool)
    for at, scan_id in enumerate(pool.scan_ids):
        if done.get(scan_id):
            found |= (pool.scan == at) & np.isin(pool.index, list(done[scan_id]))
    return found


def _brought_near(
    pool: Pool, left: np.ndarray, near: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Share of the weight (n,) that each of some slices would bring near a correction."""
    if near.size:
        reach = _nearest(pool.features, pool.features[near])
    else:
        # No two slices are farther apart than twice the farthest from the middle.
        middle = pool.features.mean(axis=0)
        farthest = np.linalg.norm(pool.features - middle, axis=1).max()
        reach = np.full(len(pool.features), 2 * farthest)
    whole = float(weight @ reach)
    if whole <= 0:
        return pool.doubt[left]  # nothing tells slices apart but doubt
    gains = [
        np.maximum(reach - _distances(pool.features[some], pool.features), 0) @ weight
        for some in np.split(left, range(_AT_A_TIME, left.size, _AT_A_TIME))
    ]
    return np.minimum(np.concatenate(gains) / whole, 1.0)


def _distances(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Distances (n, m) of n rows to m others."""
    squares = np.square(here).sum(1)[:, None] + np.square(there).sum(1) - 2 * here @ there.T
    found: np.ndarray = np.sqrt(np.maximum(squares, 0))
    # What differs by rounding alone is the same.
    return found.round(6)


def _nearest(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Distance (n,) of each row to the nearest of the other rows."""
    nearest: np.ndarray = _distances(here, there).min(axis=1)
    return nearest


def _apart(pool: Pool, left: np.ndarray, near: np.ndarray) -> np.ndarray:
    """How little is known of each slice's surroundings: 0 to 1 (n,)."""
    gaps = np.abs(pool.index[left][:, None] - pool.index[near]).astype(float)
    gaps[pool.scan[left][:, None] != pool.scan[near]] = np.inf
    gap = gaps.min(axis=1)
    return np.where(np.isinf(gap), 1.0, gap / (np.where(np.isinf(gap), 0, gap) + _HALF_WAY))
