"""What a person should know of a site before a model is adapted to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from dgseg.site.known import KnownScan
from dgseg.site.wording import joined

Kind = Literal["foreign", "damaged", "contradiction", "absent", "few", "one-scan"]

_MOST_NAMED = 3
"""Scans that a sentence names."""

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


@dataclass(frozen=True)
class Concern:
    """Something to look at, or to know, before adapting.

    Attributes
    ----------
    kind : {'foreign', 'damaged', 'contradiction', 'absent', 'few', 'one-scan'}
        What it is about.
    sentence : str
        What is the matter and the way out, in plain words.
    slices : tuple of (str, int)
        Scan and slice, from 0, of those that are meant; the slice is -1 for a whole scan.
    """

    kind: Kind
    sentence: str
    slices: tuple[tuple[str, int], ...] = ()


def concerns(scans: Sequence[KnownScan], names: Sequence[str]) -> tuple[Concern, ...]:
    """What speaks against adapting at once, the gravest first.

    Parameters
    ----------
    scans : sequence of KnownScan
        All scans of the site.
    names : sequence of str
        Of the structures, in the order of their labels.
    """
    return (
        *_foreign(scans),
        *_damaged(scans),
        *_contradictions(scans, names),
        *_absent(scans, names),
        *_few(scans),
        *_single(scans),
    )


def _foreign(scans: Sequence[KnownScan]) -> Iterable[Concern]:
    found = [scan for scan in scans if scan.distance is not None and scan.distance.foreign]
    if not found:
        return
    n, titles = len(scans), _listed([scan.title for scan in found])
    if len(found) == n:
        which = "the only scan" if n == 1 else f"all {n} scans"
    else:
        which = f"{len(found)} of {n} scans ({titles})"
    yield Concern(
        "foreign",
        f"Unlike anything this model was trained on: {which}. Remove in step 1 what shows "
        "another part of the body; a much smaller field of view is strange to it, too. The rest "
        "can be adapted to, but needs more corrections than usual and a critical look.",
        tuple((scan.scan_id, -1) for scan in found),
    )


def _damaged(scans: Sequence[KnownScan]) -> Iterable[Concern]:
    words = {
        "damaged": "Part of the corrections of {} could not be read, or is of another scan. The "
        "rest is used, and what is left out is kept in the site's folder: look at these "
        "corrections again in step 3.",
        "torn": "The last change to the corrections of {} was not on disk when the program "
        "ended. All others are: look at the slice that was changed last again in step 3.",
    }
    for loss, sentence in words.items():
        found = [scan for scan in scans if scan.loss == loss]
        if found:
            yield Concern(
                "damaged",
                sentence.format(_listed([scan.title for scan in found])),
                tuple((scan.scan_id, -1) for scan in found),
            )


def _absent(scans: Sequence[KnownScan], names: Sequence[str]) -> Iterable[Concern]:
    areas = [area for scan in scans for area in scan.corrected.values()]
    if not areas:
        return
    drawn = np.sum(areas, axis=0)[1:] > 0
    missing = [name for name, is_drawn in zip(names, drawn, strict=True) if not is_drawn]
    if not missing:
        return
    if len(missing) == len(names):
        yield Concern(
            "absent",
            "The corrected slices show no structure at all: a model learns from them only "
            "where there is none. Correct some slices that show one.",
        )
        return
    yield Concern(
        "absent",
        f"No corrected slice shows the {joined(missing, 'or')}: of that the new model learns "
        "nothing new, at best it stays as good as the present one. Correct a slice that "
        "shows it, if you can.",
    )


def _few(scans: Sequence[KnownScan]) -> Iterable[Concern]:
    corrected = [(scan.scan_id, index) for scan in scans for index in scan.corrected]
    if len(corrected) == 1:
        # docs/benchmarks/adaptation.md: of hearts it taught less than none did.
        yield Concern(
            "few",
            "Only one slice is corrected. It may teach what is true of itself alone, and nothing "
            "can judge the new model. Correct two more, where the structures look different.",
            tuple(corrected),
        )


def _single(scans: Sequence[KnownScan]) -> Iterable[Concern]:
    if len(scans) == 1:
        yield Concern(
            "one-scan",
            "There is only one scan, so the new model may fit this person alone. Add more in "
            "step 1: they need no corrections.",
            ((scans[0].scan_id, -1),),
        )


# --- corrections that contradict each other ---------------------------------------------


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

    def places(self, chosen: np.ndarray) -> dict[int, list[int]]:
        """Scan to slices, of a choice (n,)."""
        found: dict[int, list[int]] = {}
        for at in np.flatnonzero(chosen):
            found.setdefault(int(self.scan[at]), []).append(int(self.index[at]))
        return found


def _contradictions(scans: Sequence[KnownScan], names: Sequence[str]) -> Iterable[Concern]:
    """Slices of different scans whose corrections cannot both be learnt.

    Either what the model tells apart as two structures bears the other's name in one
    slice and its own in another; or two slices look alike, the model finds a structure
    as large in both, and the person made it much larger in one and much smaller in the
    other.
    """
    slices = _side_by_side(scans)
    if slices is None:
        return
    labels = range(1, len(names) + 1)
    for first, second in combinations(labels, 2):
        exchanged, kept = _exchanged(slices, first, second)
        if exchanged.any():
            both = f"{names[first - 1]} and {names[second - 1]}"
            yield _contradiction(
                slices,
                (f"{both[:1].upper()}{both[1:]} are exchanged", exchanged),
                ("are not", kept),
                ", by what the model finds there",
            )
    for at in labels:
        larger, smaller = _opposite(slices, at)
        if larger.any():
            yield _contradiction(
                slices,
                (f"The {names[at - 1]} was made much larger", larger),
                ("much smaller", smaller),
                ", though they look alike to the model",
            )


def _contradiction(
    slices: _Slices, this: tuple[str, np.ndarray], that: tuple[str, np.ndarray], why: str = ""
) -> Concern:
    here, there = slices.places(this[1]), slices.places(that[1])
    one, other = (_where(slices.scans, places) for places in (here, there))
    return Concern(
        "contradiction",
        f"{this[0]} in {one}, and {that[0]} in {other}{why}. A model cannot learn both: "
        "look at these slices again in step 3.",
        tuple(
            (slices.scans[scan].scan_id, index)
            for places in (here, there)
            for scan, indices in places.items()
            for index in indices
        ),
    )


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


# --- words ------------------------------------------------------------------------------


def _where(scans: Sequence[KnownScan], places: Mapping[int, Sequence[int]]) -> str:
    """Such as "slices 3 and 5–7 of scan-1"; slices are counted from 0, as the viewer does."""
    parts = [
        f"slice{'' if len(indices) == 1 else 's'} {joined(_runs(indices))} of {scans[at].title}"
        for at, indices in places.items()
    ]
    return _listed(parts)


def _runs(indices: Sequence[int]) -> list[str]:
    """Such as "3" and "5–7" for 3, 5, 6 and 7."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]


def _listed(parts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    if len(parts) <= _MOST_NAMED:
        return joined(parts)
    return f"{', '.join(parts[:_MOST_NAMED])} and {len(parts) - _MOST_NAMED} more"
