"""Boxes around what is of interest in an array."""

from __future__ import annotations

import numpy as np

_MARGIN = 0.6
"""What is shown around structures, as a share of their size."""


def bounding_box(mask: np.ndarray) -> tuple[slice, ...] | None:
    """The smallest box around what is true; None where nothing is."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(i for i in range(mask.ndim) if i != axis)
        where = np.flatnonzero(mask.any(axis=others))
        if not where.size:
            return None
        box.append(slice(int(where[0]), int(where[-1]) + 1))
    return tuple(box)


def crop_around(labels: list[np.ndarray]) -> tuple[slice, slice]:
    """Rows and columns that hold the structures of several label slices, with a margin.

    Parameters
    ----------
    labels : list of ndarray, shape (rows, columns)
        Of the same slice.

    Returns
    -------
    tuple of slice
        The whole slice where none holds anything.
    """
    foreground = np.any([label != 0 for label in labels], axis=0)
    if not foreground.any():
        rows, columns = foreground.shape
        return slice(0, rows), slice(0, columns)
    where = np.argwhere(foreground)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    half = max(8, int((high - low).max() * (0.5 + _MARGIN)))
    middle = (low + high) // 2
    first = np.maximum(middle - half, 0)
    last = np.minimum(middle + half, foreground.shape)
    return slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))
