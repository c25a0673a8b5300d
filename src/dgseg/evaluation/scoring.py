"""A model against what people drew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from dgseg.datasets.registry import Entry
from dgseg.inference.segmenter import Segmenter
from dgseg.metrics.scores import score
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.schema import LabelSchema

_FAR_MM = 10.0
"""Foreground at least this far, in the plane, from the true one is stray."""


@dataclass(frozen=True)
class ScanScore:
    """How a proposal for one scan compares with what a person drew.

    Attributes
    ----------
    scan_id, domain : str
    n_slices : int
        Annotated slices; only these count.
    dice : dict of str to float
        3-D, by the short name of a structure, 0 to 1.
    hd95_mm : dict of str to float
        95th percentile of the distances between the surfaces.
    stray_voxels : int
        Foreground voxels in annotated slices 10 mm or more from any true one
        of the same slice.
    """

    scan_id: str
    domain: str
    n_slices: int
    dice: dict[str, float]
    hd95_mm: dict[str, float]
    stray_voxels: int


def score_scan(labels: np.ndarray, truth: AnnotatedScan, schema: LabelSchema) -> ScanScore:
    """Compare labels with the annotated slices of a scan.

    Parameters
    ----------
    labels : ndarray of uint8, shape (slices, rows, columns)
        What a model proposes, in canonical orientation.
    truth : AnnotatedScan
        With labels.
    schema : LabelSchema
    """
    if truth.labels is None:
        raise ValueError("a scan without labels cannot be scored")
    marks, spacing = truth.annotated, truth.scan.geometry.spacing
    result = score(labels, truth.labels, spacing, schema.n_classes, slices=marks)
    names = [label.short_name for label in schema.labels]
    return ScanScore(
        scan_id=truth.scan.scan_id,
        domain=truth.domain,
        n_slices=int(marks.sum()),
        dice=dict(zip(names, map(float, result.dice), strict=True)),
        hd95_mm=dict(zip(names, map(float, result.hd95), strict=True)),
        stray_voxels=_stray(labels[marks], truth.labels[marks], spacing[1:]),
    )


def score_entries(segmenter: Segmenter, entries: Iterable[Entry]) -> tuple[ScanScore, ...]:
    """Segment and score all labelled scans of a data set, one after the other."""
    scores = []
    for entry in entries:
        if entry.labelled:
            truth = entry.load()
            proposal = segmenter.segment(truth.scan)
            scores.append(score_scan(proposal.labels, truth, segmenter.info.labels))
    return tuple(scores)


def _stray(labels: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> int:
    total = 0
    for found, drawn in zip(labels != 0, truth != 0, strict=True):
        if found.any() and drawn.any():
            total += int((found & (distance_transform_edt(~drawn, spacing) >= _FAR_MM)).sum())
        else:
            total += int(found.sum())
    return total
