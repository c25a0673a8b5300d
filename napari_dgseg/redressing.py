"""An old layer made to look as a new one would.

napari takes about 0.1 s of the window's thread to add a layer (controls, nodes of the
canvas) and more to remove one, for it then collects all garbage of the program. Other
data in a layer that is there takes a tenth of that.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer

_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")

_LOOK = ("name", "opacity", "blending", "visible")

_LOOK_OF: dict[type[Layer], tuple[str, ...]] = {
    Image: (
        "contrast_limits_range",
        "contrast_limits",
        "gamma",
        "colormap",
        "interpolation2d",
        "interpolation3d",
        "rendering",
        "iso_threshold",
        "attenuation",
        "projection_mode",
    ),
    Labels: ("colormap", "features", "selected_label", "contour", "rendering"),
}


def can_become(old: Layer, new: Layer) -> bool:
    """Whether `redress` can make the layer `old` look as `new` does."""
    kind = type(new)
    return type(old) is kind and kind in _LOOK_OF and not (_is_special(old) or _is_special(new))


def redress(old: Layer, new: Layer) -> None:
    """Give the layer `old` the data of `new`, its place and its look.

    What a person did to the old one does not stay: another contrast, a rotation, or
    strokes that could be undone.

    Parameters
    ----------
    old : Layer
        In a viewer; images and labels can be redressed, see `can_become`.
    new : Layer
        In none.
    """
    if isinstance(old, Labels):
        # The history would write labels of the old data into the new ones.
        old.editable = False
    else:
        old.mode = new.mode
    old.metadata = new.metadata
    for name in _PLACE:
        _set(old, new, name)
    old.data = new.data
    for name in (*_LOOK_OF[type(old)], *_LOOK):
        _set(old, new, name)
    old.editable = new.editable


def _is_special(layer: Any) -> bool:
    return bool(getattr(layer, "multiscale", False) or getattr(layer, "rgb", False))


def _set(old: Layer, new: Layer, name: str) -> None:
    """Set what differs: each change has the viewer measure or draw everything again."""
    wanted = getattr(new, name)
    if not _is_same(getattr(old, name), wanted):
        setattr(old, name, wanted)


def _is_same(one: Any, other: Any) -> bool:
    if hasattr(one, "affine_matrix"):
        one, other = one.affine_matrix, other.affine_matrix
    if hasattr(one, "equals"):
        return bool(one.equals(other))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    with suppress(ValueError):  # colours are arrays, which have no one truth value
        return bool(one == other)
    return False
