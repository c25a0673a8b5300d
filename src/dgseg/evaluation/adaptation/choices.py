"""Other ways to choose the slices that a simulated person corrects: at random, or as advised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dgseg.adaptation.judging import LazySegmenter
from dgseg.adaptation.watcher import Watcher
from dgseg.datasets.dataset import Entry
from dgseg.evaluation.adaptation.corrections import Candidates, saved_list
from dgseg.evaluation.adaptation.halves import Halves
from dgseg.site.pool import ScanSlices, pool_of
from dgseg.site.suggest import suggest_slice
from dgseg.site.survey import slices_of


@dataclass(frozen=True)
class Pick:
    """A slice that is chosen.

    Attributes
    ----------
    scan_id : str
    slice : int
    reason : str
        Why, where that is known.
    """

    scan_id: str
    slice: int
    reason: str = ""


def at_random(
    there: Sequence[Candidates], k: int, target: str, seed: int
) -> dict[str, tuple[int, ...]]:
    """Choose slices at random, all with the same chance.

    The seed and the target alone decide, on every machine; the slices for a smaller k
    are among those for a larger one.

    Parameters
    ----------
    there : sequence of Candidates
    k : int
        How many; all where there are not so many.
    target : str
    seed : int

    Returns
    -------
    dict of str to tuple of int
        Slices by scan, sorted.
    """

    def place(pick: Pick) -> bytes:
        key = json.dumps([seed, target, pick.scan_id, pick.slice])
        return hashlib.sha256(key.encode()).digest()

    every = [Pick(scan.scan_id, index) for scan in there for index in scan.slices]
    return by_scan(sorted(every, key=place)[:k])


def by_scan(picks: Iterable[Pick]) -> dict[str, tuple[int, ...]]:
    """Slices by scan, sorted."""
    found: dict[str, set[int]] = {}
    for pick in picks:
        found.setdefault(pick.scan_id, set()).add(pick.slice)
    return {scan_id: tuple(sorted(slices)) for scan_id, slices in found.items()}


def as_suggested(
    scans: Sequence[ScanSlices], there: Sequence[Candidates], k: int, names: Sequence[str]
) -> list[Pick]:
    """Let `dgseg.site.suggest` advise a person who corrects what it suggests, k times.

    Parameters
    ----------
    scans : sequence of ScanSlices
        What is known of all slices of the site before anything is corrected.
    there : sequence of Candidates
        What can be suggested: of nothing else the true labels are known. All other slices
        are a part of the site nevertheless.
    k : int
        How many; all where there are not so many.
    names : sequence of str
        Of the structures.

    Returns
    -------
    list of Pick
        In the order in which they were suggested.
    """
    allowed = {scan.scan_id: scan.slices for scan in there}
    pool = pool_of(scans)
    known = [
        index in allowed.get(pool.scan_ids[scan], ())
        for scan, index in zip(pool.scan, pool.index, strict=True)
    ]
    pool = replace(pool, uncertainty=np.where(known, pool.uncertainty, np.nan))
    done: dict[str, set[int]] = {}
    picks: list[Pick] = []
    while len(picks) < k:
        advice = suggest_slice(pool, done, names)
        if advice is None:
            break
        done.setdefault(advice.scan_id, set()).add(advice.slice)
        picks.append(Pick(advice.scan_id, advice.slice, advice.reason))
    return picks


def survey_half(
    halves: Halves,
    entries: Sequence[Entry],
    model: LazySegmenter,
    folder: Path,
    watcher: Watcher,
) -> list[ScanSlices]:
    """What a model knows of the slices of the adaptation half.

    Parameters
    ----------
    halves : Halves
    entries : sequence of Entry
        Of the whole data set; only scans of the adaptation half are read.
    model : LazySegmenter
        The bundle.
    folder : Path
        For its proposals, a folder a scan.
    watcher : Watcher

    Raises
    ------
    AdaptationStopped
        If the watcher wanted it; proposals that are done are kept.
    """
    n_structures = len(model.info.labels.labels)
    found = []
    for entry in halves.adaptation_entries(entries):
        scan = entry.load().scan
        proposal = model.proposal(scan, folder / scan.scan_id, watcher)
        found.append(slices_of(scan.scan_id, proposal, n_structures))
    return found


def saved_picks(path: Path, make: Callable[[], list[Pick]]) -> list[Pick]:
    """Picks from a file, or made and saved where there is none.

    Raises
    ------
    DatasetError
        If the file is damaged; and what `make` raises.
    """

    def take(each: dict[str, Any]) -> Pick:
        return Pick(str(each["scan_id"]), int(each["slice"]), str(each["reason"]))

    return saved_list(path, "slices", make, take, "The list of slices that were suggested")
