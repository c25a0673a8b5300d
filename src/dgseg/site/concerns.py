"""What a person should know of a site before a model is adapted to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dgseg.site.contradictions import contradictions
from dgseg.site.known import KnownScan
from dgseg.site.wording import joined, listed

Kind = Literal["foreign", "damaged", "contradiction", "absent", "few", "one-scan"]


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
        *(Concern("contradiction", *found) for found in contradictions(scans, names)),
        *_absent(scans, names),
        *_few(scans),
        *_single(scans),
    )


def _foreign(scans: Sequence[KnownScan]) -> Iterable[Concern]:
    found = [scan for scan in scans if scan.distance is not None and scan.distance.foreign]
    if not found:
        return
    n, titles = len(scans), listed([scan.title for scan in found])
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
                sentence.format(listed([scan.title for scan in found])),
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
        f"No corrected slice shows the {joined(missing, 'or')}: of that the corrections teach "
        "nothing. Correct a slice that shows it, if you can.",
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
