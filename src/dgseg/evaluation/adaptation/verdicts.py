"""What the gate would have said of a candidate, without a look at what is scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

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
from dgseg.scans.scan import Scan
from dgseg.site.snapshot import SnapshotScan


def verdict(
    models: tuple[LazySegmenter, LazySegmenter],
    there: Mapping[str, AnnotatedScan],
    corrected: Slices,
    kept: Slices,
    folders: tuple[Path, Path],
    watcher: Watcher,
    *,
    crossed: HeldoutScores | None = None,
) -> dict[str, Any]:
    """Compare a candidate with its bundle as an adaptation at a site does it.

    Parameters
    ----------
    models : tuple of LazySegmenter
        The bundle, and the candidate.
    there : mapping of str to AnnotatedScan
        The scans of the site, see `site_of`.
    corrected, kept : mapping of str to tuple of int
        Slices by scan that were learnt from, and those that the gate judges by.
    folders : tuple of Path
        For the proposals of the two models, a folder a scan.
    watcher : Watcher
    crossed : HeldoutScores, optional
        What judges in the place of `kept`.

    Returns
    -------
    dict
        Fields of `dgseg.adaptation.gate.Verdict`.
    """
    schema = models[0].info.labels
    areas = corrected_areas(_drawn(there, corrected), schema)
    comparison = Comparison(schema, crossed or HeldoutScores(schema), areas)

    def proposals(scan: Scan) -> list[np.ndarray]:
        return [
            model.proposal(scan, folder / scan.scan_id, watcher).labels
            for model, folder in zip(models, folders, strict=True)
        ]

    for scan_id, slices in kept.items():
        item = there[scan_id]
        comparison.add_heldout(_snapshot(item, slices), slices, *proposals(item.scan))
    others = [item for key, item in there.items() if key not in {**corrected, **kept}]
    for item in _spread(others):
        comparison.add_uncorrected(item.scan, *proposals(item.scan))
    return asdict(judge(comparison.evidence()))


def _drawn(
    there: Mapping[str, AnnotatedScan], corrected: Slices
) -> Iterator[tuple[Scan, np.ndarray]]:
    for scan_id, slices in corrected.items():
        item = there[scan_id]
        yield item.scan, labels_of(item)[list(slices)]


def site_of(halves: Halves, entries: Sequence[Entry]) -> dict[str, AnnotatedScan]:
    """The scans of the adaptation half by their identifiers.

    Parameters
    ----------
    halves : Halves
    entries : sequence of Entry
        Of the whole data set; only scans of the adaptation half are read.
    """
    loaded = (
        halves.adaptation_part(entry.load()) for entry in halves.adaptation_entries(entries)
    )
    return {item.scan.scan_id: item for item in loaded}


def labels_of(item: AnnotatedScan) -> np.ndarray:
    """The true labels of a scan that was corrected."""
    assert item.labels is not None  # or it could not have been corrected
    return item.labels


def _snapshot(item: AnnotatedScan, slices: Sequence[int]) -> SnapshotScan:
    scan = item.scan
    return SnapshotScan(
        scan.scan_id, scan.source, item.domain, item.labels, marked(item, slices)
    )


def _spread(items: Sequence[AnnotatedScan]) -> list[AnnotatedScan]:
    """A few of them, evenly spread over the list."""
    n = min(UNCORRECTED_SCANS, len(items))
    return [items[int((i + 0.5) * len(items) / n)] for i in range(n)]
