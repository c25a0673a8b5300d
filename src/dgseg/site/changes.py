"""Where two models' proposals for the scans of a site differ most, and how, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dgseg.scans.boxes import bounding_box

LIMIT = 12
"""So many slices to look at: about what a person has patience for."""

LEAST = 0.01
"""A slice that differs by less has not changed: a pixel here and there."""

_FEW = 0.25
"""A scan counts as having at least this part of the foreground of the site's typical
slice, relative to the size of the slice: else stray pixels would lead in a scan where
neither model finds more."""

_NEIGHBOUR = 0.5
"""How much a slice beside one that is shown already counts: it tells the same again."""

_STRAY = 0.05
"""Less than this part of the other's area is none."""

_TELLING = 0.1
"""A change of the area by this part is the news, else the change of place is."""

_SWAPPED = 0.25
"""Two structures of which each takes this part of the other have swapped places."""


@dataclass(frozen=True, eq=False)
class ScanChange:
    """Two proposals for one scan, counted slice by slice.

    Attributes
    ----------
    scan_id : str
    counts : ndarray of int64, shape (slices, classes, classes)
        Pixels with the one label in the old proposal (axis 1) and the other in the new
        (axis 2); those that are background in both are not counted.
    slice_pixels : int
        Rows times columns.
    """

    scan_id: str
    counts: np.ndarray
    slice_pixels: int

    @property
    def voxels(self) -> tuple[np.ndarray, np.ndarray]:
        """Voxels of each structure in the old and in the new proposal, (structures,) each."""
        total = self.counts.sum(axis=0)
        return total.sum(axis=1)[1:], total.sum(axis=0)[1:]


@dataclass(frozen=True)
class SliceChange:
    """A slice that is worth a look.

    Attributes
    ----------
    scan_id : str
    slice : int
        Its index from 0, as the viewer shows it.
    score : float
        How much the proposals differ, 0 (not at all) to 1.
    reason : str
        What changed most, as a sentence.
    """

    scan_id: str
    slice: int
    score: float
    reason: str


def count_changes(scan_id: str, old: np.ndarray, new: np.ndarray, n_classes: int) -> ScanChange:
    """Count what became of what in each slice.

    Parameters
    ----------
    scan_id : str
    old, new : ndarray of uint8, shape (slices, rows, columns)
        Labels below `n_classes`.
    n_classes : int
        With the background.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if old.shape != new.shape:
        raise ValueError(f"proposals of shapes {old.shape} and {new.shape}")
    counts = np.zeros((len(old), n_classes, n_classes), np.int64)
    either = old.any(axis=0) | new.any(axis=0)
    box = bounding_box(np.asarray(either))
    for at in range(len(old) if box is not None else 0):
        pairs = old[at][box].astype(np.intp) * n_classes + new[at][box]
        found = np.bincount(pairs.ravel(), minlength=n_classes**2)
        counts[at] = found.reshape(n_classes, n_classes)
    counts[:, 0, 0] = 0
    return ScanChange(scan_id, counts, int(np.prod(old.shape[1:])))


def changed_slices(
    scans: Sequence[ScanChange], names: Sequence[str], limit: int = LIMIT
) -> list[SliceChange]:
    """The slices in which two models differ most, in the order to look at them.

    A slice's score is 1 - Dice of all structures together, where a pixel of another
    structure is no overlap. What is divided by is at least the foreground of the scan's
    typical slice, so that a few pixels at the end of a structure do not lead. The
    order is that of the scores, but the second slice of a scan counts half, the third
    a third, and a slice beside one that is on the list half again.

    Parameters
    ----------
    scans : sequence of ScanChange
    names : sequence of str
        Of the structures.
    limit : int
        Slices at most; fewer where fewer changed.
    """
    if not scans:
        return []
    scores = _scores(scans)
    counts = [len(each) for each in scores]
    scan = np.repeat(np.arange(len(scans)), counts)
    index = np.concatenate([np.arange(n) for n in counts])
    score = np.concatenate(scores)
    found: list[SliceChange] = []
    left, beside = score >= LEAST, np.zeros(len(score), bool)
    taken = np.zeros(len(scans), np.intp)
    while left.any() and len(found) < limit:
        worth = score / (1 + taken[scan]) * np.where(beside, _NEIGHBOUR, 1.0)
        best = int(np.argmax(np.where(left, worth, -1.0)))
        left[best] = False
        taken[scan[best]] += 1
        beside |= (scan == scan[best]) & (np.abs(index - index[best]) == 1)
        change, at = scans[scan[best]], int(index[best])
        reason = change_reason(change.counts[at], names)
        found.append(SliceChange(change.scan_id, at, float(score[best]), reason))
    return found


def _scores(scans: Sequence[ScanChange]) -> list[np.ndarray]:
    """How much each slice of each scan changed, 0 to 1."""
    sizes = [_size(scan.counts) for scan in scans]
    shares = [
        size / scan.slice_pixels for size, scan in zip(sizes, scans, strict=True) if size.any()
    ]
    usual = _typical(np.concatenate([*shares, np.zeros(1)]))
    scores = []
    for scan, size in zip(scans, sizes, strict=True):
        least = max(_typical(size), _FEW * usual * scan.slice_pixels, 1.0)
        agreed = np.trace(scan.counts, axis1=1, axis2=2)  # nothing is counted at [0, 0]
        scores.append((size - 2 * agreed) / np.maximum(size, least))
    return scores


def _size(counts: np.ndarray) -> np.ndarray:
    """Pixels of all structures in the old and in the new proposal together, (slices,)."""
    size: np.ndarray = counts[:, 1:, :].sum(axis=(1, 2)) + counts[:, :, 1:].sum(axis=(1, 2))
    return size


def _typical(values: np.ndarray) -> float:
    """The median of what is more than nothing; 0 where all is nothing."""
    some = values[values > 0]
    return float(np.median(some)) if some.size else 0.0


def change_reason(counts: np.ndarray, names: Sequence[str]) -> str:
    """What changed most in a slice, as a sentence.

    Parameters
    ----------
    counts : ndarray of int, shape (classes, classes)
        As in `ScanChange`, of one slice.
    names : sequence of str
        Of the structures.

    Returns
    -------
    str
        About the structure that changed most, and the next one if it changed at least
        half as much and is not named already; empty where nothing changed.
    """
    old, new = counts.sum(axis=1), counts.sum(axis=0)
    moved = old + new - 2 * np.diagonal(counts)
    order = [int(at) for at in np.argsort(-moved[1:], kind="stable") + 1 if moved[at]]
    if not order:
        return ""
    words, other = _clause(counts, order[0], names)
    rest = [at for at in order[1:] if at != other and 2 * moved[at] >= moved[order[0]]]
    if rest:
        more, _ = _clause(counts, rest[0], names)
        words = _joined(words, more)
    return f"{words[0].upper()}{words[1:]}."


def _joined(first: str, second: str) -> str:
    """Two clauses as one where both structures came or went."""
    for verb in (" appears", " disappears"):
        if first.endswith(verb) and second.endswith(verb):
            return f"{first.removesuffix(verb)} and {second.removesuffix('s')}"
    return f"{first}; {second}"


def _clause(counts: np.ndarray, at: int, names: Sequence[str]) -> tuple[str, int]:
    """What became of one structure, and the other one that this is about, or 0."""
    old, new = int(counts[at].sum()), int(counts[:, at].sum())
    name = names[at - 1]
    if old <= _STRAY * new:
        return f"{name} appears", 0
    given, gained = _most(counts[at], at), _most(counts[:, at], at)
    if new <= _STRAY * old:
        if 2 * counts[at, given] >= old:
            return f"{name} becomes {names[given - 1]}", given
        return f"{name} disappears", 0
    back = int(counts[given].sum())
    if counts[at, given] >= _SWAPPED * old and counts[given, at] >= max(_SWAPPED * back, 1):
        return f"{name} and {names[given - 1]} swap places", given
    if new <= old * (1 - _TELLING):
        words, other = f"{name} shrinks by {1 - new / old:.0%}", given
        told = "in favour of" if 2 * counts[at, given] >= old - new else ""
    elif new >= old * (1 + _TELLING):
        by = (
            f"by {new / old - 1:.0%}" if new < 2 * old else f"to {new / old:.1f} times its area"
        )
        words, other = f"{name} grows {by}", gained
        told = "at the cost of" if 2 * counts[gained, at] >= new - old else ""
    else:
        dice = 2 * int(counts[at, at]) / (old + new)
        return f"{name} moves (old and new overlap with Dice {dice:.2f})", 0
    words = words.replace("%", " %")
    return (f"{words} {told} {names[other - 1]}", other) if told else (words, 0)


def _most(pixels: np.ndarray, at: int) -> int:
    """The other structure that has most of these pixels."""
    others = pixels.copy()
    others[[0, at]] = -1
    return int(np.argmax(others))
