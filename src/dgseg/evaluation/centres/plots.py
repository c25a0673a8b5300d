"""The features of slices before and after, coloured by centre: figure 8 of Perone et al."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dgseg.evaluation.benchmark.plots import COLOURS
from dgseg.evaluation.centres.plan import PAPER_KIND, PAPER_WEIGHT, Row
from dgseg.evaluation.centres.results import CentresGroup
from dgseg.evaluation.centres.summaries import BASE, Features, read_features
from dgseg.files import atomic_write
from dgseg.inspection.embedding import tsne

_WIDTH_IN = 10.0
_DPI = 100
_COLUMNS = 4
_MOST = 120
"""Slices of a centre that are shown, evenly chosen."""


def write_maps(path: Path, out: Path, groups: Sequence[CentresGroup]) -> Path | None:
    """t-SNE of what the scored slices look like to the networks.

    A panel for the baseline, which is before, and one for each centre that was adapted
    to with the paper's consistency; each is laid out for itself, so that only who is
    beside whom can be compared. Of several seeds the first is shown.

    Parameters
    ----------
    path : Path
        A PNG file, 1000 pixels wide.
    out : Path
        Folder of the benchmark.
    groups : sequence of CentresGroup

    Returns
    -------
    Path or None
        The same; None where no cell has left any features.

    Raises
    ------
    TrainingError
        If a file of features is damaged.
    """
    panels = [(group, found) for group in groups if (found := _panels(group, out))]
    if not panels:
        return None
    rows = [
        (group, found[i : i + _COLUMNS])
        for group, found in panels
        for i in range(0, len(found), _COLUMNS)
    ]
    n_columns = max(len(found) for _, found in rows)
    side = _WIDTH_IN / max(n_columns, 3)
    figure = Figure(figsize=(_WIDTH_IN, (side + 0.75) * len(rows)), dpi=_DPI)
    figure.set_layout_engine("constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(rows), 1, squeeze=False)
    for part, (group, found) in zip(parts[:, 0], rows, strict=True):
        colours = dict(zip(group.targets, _endless(len(group.targets)), strict=True))
        axes = part.subplots(1, n_columns, squeeze=False)[0]
        for place, (row, features) in zip(axes, found, strict=False):
            _draw(place, row, features, colours)
        for place in axes[len(found) :]:
            place.axis("off")
        axes[0].set_ylabel(group.data, fontsize=9)
        part.legend(
            handles=_handles(group, colours), loc="outside lower center", ncols=6, fontsize=8
        )
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=_DPI)
    return path


def _panels(group: CentresGroup, out: Path) -> list[tuple[Row, Features]]:
    wanted = [BASE, *(Row(PAPER_KIND, PAPER_WEIGHT, centre) for centre in group.adapted)]
    found = []
    for row in wanted:
        cells = [each.cell for cells in group.by_target(row)[:1] for each in cells]
        features = read_features(out, cells[0]) if cells else None
        if features is not None:
            found.append((row, features))
    return found


def _draw(axes: Axes, row: Row, features: Features, colours: dict[str, str]) -> None:
    chosen = np.sort(np.concatenate([_some(features.centres == name) for name in colours]))
    places = tsne(features.scaled[chosen])
    for name, colour in colours.items():
        mine = features.centres[chosen] == name
        new = name == row.adapted
        axes.plot(
            *places[mine].T,
            "^" if new else "o",
            markersize=5 if new else 4,
            color=colour,
            alpha=0.8,
            markeredgewidth=0.6 if new else 0,
            markeredgecolor="black",
        )
    apart = features.apart
    title = f"after: adapted to {row.adapted}" if row.adapted else "before: sources alone"
    note = "" if apart is None else f"\nsilhouette of centres {apart:.2f}"
    axes.set_title(title + note, fontsize=8)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_box_aspect(1)


def _handles(group: CentresGroup, colours: dict[str, str]) -> list[Line2D]:
    def dot(marker: str, colour: str, label: str) -> Line2D:
        return Line2D([], [], marker=marker, linestyle="", color=colour, label=label)

    dots = [
        dot("o", colour, f"{name} (source)" if name in group.sources else name)
        for name, colour in colours.items()
    ]
    return [*dots, dot("^", "#777777", "adapted to")]


def _some(mine: np.ndarray) -> np.ndarray:
    where = np.flatnonzero(mine)
    if len(where) <= _MOST:
        return where
    return where[np.linspace(0, len(where) - 1, _MOST).astype(int)]


def _endless(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]
