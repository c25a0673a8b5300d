"""Keeping the structure and dropping what is found far away from it."""

from __future__ import annotations

import numpy as np
from skimage.measure import label

from dgseg.scans.boxes import bounding_box


def keep_largest(labels: np.ndarray) -> np.ndarray:
    """Only the largest connected piece of the foreground.

    All structures together count as one foreground, for they touch in the body:
    the piece that is kept keeps its inner borders. Voxels that share a
    corner are connected.

    Parameters
    ----------
    labels : ndarray of uint8, shape (slices, rows, columns)

    Returns
    -------
    ndarray of uint8
        A copy with everything else set to 0; of pieces of the same size the
        first is kept.
    """
    box = bounding_box(labels != 0)
    if box is None:
        return labels.copy()
    inside = labels[box]
    pieces = label(inside != 0, connectivity=inside.ndim)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept = np.zeros_like(labels)
    kept[box] = np.where(pieces == sizes.argmax(), inside, 0)
    return kept
