"""A benchmark's scores as tables for people and files for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dgseg.evaluation.benchmark.bootstrap import ENOUGH, RESAMPLES, TOO_FEW_NOTE, Difference
from dgseg.evaluation.benchmark.export import write_csv, write_summaries
from dgseg.evaluation.benchmark.plots import write_box_plots
from dgseg.evaluation.benchmark.results import Group, TableRow, group_cells, read_cells
from dgseg.evaluation.benchmark.summaries import (
    Summary,
    average,
    difference,
    reference_rows,
    summarise,
)
from dgseg.evaluation.tables import markdown
from dgseg.files import atomic_write

if TYPE_CHECKING:
    from dgseg.evaluation.benchmark.plan import Cell

TABLE_NAME = "table.md"
CSV_NAME = "results.csv"
JSON_NAME = "results.json"
PLOT_NAME = "boxplots.png"

_NOTHING = "–"


def write_report(out: Path, planned: Sequence[Cell] = ()) -> Path:
    """Bring the scores of all finished cells together.

    Writes `TABLE_NAME`, `CSV_NAME` (a line for each scan and structure), `JSON_NAME`
    (means and spreads) and `PLOT_NAME`. Every figure comes from ``cells/*/scores.json``.

    Parameters
    ----------
    out : Path
        Folder of the benchmark.
    planned : sequence of Cell, optional
        All cells that are to be, so that those that are not finished can be named; as in
        `dgseg.evaluation.benchmark.results.group_cells`.

    Returns
    -------
    Path
        Of the table.

    Raises
    ------
    TrainingError
        If no cell is finished, or the scores of one cannot be read.
    """
    cells = read_cells(out)
    groups = group_cells(cells, planned)
    write_csv(out / CSV_NAME, cells)
    write_summaries(out / JSON_NAME, groups)
    write_box_plots(out / PLOT_NAME, groups)
    with atomic_write(out / TABLE_NAME, "w") as file:
        file.write(render(groups))
    return out / TABLE_NAME


def render(groups: Sequence[Group]) -> str:
    """All tables as one Markdown page."""
    parts = ["# Scores at domains that were held out\n", _PREFACE]
    for group in groups:
        parts += [f"## {group.data}, {_percent(group.fraction)} of the people with labels\n"]
        parts += [part for section in _SECTIONS for part in section(group)]
    return "\n".join(parts)


_PREFACE = """\
Each domain was held out once as the target; nobody of it was learnt from, and nothing was
chosen by its labels. A person's score is the mean over the structures, over the scans and,
where there are several, over the seeds; a cell is the mean over the people of the target
± their standard deviation, then, for several seeds, the standard deviation of the seeds'
means. The average weighs all targets the same; its ± is the spread of a person of a target
that are both drawn at random. Bold: the best of its column. –: not yet run.
"""


_DIFFERENCES_NOTE = f"""\
Mean over targets of the paired difference, with the 95 % percentile interval of {RESAMPLES}
bootstrap resamples of the people of each target, over the seeds that both methods have. It is
about other people of these targets, not about other seeds or other targets. All rows learn
with the same augmentation, but those whose name says otherwise.
"""

_CORRELATION_NOTE = """\
Of the target's slices, mean over targets. 0: independent; 1: one follows from the other. The
estimate is biased upwards: compare rows with each other, not with 0.
"""


def _scores(
    title: str, measure: str, scale: float, note: str = ""
) -> Callable[[Group], list[str]]:
    """A table with a column for each target and one for their average."""

    def section(group: Group) -> list[str]:
        unit = "%" if scale != 1 else _unit(group)
        columns = [
            [summarise(group.of(row, target), measure) for row in group.rows]
            for target in group.targets
        ]
        columns.append([average(group.by_target(row), measure) for row in group.rows])
        lowest = measure in ("hd95", "assd")
        texts = [_column(column, scale, lowest) for column in columns]
        lines = [[row.label, *cells] for row, *cells in zip(group.rows, *texts, strict=True)]
        head = ["method", *group.targets, "average"]
        return [f"### {title}, {unit}\n", *([note] if note else []), markdown(head, lines)]

    return section


def _column(summaries: Sequence[Summary | None], scale: float, lowest: bool) -> list[str]:
    shown = [_number(each.mean, scale) for each in summaries if each is not None]
    best = (min if lowest else max)(shown, key=float) if len(shown) > 1 else None
    texts = []
    for each in summaries:
        if each is None:
            texts.append(_NOTHING)
            continue
        text = _number(each.mean, scale)
        parts = [f"**{text}**" if text == best else text]
        if each.sd is not None:
            parts.append(f"± {_number(each.sd, scale)}")
        if each.sd_seeds is not None:
            parts.append(f"({len(each.seeds)} seeds: ± {_number(each.sd_seeds, scale)})")
        texts.append(" ".join(parts))
    return texts


def _missing(group: Group) -> list[str]:
    """Which cells are empty, row by row."""
    if not group.missing:
        return ["All cells are there.\n"]
    seeds: dict[str, dict[str, list[str]]] = {}
    for row, target, seed in group.missing:
        seeds.setdefault(row.label, {}).setdefault(target, []).append(str(seed))
    lines = []
    for label, targets in seeds.items():
        texts = {target: _seeds(numbers) for target, numbers in targets.items()}
        if len(texts) == len(group.targets) > 1 and len(set(texts.values())) == 1:
            texts = {"every target": next(iter(texts.values()))}
        places = ", ".join(f"{target} ({text})" for target, text in texts.items())
        lines.append(f"- {label}: {places}\n")
    return [f"Not yet run, {len(group.missing)} cells:\n", "".join(lines)]


def _seeds(numbers: Sequence[str]) -> str:
    return f"seed{'s' * (len(numbers) > 1)} {', '.join(numbers)}"


def _overlaps(group: Group) -> list[str]:
    names = ("iou", "recall", "precision", "specificity")
    columns = [[average(group.by_target(row), name) for row in group.rows] for name in names]
    # Nearly all voxels are background: specificity differs in the second digit.
    texts = [
        [_NOTHING if each is None else f"{100 * each.mean:.2f}" for each in column]
        for column in columns
    ]
    lines = [[row.label, *cells] for row, *cells in zip(group.rows, *texts, strict=True)]
    return [
        "### Averages of the other overlaps (3-D), %\n",
        markdown(["method", "IoU", *names[1:]], lines),
    ]


def _differences(group: Group) -> list[str]:
    references = reference_rows(group)
    if not references:
        return []
    found = [[_compared(group, row, other) for other in references] for row in group.rows]
    lines = [
        [row.label, *(_difference_text(each, group) for each in cells)]
        for row, cells in zip(group.rows, found, strict=True)
    ]
    notes = _DIFFERENCES_NOTE
    if any(each is not None and each.fewest < ENOUGH for cells in found for each in cells):
        notes += TOO_FEW_NOTE
    head = ["method", *(f"less {row.label}" for row in references)]
    return [
        "### Differences of 3-D Dice, percentage points\n",
        notes,
        markdown(head, lines),
    ]


def _difference_text(found: Difference | None, group: Group) -> str:
    if found is None:
        return _NOTHING
    text = f"{100 * found.mean:+.1f}"
    if found.low is not None and found.high is not None:
        text += f" [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    if len(found.targets) < len(group.targets):
        text += f" ({len(found.targets)} of {len(group.targets)} targets)"
    return text


def _compared(group: Group, row: TableRow, reference: TableRow) -> Difference | None:
    return None if row == reference else difference(group, row, reference)


def _correlations(group: Group) -> list[str]:
    lines = []
    for row in group.rows:
        measured = [
            [cell.distance_correlation for cell in cells if cell.distance_correlation]
            for cells in group.by_target(row)
        ]
        measured = [cells for cells in measured if cells]
        if measured:
            means = [
                np.mean([np.mean([cell[name] for cell in cells]) for cells in measured])
                for name in ("style", "domain", "both")
            ]
            lines.append([row.label, *(f"{mean:.3f}" for mean in means), str(len(measured))])
    if not lines:
        return []
    return [
        "### Distance correlation of the anatomy with the codes\n",
        _CORRELATION_NOTE,
        markdown(["method", "style", "domain code", "both", "targets"], lines),
    ]


def _costs(group: Group) -> list[str]:
    lines = []
    for row in group.rows:
        cells = [cell for found in group.by_target(row) for cell in found]
        if not cells:
            lines.append([row.label, *[_NOTHING] * 5])
            continue
        chosen = [cell.selection["step"] for cell in cells if cell.selection]
        lines.append(
            [
                row.label,
                str(len(cells)),
                _range([cell.steps for cell in cells]),
                _range([round(cell.seconds) for cell in cells]),
                _range([cell.images_seen for cell in cells]),
                _range(chosen) if chosen else _NOTHING,
            ]
        )
    head = ["method", "cells", "steps", "seconds", "images seen", "selected step"]
    return ["### What a cell took, from least to most\n", markdown(head, lines)]


_SECTIONS: tuple[Callable[[Group], list[str]], ...] = (
    _scores("Dice (3-D)", "dice", 100),
    _missing,
    _differences,
    _scores(
        "Dice in the plane, structures pooled, mean over slices",
        "dice_2d",
        100,
        "As published tables have it; not to be mixed with the one above.\n",
    ),
    _scores("HD95", "hd95", 1),
    _scores("ASSD", "assd", 1),
    _overlaps,
    _correlations,
    _costs,
)


def _unit(group: Group) -> str:
    if group.spacing_known:
        return "mm"
    return "px (size of a voxel unknown: the step from slice to slice counts as one)"


def _number(value: float, scale: float) -> str:
    return f"{scale * value:.1f}" if scale != 1 else f"{value:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}–{high}"
