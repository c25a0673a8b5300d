"""Boxes around what is of interest in an array."""

from __future__ import annotations

import numpy as np


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
