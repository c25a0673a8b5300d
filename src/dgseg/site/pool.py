"""All slices of a site side by side, as far as their doubt and their likeness go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dgseg.site.traits import SliceTraits


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


@dataclass(frozen=True, eq=False)
class Pool:
    """All slices of a site, made ready for `dgseg.site.suggest.suggest_slice`; see `pool_of`.

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
