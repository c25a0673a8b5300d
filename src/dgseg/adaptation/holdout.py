"""Corrections kept from the training, and how well a proposal agrees with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dgseg.scans.schema import LabelSchema

LEAST_CORRECTED = 3
"""With fewer corrected slices all of them are needed to learn from."""


def choose_heldout(
    corrected: Mapping[str, Sequence[int]], every: int
) -> dict[str, tuple[int, ...]]:
    """One corrected slice in `every`, evenly spread over scans and slices.

    The choice depends on nothing but the arguments, so that a resumed
    adaptation is judged by the slices that its training never saw. A slice
    next to a held-out one may be trained on: slices some millimetres apart
    differ enough to judge by, but the judgement is of this site's scans and
    says nothing about other sites.

    Parameters
    ----------
    corrected : mapping of str to sequence of int
        Corrected slices by scan.
    every : int
        0 to hold nothing out.

    Returns
    -------
    dict of str to tuple of int
        Held-out slices by scan, only scans that have some. None at all with
        fewer than `LEAST_CORRECTED` corrected slices, else at least one.
    """
    slices = [(scan_id, index) for scan_id, all_ in corrected.items() for index in sorted(all_)]
    if every == 0 or len(slices) < LEAST_CORRECTED:
        return {}
    # Half a step in from either end; at every = 1 one slice is left to learn from.
    n = min(max(1, int(len(slices) / every + 0.5)), len(slices) - 1)
    chosen = [slices[int((i + 0.5) * len(slices) / n)] for i in range(n)]
    found: dict[str, list[int]] = {}
    for scan_id, index in chosen:
        found.setdefault(scan_id, []).append(index)
    return {scan_id: tuple(indices) for scan_id, indices in found.items()}


@dataclass
class Overlap:
    """Voxel counts by class, which add up over slices and scans.

    Attributes
    ----------
    both, first, second : ndarray of int64, shape (structures,)
        Voxels of each structure in both label arrays, in the one, in the other.
    """

    both: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray, n_classes: int) -> Overlap:
        """Count two label arrays of one shape."""
        agreed = np.where(first == second, first, 0)
        return cls(*(_counts(labels, n_classes) for labels in (agreed, first, second)))

    @classmethod
    def sum(cls, overlaps: Iterable[Overlap], n_classes: int) -> Overlap:
        """All counts together; zeros for none."""
        total = cls(*(np.zeros(n_classes - 1, np.int64) for _ in range(3)))
        for overlap in overlaps:
            total.both = total.both + overlap.both
            total.first = total.first + overlap.first
            total.second = total.second + overlap.second
        return total

    def dice(self) -> list[float | None]:
        """Dice of each structure, 2 both / (first + second); None where it is in neither."""
        sizes = self.first + self.second
        return [
            float(2 * both / size) if size else None
            for both, size in zip(self.both, sizes, strict=True)
        ]


def _counts(labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.bincount(labels.ravel(), minlength=n_classes)[1:n_classes]
    return counts.astype(np.int64)


@dataclass(frozen=True)
class SliceScore:
    """Both models on one held-out slice: Dice by structure, None where it is in neither.

    A structure that is neither in the correction nor in either proposal tells
    nothing and is None for both; one that only the other model paints counts
    as 1 for the model that rightly leaves it out.
    """

    scan_id: str
    slice: int
    before: dict[str, float | None]
    after: dict[str, float | None]


@dataclass
class HeldoutScores:
    """Collects held-out slices and pools them."""

    schema: LabelSchema
    slices: list[SliceScore] = field(default_factory=list)
    _before: list[Overlap] = field(default_factory=list)
    _after: list[Overlap] = field(default_factory=list)

    def add(
        self, scan_id: str, index: int, truth: np.ndarray, old: np.ndarray, new: np.ndarray
    ) -> None:
        """Take one slice: the correction and both models' labels."""
        n_classes = self.schema.n_classes
        before = Overlap.of(truth, old, n_classes)
        after = Overlap.of(truth, new, n_classes)
        self._before.append(before)
        self._after.append(after)
        scores = self._named(before, after)
        self.slices.append(SliceScore(scan_id, index, *scores))

    def pooled(self) -> tuple[dict[str, float | None], dict[str, float | None]]:
        """Dice by structure over all held-out slices together, before and after."""
        n_classes = self.schema.n_classes
        return self._named(
            Overlap.sum(self._before, n_classes), Overlap.sum(self._after, n_classes)
        )

    def _named(
        self, before: Overlap, after: Overlap
    ) -> tuple[dict[str, float | None], dict[str, float | None]]:
        names = structure_names(self.schema)
        old, new = before.dice(), after.dice()
        for i in range(len(names)):
            if (old[i] is None) != (new[i] is None):
                old[i] = 1.0 if old[i] is None else old[i]
                new[i] = 1.0 if new[i] is None else new[i]
        return dict(zip(names, old, strict=True)), dict(zip(names, new, strict=True))


def structure_names(schema: LabelSchema) -> tuple[str, ...]:
    """Short names of the structures where they differ, else their names."""
    short = tuple(label.short_name for label in schema.labels)
    return short if len(set(short)) == len(short) else schema.names


def mean_dice(dice: Mapping[str, float | None]) -> float | None:
    """Mean over the structures that are there; None if there is none."""
    values = [value for value in dice.values() if value is not None]
    return float(np.mean(values)) if values else None
