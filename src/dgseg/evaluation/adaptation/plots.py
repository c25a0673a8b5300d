"""What is gained against the number of corrected slices, a panel for each target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dgseg.evaluation.adaptation.plan import EVEN
from dgseg.evaluation.adaptation.results import AdaptationGroup, Line
from dgseg.evaluation.adaptation.summaries import BUNDLE_LINE, CEILING_LINE
from dgseg.evaluation.benchmark.bootstrap import Difference
from dgseg.evaluation.benchmark.plots import COLOURS
from dgseg.evaluation.benchmark.summaries import difference
from dgseg.files import atomic_write

_WIDTH_IN = 10.0
_HEIGHT_IN = 2.9
_DPI = 100
_COLUMNS = 3
_LEGEND = 0.3
"""Height of a row that holds nothing else, relative to the others."""
_MARKERS = "osD^vPX*"
"""One more than colours, so that no two curves of a figure are alike."""
_BESIDE = 0.05


def write_curves(path: Path, groups: Sequence[AdaptationGroup]) -> Path:
    """Gain of 3-D Dice over the bundle, on the test half, against corrected slices.

    A panel for each target and one for their average; whiskers are the intervals of the
    tables. Dashed: the bundle as it is; dotted: all labels of the adaptation half. Gains,
    for they are paired: lines that some seeds are missing of would else be compared with
    other people's scores.

    Parameters
    ----------
    path : Path
        A PNG file, 1000 pixels wide.
    groups : sequence of AdaptationGroup

    Returns
    -------
    Path
        The same.
    """
    panels = [_panels(group) for group in groups]
    # One place more, for what the lines are: within a panel it would lie over some of them.
    n_rows = [-(-(len(each) + 1) // _COLUMNS) for each in panels]
    heights = [
        _LEGEND if row == len(each) / _COLUMNS else 1.0
        for each, n in zip(panels, n_rows, strict=True)
        for row in range(n)
    ]
    figure = Figure(
        figsize=(_WIDTH_IN, _HEIGHT_IN * sum(heights)), dpi=_DPI, layout="constrained"
    )
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(sum(n_rows), _COLUMNS, height_ratios=heights)
    first = 0
    for group, names, rows in zip(groups, panels, n_rows, strict=True):
        for place, name in enumerate(names):
            axes = figure.add_subplot(grid[first + place // _COLUMNS, place % _COLUMNS])
            _draw(axes, group, name)
            if place % _COLUMNS == 0:
                axes.set_ylabel("gain of 3-D Dice, points", fontsize=8)
            axes.set_title(f"{group.data}, {group.base}: {name or 'average'}", fontsize=9)
            if place == 0:
                lines = axes.get_legend_handles_labels()
        column = len(names) % _COLUMNS
        _explain(figure.add_subplot(grid[first + rows - 1, column:]), lines, below=not column)
        first += rows
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=_DPI)
    return path


def _explain(axes: Axes, lines: tuple[Any, Any], *, below: bool) -> None:
    """Say what the lines are, beside the last panel or below all."""
    axes.set_axis_off()
    axes.legend(
        *lines,
        fontsize=8,
        frameon=False,
        loc="upper left" if below else "center left",
        ncols=_COLUMNS if below else 1,
    )


def _panels(group: AdaptationGroup) -> tuple[str, ...]:
    """Targets, and the empty name for their average."""
    return (*group.targets, "") if len(group.targets) > 1 else group.targets


def _gain(group: AdaptationGroup, line: Line, target: str) -> Difference | None:
    within = replace(group, targets=(target,)) if target else group
    found = difference(within, line, BUNDLE_LINE)
    # A mean over some of the targets is no average.
    return found if found is not None and found.targets == within.targets else None


def _whiskers(gains: Sequence[Difference]) -> list[list[float]]:
    """From each mean down and up to the ends of its interval; nothing where there is none."""
    down = [0.0 if each.low is None else each.mean - each.low for each in gains]
    up = [0.0 if each.high is None else each.high - each.mean for each in gains]
    return [[100 * max(length, 0.0) for length in lengths] for lengths in (down, up)]


def _draw(axes: Axes, group: AdaptationGroup, target: str) -> None:
    ks = sorted({line.k for line in group.rows if line.k is not None})
    black: dict[str, Any] = {"color": "black", "linewidth": 1}
    axes.axhline(0, linestyle="--", label=BUNDLE_LINE.label, **black)
    most = _gain(group, CEILING_LINE, target)
    if most is not None:
        axes.axhline(100 * most.mean, linestyle=":", label=CEILING_LINE.label, **black)
    curves = dict.fromkeys(
        (line.label, line.choice)
        for line in group.rows
        if line not in (BUNDLE_LINE, CEILING_LINE)
    )
    for number, (label, choice) in enumerate(curves):
        found = [(k, _gain(group, Line(label, k, choice), target)) for k in ks]
        there = [(ks.index(k), each) for k, each in found if each is not None]
        if not there:
            continue
        axes.errorbar(
            # A little beside each other, so that whiskers can be told apart.
            [place + _BESIDE * (number - (len(curves) - 1) / 2) for place, _ in there],
            [100 * each.mean for _, each in there],
            yerr=_whiskers([each for _, each in there]),
            color=COLOURS[number % len(COLOURS)],
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=4,
            linewidth=1.2,
            elinewidth=0.8,
            label=label if choice == EVEN else f"{label}, {choice}",
        )
    axes.set_xticks(range(len(ks)), [str(k) for k in ks])
    axes.set_xlim(-0.3, len(ks) - 0.7)
    axes.set_xlabel("corrected slices", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", linewidth=0.4, alpha=0.6)
