"""What a model sees in scans, as PNG files for a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dgseg.factors.map import CodeMap
from dgseg.files import atomic_write
from dgseg.inspection.pictures import ScanPictures
from dgseg.inspection.swaps import Swap
from dgseg.scans.boxes import crop_around
from dgseg.scans.schema import LabelSchema

COLOURS: tuple[Any, ...] = tuple(mpl.color_sequences["petroff10"])
"""Petroff, arXiv:2107.02270: told apart with any colour vision."""

_DPI = 100
_PANEL_IN = 2.0
_MAP_IN = (7.5, 5.5)
_SHOWN = 4
"""Slices of a scan that are shown."""

_COLUMNS = 5
"""Swaps beside each other."""

_RANGE = 0.3
"""Difference that is drawn in full colour."""

_MARKERS = "osD^vP*X"


def shown_slices(n_slices: int) -> list[int]:
    """A few slices of a scan, evenly spaced, without its ends where there are more."""
    count = min(_SHOWN, n_slices)
    return [round((k + 0.5) * n_slices / count - 0.5) for k in range(count)]


def draw_scan(path: Path, pictures: ScanPictures) -> None:
    """Image, reconstruction and difference of a few slices side by side.

    Parameters
    ----------
    path : Path
        A PNG file.
    pictures : ScanPictures
    """
    slices = shown_slices(len(pictures.image))
    figure, panels = _panels(pictures.image.shape[1:], len(slices), 3, beside_in=0.9)
    for row, index in zip(panels, slices, strict=True):
        _grey(row[0], pictures.image[index])
        _grey(row[1], pictures.reconstruction[index])
        drawn = row[2].imshow(
            pictures.difference[index], cmap="RdBu_r", vmin=-_RANGE, vmax=_RANGE
        )
        row[0].set_ylabel(f"slice {index}")
    for axes, title in zip(
        panels[0], ("image", "reconstruction", "reconstruction − image"), strict=True
    ):
        axes.set_title(title, fontsize=9)
    figure.colorbar(drawn, ax=panels[:, 2], shrink=0.6)
    _save(figure, path)


def draw_anatomy(path: Path, pictures: ScanPictures, index: int) -> None:
    """All channels of the anatomy of one slice.

    Parameters
    ----------
    path : Path
        A PNG file.
    pictures : ScanPictures
    index : int
        Of the slice.
    """
    n = len(pictures.anatomy)
    columns = min(n, 4)
    figure, panels = _panels(pictures.image.shape[1:], -(-n // columns), columns)
    for channel, axes in enumerate(panels.flat):
        if channel < n:
            _grey(axes, pictures.anatomy[channel, index] / np.float32(255))
            axes.set_title(f"channel {channel + 1}", fontsize=9)
        else:
            axes.set_axis_off()
    _save(figure, path)


def draw_map(
    path: Path,
    title: str,
    places: np.ndarray,
    names: Sequence[str],
    known: CodeMap | None = None,
) -> None:
    """Slices on a plane, coloured by whose they are.

    Parameters
    ----------
    path : Path
        A PNG file.
    title : str
    places : ndarray, shape (N, 2)
    names : sequence of str
        Of each slice's centre.
    known : CodeMap, optional
        With the domains' ellipses, whose axes are deviations within a domain.
    """
    figure = Figure(figsize=_MAP_IN, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colours = _colours([*(known.outlines if known is not None else ()), *names])
    if known is None:
        axes.set(xticks=[], yticks=[])
    else:
        _outlines(axes, known, colours)
    for k, name in enumerate(dict.fromkeys(names)):
        mine = np.array([each == name for each in names])
        marker = _MARKERS[k % len(_MARKERS)]
        axes.plot(
            *places[mine].T, marker, color=colours[name], markersize=4, alpha=0.75, label=name
        )
    axes.set_title(title, fontsize=10)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    _save(figure, path)


def _colours(names: Sequence[str]) -> dict[str, Any]:
    """A colour for each name; where there are more names than colours, they come again."""
    return {
        name: COLOURS[k % len(COLOURS)] for k, name in enumerate(sorted(dict.fromkeys(names)))
    }


def _outlines(axes: Axes, known: CodeMap, colours: dict[str, Any]) -> None:
    for name, outline in known.outlines.items():
        axes.plot(*outline.T, color=colours[name], linewidth=1.5, label=f"{name} (known)")
        axes.plot(*known.middles[name], "+", color=colours[name], markersize=9)
    axes.set(xlabel="deviations within a domain", aspect="equal")
    axes.grid(linewidth=0.4, alpha=0.6)


def draw_swaps(
    path: Path, image: np.ndarray, swaps: Sequence[Swap], schema: LabelSchema
) -> None:
    """A slice and its swaps, with the outlines of their labels.

    Parameters
    ----------
    path : Path
        A PNG file.
    image : ndarray, shape (rows, columns)
        The normalised slice.
    swaps : sequence of Swap
        At least one.
    schema : LabelSchema
    """
    own = swaps[0].compared.own
    box = crop_around([own, *(swap.compared.labels for swap in swaps)])
    n_panels = 1 + len(swaps)
    columns = min(n_panels, _COLUMNS)
    figure, panels = _panels(image[box].shape, -(-n_panels // columns), columns)
    for axes in panels.flat:
        axes.set_axis_off()
    _outlined(panels.flat[0], image[box], own[box], schema, "the slice itself")
    for axes, swap in zip(panels.flat[1:], swaps, strict=False):
        labels = swap.compared.labels[box]
        _outlined(axes, swap.picture[box], labels, schema, f"{swap.name}\n{_dice(swap)}")
    _save(figure, path)


def _dice(swap: Swap) -> str:
    return "  ".join(
        f"{name} {'–' if value is None else f'{value:.2f}'}"
        for name, value in swap.compared.dice.items()
    )


def _outlined(
    axes: Axes, image: np.ndarray, labels: np.ndarray, schema: LabelSchema, title: str
) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    # Backwards: what lies inside has lower values, and is drawn over what is around it.
    for label in reversed(schema.labels):
        mask = labels == label.value
        if mask.any() and not mask.all():
            axes.contour(mask, levels=[0.5], colors=[label.color], linewidths=1)
    axes.set_title(title, fontsize=7)


def _grey(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)


def _panels(
    shape: tuple[int, ...], rows: int, columns: int, beside_in: float = 0.0
) -> tuple[Figure, np.ndarray]:
    """A figure of so many pictures of one shape, without ticks."""
    height = _PANEL_IN * min(max(shape[0] / shape[1], 0.4), 2.5) + 0.3
    figure = Figure(
        figsize=(_PANEL_IN * columns + beside_in, height * rows), dpi=_DPI, layout="constrained"
    )
    FigureCanvasAgg(figure)
    panels: np.ndarray = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
    return figure, panels


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=_DPI)
