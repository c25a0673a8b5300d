"""What a finished cell is scored by: overlaps and distances, and slices for its codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dgseg.datasets.registry import Entry
from dgseg.inference.segmenter import Segmenter
from dgseg.metrics.pooled import pooled_dice
from dgseg.metrics.scores import score
from dgseg.nets.resample import resize
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.preprocessing import Preprocessing, grid_size, normalise
from dgseg.scans.schema import LabelSchema


def score_subject_scans(
    segmenter: Segmenter, entries: Iterable[Entry], in_pixels: bool
) -> list[dict[str, Any]]:
    """Segment and score all labelled scans among some, one after the other.

    Parameters
    ----------
    segmenter : Segmenter
    entries : iterable of Entry
        Those without labels, or without any annotated slice, are passed over.
    in_pixels : bool
        Whether distances are in pixels, because the size of a voxel is unknown; the
        step from slice to slice, several pixels in truth, then counts as one.

    Returns
    -------
    list of dict
        As `score_subject_scan`, one for each scan.
    """
    found = []
    for entry in entries:
        truth = entry.load() if entry.labelled else None
        if truth is not None and truth.annotated.any():
            labels = segmenter.segment(truth.scan).labels
            found.append(score_subject_scan(labels, truth, segmenter.info.labels, in_pixels))
    return found


def score_subject_scan(
    labels: np.ndarray, truth: AnnotatedScan, schema: LabelSchema, in_pixels: bool
) -> dict[str, Any]:
    """Compare labels with the annotated slices of a scan.

    Parameters
    ----------
    labels : ndarray of uint8, shape (slices, rows, columns)
        What a model proposes, in canonical orientation.
    truth : AnnotatedScan
        With labels.
    schema : LabelSchema
    in_pixels : bool
        As in `score_subject_scans`.

    Returns
    -------
    dict
        ``subject``, ``scan_id``, ``n_slices`` (annotated ones), and by short name of the
        structure ``dice``, ``iou``, ``precision``, ``recall``, ``specificity`` (3-D, 0
        to 1), ``hd95``, ``assd`` (pixels or millimetres) and ``dice_2d``, which also has
        ``pooled``: see `dgseg.metrics.pooled.pooled_dice`.

    Raises
    ------
    ValueError
        If nothing of the scan is annotated.
    """
    if truth.labels is None:
        raise ValueError("a scan without labels cannot be scored")
    marks = truth.annotated
    spacing = (1.0, 1.0, 1.0) if in_pixels else truth.scan.geometry.spacing
    whole = score(labels, truth.labels, spacing, schema.n_classes, slices=marks)
    plane = pooled_dice(labels, truth.labels, schema.n_classes, slices=marks)
    names = [label.short_name for label in schema.labels]

    def by_name(values: np.ndarray) -> dict[str, float]:
        return dict(zip(names, map(float, values), strict=True))

    return {
        "subject": truth.subject,
        "scan_id": truth.scan.scan_id,
        "n_slices": int(marks.sum()),
        **{name: by_name(values) for name, values in vars(whole).items()},
        "dice_2d": {"pooled": plane.pooled, **by_name(plane.per_class)},
    }


def model_slices(entries: Iterable[Entry], preprocessing: Preprocessing) -> list[Tensor]:
    """The annotated slices of labelled scans as a network sees them.

    Parameters
    ----------
    entries : iterable of Entry
        Those without labels are passed over.
    preprocessing : Preprocessing
        Of the bundle.

    Returns
    -------
    list of Tensor, each of shape (slices, 1, rows, columns), float32
        One for each scan, on the model's grid, which differs where extents do.
    """
    found = []
    for entry in entries:
        truth = entry.load() if entry.labelled else None
        if truth is not None and truth.annotated.any():
            images = normalise(truth.scan.array, preprocessing)[truth.annotated]
            grid = grid_size(truth.scan.geometry, preprocessing)
            found.append(resize(torch.from_numpy(images[:, None]), grid))
    return found
