"""A slice along every dimension of a code, as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave

from dgseg.bundles.style_bank import StyleBank
from dgseg.errors import MethodError, write_error
from dgseg.factors.map import moments, pooled
from dgseg.files import atomic_write
from dgseg.inference.batches import Progress, ShouldStop, in_batches
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.decoding import SliceParts
from dgseg.inspection.parts import on_scan, put_together

DEVIATIONS = (-3, -2, -1, 0, 1, 2, 3)
"""Of a dimension, from its mean over the domains."""

_PANEL_IN = 1.25
"""Width of a picture, whose pixels are the sheet's own, against the letters beside it."""

_LEAST = 100
"""Pixels across a picture below which the letters cannot be read: each is drawn larger."""

_LEFT_IN, _TOP_IN = 0.75, 0.6
_GAP = 0.04
"""Between two pictures, as a share of a picture."""


def traverse(
    segmenter: Segmenter,
    kept: SliceParts,
    code: Literal["style", "domain"],
    *,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> np.ndarray:
    """The slice's anatomy with one dimension of a code after the other changed.

    All other dimensions stay as the slice has them. A dimension takes the values
    mean + k deviation, k = -3 to 3: of the domains in the bundle's style bank, or of
    the prior N(0, 1) where there is none.

    Parameters
    ----------
    segmenter : Segmenter
        That took the slice apart.
    kept : SliceParts
    code : {'style', 'domain'}
    progress, should_stop
        As in `Segmenter.segment`.

    Returns
    -------
    ndarray of float32, shape (dimensions, 7, H, W)
        On the model's grid, 0 to 1.

    Raises
    ------
    MethodError
        If the model has no such code.
    SegmentationStopped
        If `should_stop` said so.
    """
    own = getattr(kept.parts, code)
    dims = own.shape[1]
    if not dims:
        raise MethodError(
            "This model has no domain code.", remedy="Look at the style, or at another model."
        )
    middle, deviation = spread(segmenter.info.style_bank, code, dims)
    values = middle[:, None] + deviation[:, None] * np.array(DEVIATIONS)
    codes = own.repeat(dims * len(DEVIATIONS), 1)
    place = np.arange(len(codes))
    codes[place, place // len(DEVIATIONS)] = torch.from_numpy(values.ravel()).to(codes)
    other = {name: getattr(kept.parts, name) for name in ("style", "domain")}
    painted = np.empty((len(codes), *kept.parts.anatomy.shape[-2:]), np.float32)

    def paint(part: slice) -> None:
        n = len(codes[part])
        given = {name: value.expand(n, -1) for name, value in other.items()}
        given[code] = codes[part]
        anatomy = kept.parts.anatomy.expand(n, -1, -1, -1)
        turned = put_together(segmenter, anatomy, **given)
        upright = on_scan(turned, kept.pose, painted[0].shape)
        painted[part] = upright[:, 0].cpu().numpy()

    in_batches(segmenter.runner, len(codes), painted[0].size, paint, progress, should_stop)
    return painted.reshape(dims, len(DEVIATIONS), *painted.shape[1:])


def spread(
    bank: StyleBank | None, code: Literal["style", "domain"], dims: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation (dims,) of a code over the domains of a bundle, or of the prior."""
    if bank is None:
        return np.zeros(dims), np.ones(dims)
    return pooled(*moments(bank, code))


def write_sheet(path: Path, pictures: np.ndarray, code: Literal["style", "domain"]) -> Path:
    """Draw the pictures of `traverse`: a dimension a row, a value a column.

    Beside each dimension stands the mean absolute change of the picture from one end
    of its row to the other: near 0 where the dimension carries nothing.

    Parameters
    ----------
    path : Path
        A PNG file.
    pictures : ndarray, shape (dimensions, 7, H, W)
    code : {'style', 'domain'}

    Raises
    ------
    WorkspaceWriteError
        If the disk refuses.
    """
    sheet = _lettered(pictures, code)
    try:
        with atomic_write(path) as file:
            imsave(cast("BinaryIO", file), sheet, format="png")
    except OSError as error:
        raise write_error("The sheet could not be saved", path, error) from error
    return path


def _lettered(pictures: np.ndarray, code: Literal["style", "domain"]) -> np.ndarray:
    """The whole sheet, uint8 of shape (rows, columns, 3).

    The letters are drawn alone, and the pictures laid in between: a figure with a hundred
    pictures of its own takes ten seconds to lay out.
    """
    times = -(-_LEAST // pictures.shape[3])
    pictures = pictures.repeat(times, axis=2).repeat(times, axis=3)
    dims, columns, rows, width = pictures.shape
    dpi = width / _PANEL_IN
    left, top = round(_LEFT_IN * dpi), round(_TOP_IN * dpi)
    across, down = (side + max(1, round(_GAP * side)) for side in (width, rows))
    size = (left + columns * across, top + dims * down)
    figure = Figure(figsize=(size[0] / dpi, size[1] / dpi), dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    changes = np.abs(pictures[:, -1] - pictures[:, 0]).mean(axis=(1, 2))
    heads = [f"{value:+d}" if value else "0" for value in DEVIATIONS]
    beside = [f"{code[0]}{k + 1}\n{change:.3f}" for k, change in enumerate(changes)]

    def write(x: float, y: float, text: str, ha: str, va: str, points: float = 10) -> None:
        place = x / size[0], 1 - y / size[1]
        figure.text(*place, text, ha=ha, va=va, fontsize=points)

    write(left + 4, 0.08 * dpi, f"{_TITLE} {_NAMES[code]}: {_HOW}", "left", "top", 8)
    for column, text in enumerate(heads):
        write(left + column * across + width / 2, top - 0.06 * dpi, text, "center", "bottom")
    for k, text in enumerate(beside):
        write(left - 0.08 * dpi, top + k * down + rows / 2, text, "right", "center")
    canvas.draw()
    sheet = np.array(canvas.buffer_rgba())[..., :3]
    for k in range(dims):
        for column in range(columns):
            x, y = left + column * across, top + k * down
            grey = np.clip(pictures[k, column] * 255 + 0.5, 0, 255).astype(np.uint8)
            sheet[y : y + rows, x : x + width] = grey[..., None]
    return sheet


_TITLE = "One slice along each dimension of its"
_HOW = "value in deviations; below the dimension, how much the picture changes"
_NAMES = {"style": "style", "domain": "domain code"}
