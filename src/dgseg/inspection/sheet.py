"""A slice along every dimension of a code, as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dgseg.bundles.style_bank import StyleBank
from dgseg.errors import MethodError, write_error
from dgseg.factors.map import moments, pooled
from dgseg.files import atomic_write
from dgseg.inference.segmenter import Segmenter, in_batches
from dgseg.inspection.decoding import SliceParts
from dgseg.inspection.parts import put_together

DEVIATIONS = (-3, -2, -1, 0, 1, 2, 3)
"""Of a dimension, from its mean over the domains."""

_DPI = 100
_PANEL_IN = 1.25


def traverse(
    segmenter: Segmenter, kept: SliceParts, code: Literal["style", "domain"]
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

    Returns
    -------
    ndarray of float32, shape (dimensions, 7, H, W)
        On the model's grid, 0 to 1.

    Raises
    ------
    MethodError
        If the model has no such code.
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
        painted[part] = put_together(segmenter, anatomy, **given)[:, 0].cpu().numpy()

    in_batches(segmenter.runner, len(codes), painted[0].size, paint)
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
    dims, columns, rows, width = pictures.shape
    height = _PANEL_IN * rows / width
    figure = Figure(
        figsize=(0.9 + _PANEL_IN * columns, 0.7 + height * dims), dpi=_DPI, layout="constrained"
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(dims, columns, squeeze=False)
    changes = np.abs(pictures[:, -1] - pictures[:, 0]).mean(axis=(1, 2))
    for k, (row, change) in enumerate(zip(panels, changes, strict=True)):
        for column, axes in enumerate(row):
            axes.imshow(pictures[k, column], cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            if k == 0:
                axes.set_title(f"{DEVIATIONS[column]:+d}" if DEVIATIONS[column] else "0")
        row[0].set_ylabel(
            f"{code[0]}{k + 1}\n{change:.3f}", rotation=0, ha="right", va="center"
        )
    figure.suptitle(
        f"One slice along each dimension of its {_NAMES[code]}: value in deviations; "
        "below the dimension, how much the picture changes",
        fontsize=9,
    )
    try:
        with atomic_write(path) as file:
            figure.savefig(file, format="png", dpi=_DPI)
    except OSError as error:
        raise write_error("The sheet could not be saved", path, error) from error
    return path


_NAMES = {"style": "style", "domain": "domain code"}
