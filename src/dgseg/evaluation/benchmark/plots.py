"""Scores of all people as box plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dgseg.evaluation.benchmark.results import Group
from dgseg.evaluation.benchmark.summaries import subject_values
from dgseg.files import atomic_write

_WIDTH_IN = 10.0
_DPI = 100
_COLUMNS = 4
_ENOUGH = 5
"""People of whom a box says more than their dots do."""

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
"""Okabe and Ito, Color Universal Design, 2008: told apart with any colour vision."""


def write_box_plots(path: Path, groups: Sequence[Group]) -> Path:
    """3-D Dice of all people: a panel for each target, a box for each method.

    Boxes hold the middle half, with a line at the median and whiskers as Tukey's; each
    dot is a person, the mean over structures, scans and seeds, and where they are few
    there are dots alone. One row of panels, or
    more where there are many targets, for each data set and fraction of labels.

    Parameters
    ----------
    path : Path
        A PNG file, 1000 pixels wide.
    groups : sequence of Group

    Returns
    -------
    Path
        The same.
    """
    panels = [_rows_of_panels(group) for group in groups]
    heights = [
        0.75 + 0.27 * len(group.rows)
        for group, rows in zip(groups, panels, strict=True)
        for _ in rows
    ]
    figure = Figure(figsize=(_WIDTH_IN, sum(heights)), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    n_columns = max(len(row) for rows in panels for row in rows)
    grid = figure.add_gridspec(len(heights), n_columns, height_ratios=heights)
    line = 0
    for group, rows in zip(groups, panels, strict=True):
        low = _lowest(group)
        for row in rows:
            for column, target in enumerate(row):
                axes = figure.add_subplot(grid[line, column])
                _draw(axes, group, target, low)
                axes.tick_params(labelleft=column == 0)
                if column == 0:
                    axes.set_ylabel(f"{group.data}, {100 * group.fraction:g} %", fontsize=9)
            line += 1
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=_DPI)
    return path


def _rows_of_panels(group: Group) -> list[tuple[str, ...]]:
    """Targets in rows of about the same length, at most `_COLUMNS`."""
    n_rows = -(-len(group.targets) // _COLUMNS)
    length = -(-len(group.targets) // n_rows)
    return [group.targets[i : i + length] for i in range(0, len(group.targets), length)]


def _draw(axes: Axes, group: Group, target: str, low: float) -> None:
    names = [row.label for row in group.rows]
    for place, row in enumerate(group.rows):
        values = 100 * np.array(list(subject_values(group.of(row, target), "dice").values()))
        if values.size == 0:
            axes.text(low + 1, place, "not yet run", va="center", fontsize=7, color="#777777")
            continue
        few = values.size < _ENOUGH
        if not few:
            _box(axes, values, place)
        # A fixed shake, so that the same scores give the same picture.
        shake = np.linspace(-0.2, 0.2, 5)[np.arange(values.size) % 5] * (not few)
        colour = COLOURS[place % len(COLOURS)] if few else "black"
        size, share = (9, 0.9) if few else (3, 0.5)
        axes.plot(values, place + shake, ".", markersize=size, color=colour, alpha=share)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(low, 100)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", linewidth=0.4, alpha=0.6)
    axes.set_title(target, fontsize=9)
    axes.set_xlabel("3-D Dice, %", fontsize=8)


def _box(axes: Axes, values: np.ndarray, place: int) -> None:
    colour = COLOURS[place % len(COLOURS)]
    axes.boxplot(
        values,
        positions=[place],
        orientation="horizontal",
        widths=0.62,
        patch_artist=True,
        showfliers=False,
        boxprops={"facecolor": colour, "alpha": 0.55, "linewidth": 0.8},
        medianprops={"color": "black", "linewidth": 1.6},
    )


def _lowest(group: Group) -> float:
    """Where the axis of a group begins, in per cent, a little below its lowest score."""
    scores = [
        value
        for cells in group.cells.values()
        for value in subject_values(cells, "dice").values()
    ]
    return max(-2.0, 10 * np.floor(10 * min(scores)) - 2.0)
