"""Corrections that a model cannot learn together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dgseg.site.known import KnownScan
from dgseg.site.wording import joined, listed, runs

Slices = tuple[tuple[str, int], ...]
"""Scans, by their identifiers, and slices."""

Places = dict[int, list[int]]
"""Slices by scan, as its place among the site's."""

_WITHIN, _WITHOUT = 0.5, 0.1
"""Share of a structure that another surrounds where it lies within that, at least, and
share of the other that it surrounds itself, at most. In true labels of real cords and hearts
the former is above 0.9 in 95 % of the slices, and the latter 0."""

_LEAST_SHARE = 0.0005
"""Share of a slice from which on a structure is large enough to be compared."""

_RENAMED = 0.5
"""Share of what the model finds of two structures that bears the other's name where they
are exchanged, and its own where they are not."""

_CLEARLY = 3.0
"""So many times as much of it as of the contrary."""

_OPPOSITE = 0.35
"""Change of a structure's area, over the larger of the two areas, that is great."""

_APART = 3.2
"""Ratio of two such changes, larger to smaller, from which on they contradict each other."""

_AS_LARGE = 0.5
"""Ratio of two areas from which on two slices are alike in a structure."""

_USUAL = 1.0
"""Two slices' distance by their look that is usual at the site."""

_ODD, _BEYOND = 0.03, 3.0
"""Share of the comparable pairs of slices of sound corrections that seem to contradict each
other, and by how many standard deviations of that there must be more."""


def contradictions(
    scans: Sequence[KnownScan], names: Sequence[str]
) -> Iterator[tuple[str, Slices]]:
    """Corrected slices that cannot both be learnt, in plain words and by their places.

    One structure surrounds another in some slices, and the other the one in others,
    whatever the model finds. Or what the model tells apart as two structures bears
    the other's name in a slice of one scan and its own in one of another; or slices of two
    scans look alike, the model finds a structure as large in both, and the person made it
    much larger in one and much smaller in the other.

    Parameters
    ----------
    scans : sequence of KnownScan
        All scans of the site.
    names : sequence of str
        Of the structures, in the order of their labels.

    Yields
    ------
    tuple of (str, tuple of (str, int))
        What is the matter, and the slices that are meant.
    """
    slices = _side_by_side(scans)
    labels = range(1, len(names) + 1)
    for pair in combinations(labels, 2):
        first, second = pair
        one, other = (names[at - 1] for at in pair)
        inside, outside = _nested(scans, first, second), _nested(scans, second, first)
        if inside and outside:
            this = f"The {other} surrounds the {one}", inside
            yield _told(scans, this, (f"the {one} surrounds the {other}", outside))
        elif slices is not None:
            exchanged, kept = map(slices.places, _exchanged(slices, first, second))
            if exchanged:
                this = f"{one[:1].upper()}{one[1:]} and {other} are exchanged", exchanged
                why = ", by what the model finds there"
                yield _told(scans, this, ("are not", kept), why)
    if slices is None:
        return
    for at in labels:
        larger, smaller = map(slices.places, _opposite(slices, at))
        if larger:
            this = f"The {names[at - 1]} was made much larger", larger
            why = ", though they look alike to the model"
            yield _told(scans, this, ("much smaller", smaller), why)


def _told(
    scans: Sequence[KnownScan],
    this: tuple[str, Places],
    that: tuple[str, Places],
    why: str = "",
) -> tuple[str, Slices]:
    """Two things that are said of slices, and the slices."""
    one, other = _where(scans, this[1]), _where(scans, that[1])
    sentence = (
        f"{this[0]} in {one}, and {that[0]} in {other}{why}. A model cannot learn both: "
        "look at these slices again in step 3."
    )
    return sentence, tuple(
        (scans[scan].scan_id, index)
        for places in (this[1], that[1])
        for scan, indices in places.items()
        for index in indices
    )


# --- what surrounds what ----------------------------------------------------------------


def _nested(scans: Sequence[KnownScan], inner: int, outer: int) -> Places:
    """Corrected slices in which one structure lies within another."""
    found: Places = {}
    for at, scan in enumerate(scans):
        for index, areas in sorted(scan.corrected.items()):
            within = scan.surrounded.get(index)
            if within is None or min(areas[inner], areas[outer]) < _LEAST_SHARE * areas.sum():
                continue
            mostly = within[inner, outer] >= _WITHIN * areas[inner] > 0
            if mostly and within[outer, inner] <= _WITHOUT * areas[outer]:
                found.setdefault(at, []).append(index)
    return found


# --- what was changed of what the model found -------------------------------------------


@dataclass(frozen=True, eq=False)
class _Slices:
    """Corrected slices that the model has made proposals for, side by side.

    `scan` and `index` (n,) say which they are, `changes` (n, classes, classes) what a
    person changed, `least` (n,) from how many pixels on a structure counts, and `alike`
    (n, n) which are of different scans and look no more different than usual.
    """

    scans: Sequence[KnownScan]
    scan: np.ndarray
    index: np.ndarray
    changes: np.ndarray
    least: np.ndarray
    apart: np.ndarray
    alike: np.ndarray

    def places(self, chosen: np.ndarray) -> Places:
        """Of a choice (n,)."""
        found: Places = {}
        for at in np.flatnonzero(chosen):
            found.setdefault(int(self.scan[at]), []).append(int(self.index[at]))
        return found


def _side_by_side(scans: Sequence[KnownScan]) -> _Slices | None:
    keys = [(at, index) for at, scan in enumerate(scans) for index in sorted(scan.changes)]
    if len({at for at, _ in keys}) < 2:
        return None
    scan, index = np.array(keys).T
    changes = np.array([scans[at].changes[i] for at, i in keys], dtype=np.int64)
    apart = scan[:, None] != scan
    return _Slices(
        scans=scans,
        scan=scan,
        index=index,
        changes=changes,
        least=np.maximum(changes.sum(axis=(1, 2)) * _LEAST_SHARE, 1),
        apart=apart,
        alike=apart & (_look_distances(scans, keys) <= _USUAL),
    )


def _look_distances(scans: Sequence[KnownScan], keys: Sequence[tuple[int, int]]) -> np.ndarray:
    """Distances (n, n) of slices by their look; two of the site's are 1 apart on average.

    Infinite where looks are not known, or not of one kind.
    """
    known = [scan.look for scan in scans if scan.changes]
    if len({look.shape[1] for look in known}) != 1 or not known[0].shape[1]:
        return np.full((len(keys), len(keys)), np.inf)
    every = np.concatenate(known).astype(np.float64)
    spread = every.std(axis=0)
    varies = spread > 1e-6
    looks = np.array([scans[at].look[index] for at, index in keys], dtype=np.float64)
    scaled = looks[:, varies] / (spread[varies] * np.sqrt(2 * max(varies.sum(), 1)))
    squares = np.square(scaled).sum(axis=1)
    products: np.ndarray = scaled @ scaled.T
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))


def _exchanged(slices: _Slices, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    """Slices (n,) in which two structures bear each other's names, and their own.

    Only if both are found, in different scans. A slice that says the contrary of most of
    its scan counts only where each of the two bears the other's name: else the model has
    rather taken one structure for the other in it.
    """
    changes = slices.changes
    areas = changes[:, [first, second]].sum(axis=2)
    renamed = np.stack([changes[:, first, second], changes[:, second, first]], axis=1)
    own, others = changes[:, first, first] + changes[:, second, second], renamed.sum(axis=1)
    found = areas.sum(axis=1)

    def clearly(this: np.ndarray, that: np.ndarray) -> np.ndarray:
        enough = (found >= slices.least) & (this >= _RENAMED * found)
        told: np.ndarray = enough & (this >= _CLEARLY * that)
        return told

    exchanged, kept = clearly(others, own), clearly(own, others)
    votes = np.bincount(slices.scan, weights=exchanged.astype(float) - kept)[slices.scan]
    each = (areas >= slices.least[:, None]) & (renamed >= areas / 2)
    exchanged &= (votes > 0) | each.all(axis=1)
    met = exchanged[:, None] & kept & slices.apart
    return met.any(axis=1), met.any(axis=0)


def _opposite(slices: _Slices, at: int) -> tuple[np.ndarray, np.ndarray]:
    """Slices (n,) in which a structure was made much larger, and much smaller.

    Only those that contradict each other, and only if there are more than of sound
    corrections.
    """
    before = slices.changes[:, at].sum(axis=1).astype(float)
    after = slices.changes[:, :, at].sum(axis=1).astype(float)
    counts = np.minimum(before, after) >= slices.least
    grown = np.maximum(after, 1) / np.maximum(before, 1)
    larger, smaller = grown >= 1 / (1 - _OPPOSITE), grown <= 1 - _OPPOSITE
    smaller_of = np.minimum(before[:, None], before)
    larger_of = np.maximum(np.maximum(before[:, None], before), 1)
    fair = slices.alike & counts[:, None] & counts & (smaller_of >= _AS_LARGE * larger_of)
    met = fair & larger[:, None] & smaller & (grown[:, None] >= _APART * grown)
    usual = _ODD * np.count_nonzero(fair) / 2
    if np.count_nonzero(met) < usual + _BEYOND * np.sqrt(usual):
        met[:] = False
    return met.any(axis=1), met.any(axis=0)


def _where(scans: Sequence[KnownScan], places: Places) -> str:
    """Such as "slices 3 and 5–7 of scan-1"; slices are counted from 0, as the viewer does."""
    parts = [
        f"slice{'' if len(indices) == 1 else 's'} {joined(runs(indices))} of {scans[at].title}"
        for at, indices in places.items()
    ]
    return listed(parts)
