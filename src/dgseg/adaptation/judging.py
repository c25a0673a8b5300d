"""Both models on the scans that tell them apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dgseg.adaptation.gate import GAIN, Evidence
from dgseg.adaptation.holdout import HeldoutScores, Overlap, mean_dice, structure_names
from dgseg.adaptation.reader import SiteReader
from dgseg.adaptation.watcher import AdaptationStopped, Watcher, check_stop
from dgseg.bundles.bundle import BundleInfo
from dgseg.inference.batches import SegmentationStopped
from dgseg.inference.segmenter import Segmenter
from dgseg.scans.scan import Scan
from dgseg.scans.schema import LabelSchema
from dgseg.site.proposals import Proposal, read_proposal, write_proposal
from dgseg.site.snapshot import SnapshotScan

UNCORRECTED_SCANS = 4
"""Uncorrected scans in which both models are compared: enough to see a collapse."""


class LazySegmenter:
    """A bundle that is loaded when the first scan needs it.

    Parameters
    ----------
    bundle : Path
    info : BundleInfo
        Of that bundle.
    device, precision : str
    """

    def __init__(self, bundle: Path, info: BundleInfo, device: str, precision: str) -> None:
        self.info = info
        self._arguments = (bundle, device, precision)
        self._segmenter: Segmenter | None = None

    def proposal(self, scan: Scan, folder: Path, watcher: Watcher) -> Proposal:
        """The proposal for a scan: from the folder, where an earlier run left it."""
        known = read_proposal(folder)
        if known is not None and known.bundle_id == self.info.bundle_id:
            return known
        if self._segmenter is None:
            self._segmenter = Segmenter(*self._arguments)
        try:
            found = self._segmenter.segment(scan, should_stop=watcher.should_stop)
        except SegmentationStopped as stop:
            raise AdaptationStopped from stop
        proposal = found.proposal(self.info.bundle_id)
        write_proposal(folder, proposal)
        return proposal

    def release(self) -> None:
        """Let go of the model."""
        if self._segmenter is not None:
            self._segmenter.release()
            self._segmenter = None


@dataclass
class Comparison:
    """Old and new proposals, scan by scan.

    Attributes
    ----------
    heldout : HeldoutScores
    volume_ratio, area_ratio, agreement
        As in `Evidence`.
    area_mm2 : list of float
        Mean area of each structure in the corrected slices.
    proposed : list of str
        Scans for which the candidate's proposal is in its folder.
    """

    schema: LabelSchema
    heldout: HeldoutScores
    area_mm2: list[float]
    volume_ratio: dict[str, dict[str, float | None]] = field(default_factory=dict)
    area_ratio: dict[str, dict[str, float | None]] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)
    proposed: list[str] = field(default_factory=list)

    def add_heldout(
        self, item: SnapshotScan, slices: Sequence[int], old: np.ndarray, new: np.ndarray
    ) -> None:
        """Take the held-out slices of a corrected scan."""
        assert item.labels is not None
        for index in slices:
            self.heldout.add(item.scan_id, index, item.labels[index], old[index], new[index])

    def add_uncorrected(self, scan: Scan, old: np.ndarray, new: np.ndarray) -> None:
        """Take a scan that nobody has corrected."""
        scan_id = scan.scan_id
        names = structure_names(self.schema)
        overlap = Overlap.of(old, new, self.schema.n_classes)
        self.volume_ratio[scan_id] = {
            name: float(after / before) if before else None
            for name, before, after in zip(names, overlap.first, overlap.second, strict=True)
        }
        areas = overlap.second * _pixel_mm2(scan) / scan.n_slices
        self.area_ratio[scan_id] = {
            name: float(area / usual) if usual else None
            for name, area, usual in zip(names, areas, self.area_mm2, strict=True)
        }
        dice = mean_dice(dict(zip(names, overlap.dice(), strict=True)))
        if dice is not None:
            self.agreement[scan_id] = dice

    def evidence(self) -> Evidence:
        """What the gate judges by."""
        before, after = self.heldout.pooled()
        gains = [
            (mean_dice(score.after) or 0.0) - (mean_dice(score.before) or 0.0)
            for score in self.heldout.slices
        ]
        return Evidence(
            n_heldout=len(self.heldout.slices),
            before=before,
            after=after,
            n_better=sum(gain > GAIN for gain in gains),
            n_worse=sum(gain < -GAIN for gain in gains),
            crossed=self.heldout.crossed,
            volume_ratio=self.volume_ratio,
            area_ratio=self.area_ratio,
            agreement=self.agreement,
        )


def compare(
    reader: SiteReader,
    old: LazySegmenter,
    new: LazySegmenter,
    heldout: Mapping[str, Sequence[int]],
    folders: tuple[Path, Path],
    watcher: Watcher,
    *,
    segment_all: bool,
    crossed: HeldoutScores | None = None,
) -> Comparison:
    """Let the candidate propose, and both models where they are compared.

    Parameters
    ----------
    folders : tuple of Path
        For the proposals of the old and of the new model, a folder a scan.
    segment_all : bool
        All scans, not only the corrected ones and those that are compared.
    crossed : HeldoutScores, optional
        What judges the candidate in the place of held-out slices.

    Raises
    ------
    AdaptationStopped
        If the watcher wanted it; proposals that are done are kept.
    """
    uncorrected = _spread([s for s in reader.usable if s.labels is None])
    corrected = [s for s in reader.usable if s.labels is not None]
    schema = old.info.labels
    areas = corrected_areas(_drawn(reader, corrected), schema)
    comparison = Comparison(schema, crossed or HeldoutScores(schema), areas)
    compared = {s.scan_id for s in uncorrected} | set(heldout)
    todo = [*corrected, *uncorrected]
    if segment_all:
        todo += [s for s in reader.usable if s.labels is None and s not in uncorrected]
    for number, item in enumerate(todo):
        check_stop(watcher)
        scan = reader.read(item)
        if scan is not None:
            after = new.proposal(scan, folders[1] / item.scan_id, watcher).labels
            comparison.proposed.append(item.scan_id)
            if item.scan_id in compared:
                before = old.proposal(scan, folders[0] / item.scan_id, watcher).labels
                if item.labels is None:
                    comparison.add_uncorrected(scan, before, after)
                else:
                    comparison.add_heldout(item, heldout[item.scan_id], before, after)
        watcher.progress(number + 1, len(todo))
    return comparison


def _spread(scans: list[SnapshotScan]) -> list[SnapshotScan]:
    """A few of them, evenly spread over the list."""
    n = min(UNCORRECTED_SCANS, len(scans))
    return [scans[int((i + 0.5) * len(scans) / n)] for i in range(n)]


def corrected_areas(
    drawn: Iterable[tuple[Scan, np.ndarray]], schema: LabelSchema
) -> list[float]:
    """Mean area of each structure in the corrected slices, square millimetres.

    Parameters
    ----------
    drawn : iterable of (Scan, ndarray of uint8)
        Scans, each with the labels (slices, rows, columns) of its corrected slices alone.
    schema : LabelSchema
    """
    total, n_slices = np.zeros(len(schema.labels)), 0
    for scan, labels in drawn:
        total += Overlap.of(labels, labels, schema.n_classes).both * _pixel_mm2(scan)
        n_slices += len(labels)
    return [float(area) for area in total / max(n_slices, 1)]


def _drawn(
    reader: SiteReader, corrected: Sequence[SnapshotScan]
) -> Iterator[tuple[Scan, np.ndarray]]:
    for item in corrected:
        scan = reader.read(item)
        if scan is not None and item.labels is not None and item.annotated is not None:
            yield scan, item.labels[item.annotated]


def _pixel_mm2(scan: Scan) -> float:
    _, row_mm, column_mm = scan.geometry.spacing
    return row_mm * column_mm
