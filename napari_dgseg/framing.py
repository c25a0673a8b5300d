"""How close the viewer looks at a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_AROUND = 2.5
"""So many times as wide as what is looked at, for a person to know where it is."""

_WORTH = 1.3
"""Coming nearer by less than this only makes the picture jump."""


def come_near(viewer: ViewerModel, layer: Layer, mask: np.ndarray) -> None:
    """From the view of a whole scan, come near to a part that is small in it.

    Nothing happens where the part is large, or where the viewer does not show slices
    as they are.

    Parameters
    ----------
    viewer : ViewerModel
        napari's, with its view just reset.
    layer : Layer
        What fills the view, of three axes.
    mask : ndarray of bool, shape (rows, columns)
        The part, in the layer's pixels.
    """
    shown = tuple(viewer.dims.displayed)
    if shown != (viewer.dims.ndim - 2, viewer.dims.ndim - 1) or not mask.any():
        return
    where = np.argwhere(mask)
    low, high = where.min(axis=0), where.max(axis=0)
    scale, origin = np.asarray(layer.scale)[-2:], np.asarray(layer.translate)[-2:]
    nearer = float(min(np.asarray(mask.shape) / (_AROUND * (high - low + 1))))
    if nearer >= _WORTH:
        viewer.camera.zoom *= nearer
        viewer.camera.center = tuple(origin + scale * (low + high) / 2)
