"""What the gate would have said of a candidate, without a look at what is scored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dgseg.adaptation.gate import judge
from dgseg.adaptation.holdout import HeldoutScores
from dgseg.adaptation.judging import (
    UNCORRECTED_SCANS,
    Comparison,
    LazySegmenter,
    corrected_areas,
)
from dgseg.adaptation.watcher import Watcher
from dgseg.datasets.dataset import Entry
from dgseg.evaluation.adaptation.corrections import Slices, marked
from dgseg.evaluation.adaptation.halves import Halves
from dgseg.scans.annotated import AnnotatedScan
from dgseg.site.snapshot import SnapshotScan


def verdict(
    models: tuple[LazySegmenter, LazySegmenter],
    halves: Halves,
    entries: Sequence[Entry],
    corrected: Slices,
    kept: Slices,
    folders: tuple[Path, Path],
    watcher: Watcher,
) -> dict[str, Any]:
    """Compare a candidate with its bundle as an adaptation at a site does it.

    Parameters
    ----------
    models : tuple of LazySegmenter
        The bundle, and the candidate.
    halves : Halves
    entries : sequence of Entry
        Of the whole data set; only scans of the adaptation half are read.
    corrected, kept : mapping of str to tuple of int
        Slices by scan that were learnt from, and those that the gate judges by.
    folders : tuple of Path
        For the proposals of the two models, a folder a scan.
    watcher : Watcher

    Returns
    -------
    dict
        Fields of `dgseg.adaptation.gate.Verdict`.
    """
    old, new = models
    schema = old.info.labels
    scans = halves.adaptation_entries(entries)
    drawn = [item for item in _loaded(scans, halves) if item.scan.scan_id in corrected]
    areas = corrected_areas(
        (
            (item.scan, item.labels[list(corrected[item.scan.scan_id])])
            for item in drawn
            if item.labels is not None
        ),
        schema,
    )
    comparison = Comparison(schema, HeldoutScores(schema), areas)
    uncorrected = []
    for item in _loaded(scans, halves):
        scan_id = item.scan.scan_id
        if scan_id in kept:
            labels = [
                model.proposal(item.scan, folder / scan_id, watcher).labels
                for model, folder in zip(models, folders, strict=True)
            ]
            comparison.add_heldout(_snapshot(item, kept[scan_id]), kept[scan_id], *labels)
        elif scan_id not in corrected:
            uncorrected.append(item)
    for item in _spread(uncorrected):
        before, after = (
            model.proposal(item.scan, folder / item.scan.scan_id, watcher).labels
            for model, folder in zip((old, new), folders, strict=True)
        )
        comparison.add_uncorrected(item.scan, before, after)
    return asdict(judge(comparison.evidence()))


def _loaded(entries: Sequence[Entry], halves: Halves) -> Iterable[AnnotatedScan]:
    return (halves.adaptation_part(entry.load()) for entry in entries)


def _snapshot(item: AnnotatedScan, slices: Sequence[int]) -> SnapshotScan:
    scan = item.scan
    return SnapshotScan(
        scan.scan_id, scan.source, item.domain, item.labels, marked(item, slices)
    )


def _spread(items: Sequence[AnnotatedScan]) -> list[AnnotatedScan]:
    """A few of them, evenly spread over the list."""
    n = min(UNCORRECTED_SCANS, len(items))
    return [items[int((i + 0.5) * len(items) / n)] for i in range(n)]
