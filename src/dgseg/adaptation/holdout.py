"""Corrections kept from a training, and how well a proposal agrees with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dgseg.scans.schema import LabelSchema

LEAST_CORRECTED = 2
"""With fewer corrected slices there is none to judge by: it is needed to learn from."""

FEW_CORRECTED = 8
"""From so many corrected slices on the candidate can do without some of them, which then
judge it. Fewer are all needed to learn from, and a single one kept back would be an
anecdote: they are judged by further trainings."""

ENOUGH_SCANS = 4
"""Corrected scans from which on whole ones are held out: fewer would lose too much of what
makes people differ."""

FOLDS = 3
"""Further trainings, at most. More would each go without fewer slices, and so be nearer to
the candidate, but share the same time."""

FOLD_SHARE = 0.5
"""Steps of a further training for each step of the candidate's. All share the time, and
what judges is thrown away; ``docs/gate.md`` has what this costs the judgement, and
`dgseg.adaptation.crossing.share_of` where it would be too few."""

Slices = Mapping[str, tuple[int, ...]]
"""Numbers of slices by scan."""


@dataclass(frozen=True)
class Split:
    """Which corrected slices judge a candidate.

    Attributes
    ----------
    heldout : mapping of str to tuple of int
        Slices by scan that the candidate itself does not learn from.
    folds : tuple of mapping
        Slices by scan that one further training each does not learn from, while the
        candidate learns from all of them. Either these or `heldout`, or neither.
    fold_share : float
        Steps of such a training for each step of the candidate's.
    """

    heldout: Slices
    folds: tuple[Slices, ...] = ()
    fold_share: float = FOLD_SHARE

    @property
    def work(self) -> float:
        """Steps of all trainings together for each step of the candidate's."""
        return 1 + len(self.folds) * self.fold_share

    def fold_steps(self, steps: int) -> tuple[int, ...]:
        """Steps of each further training where the candidate has so many."""
        return (fold_steps(steps, self.fold_share),) * len(self.folds)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Split:
        """What `dataclasses.asdict` made, also after JSON.

        Where nothing is said of the share, as in older files, all trainings are of one
        length.
        """
        heldout, folds = _slices(content["heldout"]), tuple(map(_slices, content["folds"]))
        return cls(heldout, folds, float(content.get("fold_share", 1.0)))


def choose_split(
    corrected: Mapping[str, Sequence[int]],
    every: int,
    fold_share: float = FOLD_SHARE,
    *,
    learns: bool = True,
) -> Split:
    """What of a site's corrections the candidate is judged by.

    Parameters
    ----------
    corrected : mapping of str to sequence of int
        Corrected slices by scan.
    every : int
        Of `FEW_CORRECTED` or more slices, one in so many is held out (see
        `choose_heldout`); 0 to judge by nothing, however many there are.
    fold_share : float
        As in `Split`.
    learns : bool
        As in `dgseg.methods.base.Method`: who learns from no slice is judged by all.
    """
    if every and not learns:
        return Split(
            {scan_id: tuple(slices) for scan_id, slices in corrected.items() if slices}
        )
    n = sum(map(len, corrected.values()))
    if every and LEAST_CORRECTED <= n < FEW_CORRECTED:
        return Split({}, choose_folds(corrected), fold_share)
    return Split(choose_heldout(corrected, every), fold_share=fold_share)


def fold_steps(steps: int, share: float = FOLD_SHARE) -> int:
    """Steps of a further training; its schedules end there.

    Parameters
    ----------
    steps : int
        Of the candidate.
    share : float
        As in `Split`.
    """
    return max(1, round(share * steps))


def choose_folds(
    corrected: Mapping[str, Sequence[int]],
) -> tuple[dict[str, tuple[int, ...]], ...]:
    """Divide corrected slices into groups, each to be judged by a training without it.

    Slices of one scan are in one group, so that a training is judged by scans of which
    it knows no label, as long as there are enough scans and no training loses more than
    half of the slices. Else the slices are dealt out in turn, so that each training
    sees both ends of the structures and the middle. It depends on nothing but the
    argument.

    Parameters
    ----------
    corrected : mapping of str to sequence of int
        At least `LEAST_CORRECTED` corrected slices by scan.

    Returns
    -------
    tuple of dict
        At most `FOLDS` groups, none empty: slices by scan, only scans that have some.
    """
    slices = [(scan_id, index) for scan_id, all_ in corrected.items() for index in sorted(all_)]
    n_folds = min(len(slices), FOLDS)
    groups: list[list[tuple[str, int]]] = [[] for _ in range(n_folds)]
    scans = [scan_id for scan_id, all_ in corrected.items() if all_]
    for scan_id in sorted(scans, key=lambda scan_id: -len(corrected[scan_id])):
        min(groups, key=len).extend(each for each in slices if each[0] == scan_id)
    if len(scans) < n_folds or 2 * max(map(len, groups)) > len(slices):
        groups = [slices[first::n_folds] for first in range(n_folds)]
    return tuple(_by_scan(group) for group in groups)


def choose_heldout(
    corrected: Mapping[str, Sequence[int]], every: int
) -> dict[str, tuple[int, ...]]:
    """About one corrected slice in `every`: those of whole scans where there are enough.

    Slices of one scan are alike, and a model that learnt from some of them is judged too
    well by the others. So one scan in `every` is held out, if `ENOUGH_SCANS` or more are
    corrected and that is at most half of all, and neither less than half as many slices
    as are wanted, nor one where two are, nor more than twice as many; else slices, evenly
    spread over scans and slices. Either way the judgement is of this site's scans and
    says nothing about other sites.

    The choice depends on nothing but the arguments, so that a resumed adaptation is
    judged by the slices that its training never saw.

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
    by_scan = {scan_id: tuple(sorted(all_)) for scan_id, all_ in corrected.items() if all_}
    slices = [(scan_id, index) for scan_id, all_ in by_scan.items() for index in all_]
    if every == 0 or len(slices) < LEAST_CORRECTED:
        return {}
    # Half a step in from either end; at every = 1 one slice is left to learn from.
    n = min(max(1, int(len(slices) / every + 0.5)), len(slices) - 1)
    least, most = max(n / 2, min(n, 2)), min(2 * n, len(slices) / 2)
    whole = [each for each in _whole_scans(by_scan, every) if least <= _count(each) <= most]
    if whole:
        return min(whole, key=lambda each: abs(_count(each) - n))
    return _by_scan([slices[int((i + 0.5) * len(slices) / n)] for i in range(n)])


def _whole_scans(
    by_scan: Mapping[str, tuple[int, ...]], every: int
) -> list[dict[str, tuple[int, ...]]]:
    """The ways to take one scan in so many, evenly; none of too few scans."""
    if len(by_scan) < ENOUGH_SCANS:
        return []
    scans = list(by_scan)
    return [
        {scan_id: by_scan[scan_id] for scan_id in scans[first::every]}
        for first in range(min(every, len(scans)))
    ]


def _count(slices: Mapping[str, Sequence[int]]) -> int:
    return sum(map(len, slices.values()))


def _by_scan(slices: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for scan_id, index in slices:
        found.setdefault(scan_id, []).append(index)
    return {scan_id: tuple(indices) for scan_id, indices in found.items()}


def _slices(content: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    return {scan_id: tuple(indices) for scan_id, indices in content.items()}


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
    """Collects held-out slices and pools them.

    Attributes
    ----------
    schema : LabelSchema
    crossed : bool
        Not one model but several made the labels after, each those of the slices that it
        had not seen: see `dgseg.adaptation.crossing`.
    slices : list of SliceScore
    """

    schema: LabelSchema
    crossed: bool = False
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
