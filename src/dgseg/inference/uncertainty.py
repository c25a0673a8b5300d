"""How sure a model is, per pixel and per slice."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor

from dgseg.scans.boxes import bounding_box

_REACH = 3
"""How far around the structures a slice is looked at, in pixels."""


def normalised_entropy(probabilities: Tensor) -> Tensor:
    """Entropy of class probabilities, 0 (sure) to 1 (all classes alike).

    Parameters
    ----------
    probabilities : Tensor, shape (N, C, H, W)
        Each pixel sums to one.

    Returns
    -------
    Tensor, shape (N, H, W)
        ``-sum(p log p) / log C``.
    """
    n_classes = probabilities.shape[1]
    entropy = torch.special.entr(probabilities).sum(dim=1)
    return (entropy / math.log(n_classes)).clamp_(0, 1)


def slice_uncertainty(labels: np.ndarray, uncertainty: np.ndarray) -> np.ndarray:
    """One number a slice, by which slices can be put in order for a person.

    It is the mean uncertainty near the structures: within three pixels, in the
    plane, of the foreground of the slice itself or of its two neighbours. The
    far background, where every model is sure, does not dilute it; and a slice
    in which the model lost a structure that its neighbours show is judged where
    the structure should be. A slice without any structure nearby is judged by
    its most uncertain pixels, as many as other slices are judged by (their
    median), or 1 % of the slice where there are no others.

    Parameters
    ----------
    labels : ndarray of uint8, shape (slices, rows, columns)
        The proposal.
    uncertainty : ndarray of uint8, same shape
        0 (sure) to 255.

    Returns
    -------
    ndarray of float32, shape (slices,)
        0 (sure) to 1.
    """
    n_slices = labels.shape[0]
    result = np.zeros(n_slices, np.float32)
    near = _near(labels)
    counts = np.zeros(n_slices, int) if near is None else near[0].sum(axis=(1, 2))
    if near is not None:
        mask, box = near
        totals = (uncertainty[:, box[0], box[1]] * mask).sum(axis=(1, 2), dtype=np.float64)
        result = (totals / np.maximum(counts, 1) / 255).astype(np.float32)
    filled = counts[counts > 0]
    typical = int(np.median(filled)) if filled.size else math.ceil(labels[0].size / 100)
    for index in np.flatnonzero(counts == 0):
        values = uncertainty[index].ravel()
        top = np.partition(values, values.size - typical)[-typical:]
        result[index] = top.mean() / 255
    return result


def _near(labels: np.ndarray) -> tuple[np.ndarray, tuple[slice, slice]] | None:
    """Mask (slices, h, w) of pixels near structures, and its box in the plane."""
    foreground = labels != 0
    box = bounding_box(foreground.any(axis=0))
    if box is None:
        return None
    rows, columns = (slice(max(0, part.start - _REACH), part.stop + _REACH) for part in box)
    inside = foreground[:, rows, columns]
    through = np.zeros((3, 3, 3), bool)
    through[:, 1, 1] = True
    disc = np.hypot(*np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]) <= _REACH
    joined = binary_dilation(inside, through)
    return binary_dilation(joined, disc[None]), (rows, columns)
