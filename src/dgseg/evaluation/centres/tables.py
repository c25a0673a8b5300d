"""A comparison of centres as tables for people, laid out as in Perone et al."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dgseg.evaluation.benchmark.bootstrap import ENOUGH, RESAMPLES, TOO_FEW_NOTE, Difference
from dgseg.evaluation.benchmark.summaries import Summary, average, summarise
from dgseg.evaluation.centres.export import write_csv, write_summaries
from dgseg.evaluation.centres.plan import BASELINE, EMA, PAPER_KIND, PAPER_WEIGHT, Row
from dgseg.evaluation.centres.plots import write_maps
from dgseg.evaluation.centres.results import CentresGroup, group_cells, read_cells
from dgseg.evaluation.centres.summaries import BASE, gain
from dgseg.evaluation.tables import markdown
from dgseg.files import atomic_write

if TYPE_CHECKING:
    from dgseg.evaluation.centres.plan import CentresCell

TABLE_NAME = "table.md"
CSV_NAME = "results.csv"
JSON_NAME = "results.json"
PLOT_NAME = "tsne.png"

_NOTHING = "–"
_OVERLAPS = ("dice", "iou", "recall", "precision", "specificity")
_FINE = "specificity"
_DISTANCES = ("hd95", "assd")


def write_report(out: Path, planned: Sequence[CentresCell] = ()) -> Path:
    """Bring the scores of all finished cells together.

    Writes `TABLE_NAME`, `CSV_NAME` (a line for each scan and structure), `JSON_NAME` and
    `PLOT_NAME`. Every figure comes from ``cells/*/scores.json`` and the features beside.

    Parameters
    ----------
    out : Path
        Folder of the benchmark.
    planned : sequence of CentresCell, optional
        As in `dgseg.evaluation.centres.results.group_cells`.

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
    write_maps(out / PLOT_NAME, out, groups)
    with atomic_write(out / TABLE_NAME, "w") as file:
        file.write(render(groups))
    return out / TABLE_NAME


def render(groups: Sequence[CentresGroup]) -> str:
    """All tables as one Markdown page."""
    parts = ["# What a centre's unlabelled scans bring beside labelled sources\n", _PREFACE]
    for group in groups:
        parts += [f"## {group.data}, labels of {' and '.join(group.sources)}\n"]
        parts += [part for section in _SECTIONS for part in section(group)]
    return "\n".join(parts)


_PREFACE = f"""\
Every centre is divided in two halves. The sources' first halves are learnt from with labels, and
that of the centre that is adapted to without; the second half of every centre is scored, and
nothing of it is learnt from. People of the sources alone choose the checkpoint; where there are
none, the last weights are scored. Baseline: the same training without the teacher and without
unlabelled scans. A cell is the mean over the scored people ± their standard deviation; a person's
score is the mean over structures, scans and, where there are several, seeds. In brackets: paired
difference to the baseline in points, with the 95 % percentile interval of {RESAMPLES} bootstrap
resamples of the scored people where there is more than one. –: not yet run.
"""

_SLICES_NOTE = """\
At {targets} there is one person, whose annotated slices were divided into blocks that are learnt
from and scored in turn. Neighbouring slices of one person are alike: at sources and at the centre
that is adapted to, these figures are about this person's scans, and not about other people.
"""


_CENTRES_NOTE = f"""\
Consistency: {PAPER_KIND}, weight {PAPER_WEIGHT:g}. Dice (3-D), %; bold: the centre that was adapted to.
"""


def _notes(group: CentresGroup) -> list[str]:
    divided = sorted(
        {
            each.target
            for row in group.rows
            for found in group.by_target(row)
            for each in found
            if each.divided_by == "slices"
        }
    )
    gains = [gain(group, row, [name]) for row in group.rows for name in group.targets]
    few = any(each is not None and 1 < each.n_subjects < ENOUGH for each in gains)
    notes = [_SLICES_NOTE.format(targets=", ".join(divided))] if divided else []
    return [*notes, *([TOO_FEW_NOTE] if few else [])]


def _centres(group: CentresGroup) -> list[str]:
    """Table 1: every centre with every adaptation, those that it was not adapted to too."""
    rows = [row for row in group.rows if row == BASE or _is_papers(row)]
    if len(rows) < 2:
        return []
    names = [f"{name} (source)" if name in group.sources else name for name in group.targets]
    lines = [
        [
            row.adapted or "nothing (baseline)",
            *(_dice(group, row, centre, own=centre == row.adapted) for centre in group.targets),
        ]
        for row in rows
    ]
    whole = [
        [centre, row.adapted or "nothing", *_measures(group, row, centre)]
        for centre in group.targets
        for row in rows
    ]
    return [
        "### Adapting to different centres (their table 1)\n",
        _CENTRES_NOTE,
        markdown(["adapted to", *names], lines),
        markdown(["evaluated at", "adapted to", *_measure_names(group)], whole),
    ]


def _consistency(group: CentresGroup) -> list[str]:
    """Table 2: losses and weights, at the centre that is adapted to."""
    parts = []
    for centre in group.adapted:
        rows = [row for row in group.rows if row.adapted == centre]
        if len(rows) < 2:
            continue
        others = [name for name in group.unseen if name != centre]
        lines = [
            [
                "none" if row == BASE else row.kind,
                _NOTHING if row == BASE else f"{row.weight:g}",
                _dice(group, row, centre),
                *_measures(group, row, centre)[1:],
                _mean_dice(group, row, others),
            ]
            for row in (BASE, *rows)
        ]
        head = ["consistency", "weight", *_measure_names(group), "Dice at other unseen centres"]
        title = f"### Consistency losses and weights at {centre}, adapted to (their table 2)\n"
        parts += [title, markdown(head, lines)]
    return parts


def _ema(group: CentresGroup) -> list[str]:
    """Table 3: the running mean of the weights, without anything unlabelled."""
    rows = [row for row in group.rows if row.kind in (BASELINE, EMA)]
    if len(rows) < 2:
        return []
    labels = {BASELINE: "as they are", EMA: "their running mean"}
    lines = [
        [
            labels[row.kind],
            *(_dice(group, row, centre) for centre in group.targets),
            _mean_dice(group, row, group.unseen),
        ]
        for row in rows
    ]
    head = ["weights", *group.targets, "mean of unseen centres"]
    return [
        "### The running mean without unlabelled scans (their table 3)\n",
        "Dice (3-D), %; learnt from the sources alone.\n",
        markdown(head, lines),
    ]


def _costs(group: CentresGroup) -> list[str]:
    lines = []
    for row in group.rows:
        cells = [each for found in group.by_target(row)[:1] for each in found]
        chosen = [str(each.selection["step"]) for each in cells if each.selection]
        if cells:
            seconds = ", ".join(f"{each.seconds:.0f}" for each in cells)
            steps = ", ".join(str(each.steps) for each in cells)
            lines.append([_label(row), steps, seconds, ", ".join(chosen) or _NOTHING])
    head = ["training", "steps", "seconds", "selected step"]
    return ["### What a cell took\n", markdown(head, lines)]


def _missing(group: CentresGroup) -> list[str]:
    if not group.missing_cells:
        return ["All cells are there.\n"]
    lines = [f"- {_label(row)} (seed {seed})\n" for row, seed in group.missing_cells]
    return [f"Not yet run, {len(lines)} cells:\n", "".join(lines)]


_SECTIONS: tuple[Callable[[CentresGroup], list[str]], ...] = (
    _notes,
    _centres,
    _consistency,
    _ema,
    _costs,
    _missing,
)


def _is_papers(row: Row) -> bool:
    return (row.kind, row.weight) == (PAPER_KIND, PAPER_WEIGHT)


def _label(row: Row) -> str:
    if row.adapted:
        return f"adapted to {row.adapted}, {row.kind}, weight {row.weight:g}"
    return "running mean alone" if row.kind == EMA else "baseline"


def _measure_names(group: CentresGroup) -> list[str]:
    unit = "mm" if group.spacing_known else "px"
    names = ["Dice, %", "IoU, %", *(f"{name}, %" for name in _OVERLAPS[2:])]
    return [*names, *(f"{name.upper()}, {unit}" for name in _DISTANCES)]


def _measures(group: CentresGroup, row: Row, centre: str) -> list[str]:
    cells = group.of(row, centre)
    # Nearly all voxels are background: specificity differs in the second digit.
    overlaps = [_percent(summarise(cells, name), 1 + (name == _FINE)) for name in _OVERLAPS]
    distances = [summarise(cells, name) for name in _DISTANCES]
    return overlaps + [_NOTHING if each is None else f"{each.mean:.2f}" for each in distances]


def _percent(found: Summary | None, digits: int = 1) -> str:
    return _NOTHING if found is None else f"{100 * found.mean:.{digits}f}"


def _dice(group: CentresGroup, row: Row, centre: str, *, own: bool = False) -> str:
    found = summarise(group.of(row, centre), "dice")
    if found is None:
        return _NOTHING
    text = f"**{_percent(found)}**" if own else _percent(found)
    if found.sd is not None:
        text += f" ± {100 * found.sd:.1f}"
    return text + _gain(gain(group, row, [centre]))


def _mean_dice(group: CentresGroup, row: Row, centres: Sequence[str]) -> str:
    found = average([group.of(row, centre) for centre in centres], "dice")
    return _percent(found) + (_gain(gain(group, row, centres)) if found else "")


def _gain(found: Difference | None) -> str:
    if found is None:
        return ""
    text = f"{100 * found.mean:+.1f}"
    if found.low is not None and found.high is not None:
        text += f"; {100 * found.low:+.1f} to {100 * found.high:+.1f}"
    return f" ({text})"
