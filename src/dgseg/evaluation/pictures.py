"""Slices with the outlines of their structures, as PNG for reports."""

from __future__ import annotations

import base64
import io

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.image import imsave

from dgseg.scans.schema import LabelSchema

_LEAST_PX = 256
"""Pixels of a picture's shorter side, at least."""


def draw(image: np.ndarray, labels: np.ndarray | None, schema: LabelSchema) -> str:
    """A slice with the outlines of its structures.

    Parameters
    ----------
    image : ndarray, shape (rows, columns)
        Intensities; shown from their 1st to their 99th percentile.
    labels : ndarray of integers, same shape, or None
    schema : LabelSchema
        Whose colours are used.

    Returns
    -------
    str
        A ``data:image/png;base64,...`` address.
    """
    low, high = np.percentile(image, (1, 99))
    grey = np.clip((image - low) / max(high - low, 1e-12), 0, 1)
    factor = max(1, -(-_LEAST_PX // min(image.shape)))
    canvas = np.repeat(_enlarge(grey, factor)[:, :, None], 3, axis=2)
    if labels is not None:
        large = _enlarge(labels, factor)
        for label in schema.labels:
            canvas[_outline(large == label.value, max(1, factor // 3))] = to_rgb(label.color)
    buffer = io.BytesIO()
    imsave(buffer, (canvas * 255).astype(np.uint8), format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _enlarge(array: np.ndarray, factor: int) -> np.ndarray:
    return array.repeat(factor, axis=0).repeat(factor, axis=1)


def _outline(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask within `width` of its outside."""
    padded = np.pad(mask, width)
    inner = mask.copy()
    for shift in range(1, width + 1):
        for axis in (0, 1):
            for step in (-shift, shift):
                moved = np.roll(padded, step, axis=axis)
                inner &= moved[width:-width, width:-width]
    return mask & ~inner
