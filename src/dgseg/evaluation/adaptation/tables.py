"""A benchmark of adaptation as tables and curves for people, and files for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dgseg.adaptation.gate import GAIN
from dgseg.evaluation.adaptation.export import write_csv, write_summaries
from dgseg.evaluation.adaptation.offers import is_offer, planned_offers, with_offers
from dgseg.evaluation.adaptation.plan import CHOICES
from dgseg.evaluation.adaptation.plots import write_curves
from dgseg.evaluation.adaptation.results import (
    AdaptationGroup,
    Line,
    group_cells,
    read_cells,
)
from dgseg.evaluation.adaptation.summaries import (
    BUNDLE_LINE,
    CEILING_LINE,
    REFERENCE,
    GateCounts,
    gain,
    gate_counts,
)
from dgseg.evaluation.benchmark.bootstrap import ENOUGH, RESAMPLES, TOO_FEW_NOTE, Difference
from dgseg.evaluation.benchmark.summaries import Summary, average, difference, summarise
from dgseg.evaluation.tables import markdown
from dgseg.files import atomic_write

if TYPE_CHECKING:
    from dgseg.evaluation.adaptation.plan import AdaptationCell

TABLE_NAME = "table.md"
CSV_NAME = "results.csv"
JSON_NAME = "results.json"
PLOT_NAME = "curves.png"

_NOTHING = "–"


def write_report(
    out: Path, planned: Sequence[AdaptationCell] = (), rivals: Sequence[str] = ()
) -> Path:
    """Bring the scores of all finished cells together.

    Writes `TABLE_NAME`, `CSV_NAME` (a line for each scan and structure), `JSON_NAME` and
    `PLOT_NAME`. Every figure comes from ``cells/*/scores.json``.

    Parameters
    ----------
    out : Path
        Folder of the benchmark.
    planned : sequence of AdaptationCell, optional
        As in `dgseg.evaluation.adaptation.results.group_cells`.
    rivals : sequence of str, optional
        As in `dgseg.evaluation.adaptation.offers.with_offers`.

    Returns
    -------
    Path
        Of the table.

    Raises
    ------
    TrainingError
        If no cell is finished, or the scores of one cannot be read.
    """
    cells = with_offers(read_cells(out), rivals)
    groups = group_cells(cells, (*planned, *planned_offers(planned, rivals)))
    write_csv(out / CSV_NAME, cells)
    write_summaries(out / JSON_NAME, groups)
    write_curves(out / PLOT_NAME, groups)
    with atomic_write(out / TABLE_NAME, "w") as file:
        file.write(render(groups))
    return out / TABLE_NAME


def render(groups: Sequence[AdaptationGroup]) -> str:
    """All tables as one Markdown page."""
    parts = ["# What adapting to an unseen domain gains\n", _PREFACE]
    for group in groups:
        parts += [f"## {group.data}, bundles of {group.base}\n"]
        parts += [part for section in _SECTIONS for part in section(group)]
    return "\n".join(parts)


_PREFACE = """\
Each target was held out from the training of its bundle. The bundle was adapted to one half of
the target's people, k slices of which were corrected with their true labels, all others being
unlabelled, and scored on the other half, of whom nothing was read before. A person's score is
the mean over the structures, over the scans and, where there are several, over the seeds, with
each of which the halves are drawn anew; a cell is the mean over the scored people ± their
standard deviation, then, for several seeds, the standard deviation of the seeds' means. The
average weighs all targets the same. bundle: as it is; all labels: learnt from all labels of the
adaptation half. –: not yet run. Where rivals were named, "this or that": what a job offers that
tries the latter beside the former, chosen by the slices that judge.
"""

_GAIN_NOTE = f"""\
Paired, in points of 3-D Dice, with the 95 % percentile interval of {RESAMPLES} bootstrap
resamples of the scored people of each target: it is about other people of these targets.
Gap closed: the share of what all labels gain. After the gate: with the bundle in the place of
every candidate that the gate did not accept.
"""

_CHOICES_NOTE = """\
Means over the targets, paired as above. All choose among the annotated slices that hold a
structure, which at a site nobody knows beforehand. even: of as many people, and at as many heights
of the structure, as there are slices; random: each with the same chance, drawn once for a seed;
suggested: what the plugin suggests, one after the other, from the bundle's proposals, each taken
for corrected before the next.
"""

_GATE_NOTE = f"""\
Over cells: the gate judges by a few further corrected slices that nothing has learnt from or,
if it was asked to, by the corrected slices themselves through trainings without some of them; and
by uncorrected scans. Worse: the true Dice on the scored half fell, in brackets by more than
{100 * GAIN:g} points; better: it rose by more than {100 * GAIN:g} points.
"""

_SLICES_NOTE = """\
At {targets} there is one person: the annotated slices were divided into blocks that are adapted
to and scored in turn. Neighbouring slices of one person are alike: these figures say what is
gained in this person's scans, and not for other people.
"""


def _scores(group: AdaptationGroup) -> list[str]:
    columns = [
        [summarise(group.of(line, target), "dice") for target in group.targets]
        + [average(group.by_target(line), "dice")]
        for line in group.rows
    ]
    lines = [
        [line.text, *map(_summary, found)]
        for line, found in zip(group.rows, columns, strict=True)
    ]
    divided = sorted(
        {each.cell.target for each in group.all_cells if each.divided_by == "slices"}
    )
    notes = [_SLICES_NOTE.format(targets=", ".join(divided))] if divided else []
    head = ["method", *group.targets, "average"]
    return ["### Dice (3-D), %\n", *notes, markdown(head, lines)]


def _gains(group: AdaptationGroup) -> list[str]:
    lines = []
    notes = _GAIN_NOTE
    for line in group.rows:
        if line == BUNDLE_LINE:
            continue
        found = gain(group, line)
        if found.over_bundle is not None and found.over_bundle.fewest < ENOUGH:
            notes = _GAIN_NOTE + TOO_FEW_NOTE
        lines.append(
            [
                line.text,
                *(_points(found.by_target.get(target)) for target in group.targets),
                _points(found.over_bundle, interval=True, of=len(group.targets)),
                _NOTHING if found.gap_closed is None else f"{100 * found.gap_closed:.0f} %",
                _points(found.over_reference, interval=True),
                _number(found.worst_against_reference),
                _points(found.gated),
                _number(found.worst_gated),
            ]
        )
    head = ["method", *group.targets, "average", "gap closed", f"less {REFERENCE}"]
    head += ["its worst target", "after the gate", "its worst target"]
    return ["### Gain over the bundle\n", notes, markdown(head, lines)]


def _choices(group: AdaptationGroup) -> list[str]:
    """How the corrected slices were chosen, where that differs."""
    rows = []
    for line in group.rows:
        others = [replace(line, choice=choice) for choice in CHOICES]
        if sum(other in group.rows for other in others) < 2:
            continue
        against = [
            _NOTHING
            if other == line
            else _points(difference(group, line, other), interval=True)
            for other in others[:-1]
        ]
        whole = _summary(average(group.by_target(line), "dice"))
        gained = _points(difference(group, line, BUNDLE_LINE), interval=True)
        rows.append([line.label, str(line.k), line.choice, whole, gained, *against])
    if not rows:
        return []
    head = ["method", "k", "choice", "Dice (3-D), %", "gain over the bundle"]
    head += [f"less {choice}" for choice in CHOICES[:-1]]
    return ["### Which slices are corrected\n", _CHOICES_NOTE, markdown(head, rows)]


def _gate(group: AdaptationGroup) -> list[str]:
    labels: dict[str, list[Line]] = {}
    for line in group.rows:
        if line not in (BUNDLE_LINE, CEILING_LINE):
            labels.setdefault(line.label, []).append(line)
    counted = {label: gate_counts(group, lines) for label, lines in labels.items()}
    # An offer is one of the others over again.
    every = [line for lines in labels.values() for line in lines if not is_offer(line.label)]
    for k in sorted({line.k for line in every if line.k is not None}):
        counted[f"all at k = {k}"] = gate_counts(group, [x for x in every if x.k == k])
    counted["all"] = gate_counts(group, every)
    rows = [_gate_row(label, found) for label, found in counted.items() if found.n]
    if not rows:
        return []
    head = ["method", "cells", "green", "amber", "red", "accepted though worse"]
    head += ["refused though better", "mean gain of accepted", "of refused"]
    return ["### The gate\n", _GATE_NOTE, markdown(head, rows)]


def _gate_row(label: str, found: GateCounts) -> list[str]:
    worse = f"{found.accepted_worse} ({found.accepted_much_worse})"
    counts = [str(n) for n in (found.n, found.green, found.amber, found.red)]
    gains = [_number(found.gain_accepted), _number(found.gain_refused)]
    return [label, *counts, worse, str(found.refused_better), *gains]


def _costs(group: AdaptationGroup) -> list[str]:
    lines = []
    for line in group.rows:
        cells = [cell for found in group.by_target(line) for cell in found]
        if line == BUNDLE_LINE or not cells:
            continue
        numbers = [[cell.n_corrected for cell in cells], [cell.steps for cell in cells]]
        numbers += [[round(cell.seconds) for cell in cells]]
        lines.append([line.text, str(len(cells)), *map(_range, numbers)])
    head = ["method", "cells", "corrected slices", "steps", "seconds of training"]
    return ["### What a cell took, from least to most\n", markdown(head, lines)]


def _missing(group: AdaptationGroup) -> list[str]:
    if not group.missing:
        return ["All cells are there.\n"]
    places: dict[str, list[str]] = {}
    for line, target, seed in group.missing:
        places.setdefault(line.text, []).append(f"{target} (seed {seed})")
    lines = [f"- {text}: {', '.join(found)}\n" for text, found in places.items()]
    return [f"Not yet run, {len(group.missing)} cells:\n", "".join(lines)]


_SECTIONS: tuple[Callable[[AdaptationGroup], list[str]], ...] = (
    _scores,
    _gains,
    _choices,
    _gate,
    _costs,
    _missing,
)


def _summary(found: Summary | None) -> str:
    if found is None:
        return _NOTHING
    parts = [f"{100 * found.mean:.1f}"]
    if found.sd is not None:
        parts.append(f"± {100 * found.sd:.1f}")
    if found.sd_seeds is not None:
        parts.append(f"({len(found.seeds)} seeds: ± {100 * found.sd_seeds:.1f})")
    return " ".join(parts)


def _points(found: Difference | None, *, interval: bool = False, of: int | None = None) -> str:
    if found is None:
        return _NOTHING
    text = f"{100 * found.mean:+.1f}"
    if interval and found.low is not None and found.high is not None:
        text += f" [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    if of is not None and len(found.targets) < of:
        text += f" ({len(found.targets)} of {of} targets)"
    return text


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{100 * value:+.1f}"


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}–{high}"
