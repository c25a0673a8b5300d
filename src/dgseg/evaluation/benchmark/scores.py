"""What a finished cell is scored by: overlaps, distances, and how far codes are apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from dgseg.datasets.registry import Entry
from dgseg.inference.segmenter import Segmenter
from dgseg.metrics.dependence import distance_correlation
from dgseg.metrics.pooled import pooled_dice
from dgseg.metrics.scores import score
from dgseg.nets.resample import resize
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.preprocessing import Preprocessing, grid_size, normalise
from dgseg.scans.schema import LabelSchema

_BATCH = 16
_CELLS = 4
"""Rows and columns to which anatomy is averaged before it is compared with codes."""


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


def distance_correlations(
    net: nn.Module, images: Tensor | Sequence[Tensor]
) -> dict[str, float] | None:
    """How far the anatomy of slices depends on their style and domain codes.

    Distance correlation over slices, as DGNet's paper (Liu et al., MICCAI 2021) judges
    its disentanglement; low is good. Anatomy enters as the mean of each channel and as
    its averages over the 4 x 4 fields of an even grid, in one vector: how much of what
    there is, and roughly where. Codes are the means of their distributions.

    Parameters
    ----------
    net : nn.Module
        Any; its mode (training or evaluation) is left as it was.
    images : Tensor, shape (N, 1, H, W), or sequence of these
        Preprocessed slices, at least two in all; sizes may differ between tensors.

    Returns
    -------
    dict or None
        ``style``, ``domain`` and ``both`` (the two codes as one vector), 0 to 1; None
        where the network has no anatomy and codes (methods ``anatomy`` and ``encode``).

    Raises
    ------
    ValueError
        If there are fewer than two slices, or codes that are not finite.
    """
    if not (hasattr(net, "encode") and hasattr(net, "anatomy")):
        return None
    batches = [images] if isinstance(images, Tensor) else images
    was_training = net.training
    net.eval()
    try:
        found = [_factors(net, part) for batch in batches for part in batch.split(_BATCH)]
    finally:
        net.train(was_training)
    anatomy, style, domain = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return {
        "style": distance_correlation(anatomy, style),
        "domain": distance_correlation(anatomy, domain),
        "both": distance_correlation(anatomy, np.concatenate([style, domain], axis=1)),
    }


def _factors(net: Any, images: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pooled anatomy, style and domain code of a few slices, one row each."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        images = images.to(device)
        z = net.anatomy(images).float()
        codes = net.encode(images)
        fields = F.adaptive_avg_pool2d(z, _CELLS).flatten(1)
        pooled = torch.cat([z.mean(dim=(2, 3)), fields], dim=1)
    rows = (pooled, codes.style_mean, codes.domain_mean)
    anatomy, style, domain = (row.double().cpu().numpy() for row in rows)
    return anatomy, style, domain
