"""Which slice of a site is worth a person's time next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dgseg.site.traits import SliceTraits
from dgseg.site.wording import reason_for

_HALF_WAY = 2.0
"""So many slices from a corrected one, a slice counts half as much as far from any."""

_AT_A_TIME = 256
"""Slices whose distances to all others are in memory together."""


@dataclass(frozen=True, eq=False)
class ScanSlices:
    """What is known of the slices of one scan.

    Attributes
    ----------
    scan_id : str
    uncertainty : ndarray of float, shape (slices,)
        0 (certain) to 1; what is not a number is never suggested.
    traits : SliceTraits
    disagreement : ndarray of float, shape (slices,), or None
        Share of the structures in which the proposals of the present and the previous
        model differ; None where there are not both.
    """

    scan_id: str
    uncertainty: np.ndarray
    traits: SliceTraits
    disagreement: np.ndarray | None = None


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


@dataclass(frozen=True, eq=False)
class Pool:
    """All slices of a site, made ready for `suggest_slice`; see `pool_of`.

    Attributes
    ----------
    scan_ids : tuple of str
        The scans.
    scan, index : ndarray of int, shape (n,)
        Of each slice, the scan's place in `scan_ids` and its own in the scan.
    height : ndarray of float, shape (n,)
        Its place along the scan, 0 to 1.
    uncertainty, disagreement : ndarray of float, shape (n,)
        Not a number where not known.
    by_structure : ndarray of float, shape (n, structures)
        As in `SliceTraits`.
    doubt : ndarray of float, shape (n,)
        Rank by how much is uncertain, and by disagreement, 0 to 1.
    look, features : ndarray of float, shape (n, values)
        Two slices' squared distance is 1 on average in either; `look` is a part of
        `features`, scaled by itself.
    """

    scan_ids: tuple[str, ...]
    scan: np.ndarray
    index: np.ndarray
    height: np.ndarray
    uncertainty: np.ndarray
    disagreement: np.ndarray
    by_structure: np.ndarray
    doubt: np.ndarray
    look: np.ndarray
    features: np.ndarray


def pool_of(scans: Sequence[ScanSlices]) -> Pool:
    """Put the slices of several scans side by side.

    The doubt in a slice is the mean of its ranks by how much of it is uncertain and,
    where known, by disagreement: entropy and overlap have no common unit. How much is
    uncertain is the mean uncertainty near the borders times their length: the mean alone
    is highest where a structure ends, in slices of a few pixels that hardly count. A
    slice where nothing was found counts as if it held as little as any other. The
    features are the look, the shapes and the height, each as heavy as the others,
    whatever their number of values. Where the scans' looks are not of one kind, because
    an older version left some out, none is used.

    Parameters
    ----------
    scans : sequence of ScanSlices
        With traits of the same structures.
    """
    counts = [len(scan.uncertainty) for scan in scans]
    index = _joined([np.arange(n) for n in counts]).astype(int)
    height = _joined([(np.arange(n) + 0.5) / n for n in counts])
    uncertainty = _joined([scan.uncertainty for scan in scans])
    differ = _joined(
        [
            np.full(n, np.nan) if scan.disagreement is None else scan.disagreement
            for scan, n in zip(scans, counts, strict=True)
        ]
    )
    size = _joined([scan.traits.size for scan in scans])
    least = size[size > 0].min(initial=np.inf)
    amount = uncertainty * np.where(size > 0, size, least if np.isfinite(least) else 1.0)
    ranks = np.stack([_ranks(amount), _ranks(differ)])
    known = np.isfinite(ranks)
    doubt = np.where(known, ranks, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    one_kind = len({scan.traits.look.shape[1] for scan in scans}) == 1
    look = _scaled(
        _stacked([scan.traits.look for scan in scans] if one_kind else []), len(index)
    )
    shape = _scaled(_stacked([scan.traits.shape for scan in scans]), len(index))
    blocks = [
        block for block in (look, shape, _scaled(height[:, None], len(index))) if block.size
    ]
    return Pool(
        scan_ids=tuple(scan.scan_id for scan in scans),
        scan=np.repeat(np.arange(len(scans)), counts),
        index=index,
        height=height,
        uncertainty=uncertainty,
        disagreement=differ,
        by_structure=_stacked([scan.traits.by_structure for scan in scans]),
        doubt=doubt,
        look=look,
        features=np.concatenate([*blocks, np.empty((len(index), 0))], axis=1)
        / np.sqrt(max(len(blocks), 1)),
    )


def suggest_slice(
    pool: Pool,
    done: Mapping[str, Collection[int]],
    names: Sequence[str],
    closed: Collection[str] = (),
) -> Suggestion | None:
    """The slice that is worth most to be corrected next.

    Its score is a product of two numbers. The first is the share of the site's doubt
    that it would bring near a correction: ``sum_j w_j max(0, r_j - d_ij) / sum_j w_j
    r_j`` over all slices j, where ``w`` is the doubt (see `pool_of`), ``d`` the distance
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


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks over their number, above 0 to 1; those of the same value have their mean."""
    ranks = np.full(len(values), np.nan)
    known = np.isfinite(values)
    _, inverse, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    if counts.size:
        ranks[known] = ((counts.cumsum() - (counts - 1) / 2) / counts.sum())[inverse]
    return ranks


def _scaled(values: np.ndarray, n: int) -> np.ndarray:
    """Columns of unit variance, then such that two rows' mean squared distance is 1."""
    if not values.size:
        return np.empty((n, 0))
    spread = values.std(axis=0)
    varies = spread > 1e-6
    if not varies.any():
        return np.empty((n, 0))
    centred: np.ndarray = (values - values.mean(axis=0))[:, varies] / spread[varies]
    return centred / np.sqrt(2 * varies.sum())


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0), *parts])


def _stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts).astype(np.float64) if parts else np.empty((0, 0))
