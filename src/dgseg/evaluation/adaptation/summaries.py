"""What adapting gained: over the bundle, over other methods, and behind the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from dgseg.adaptation.gate import GAIN
from dgseg.evaluation.adaptation.plan import CEILING, FLOOR
from dgseg.evaluation.adaptation.results import AdaptationGroup, AdaptedScores, Line
from dgseg.evaluation.benchmark.bootstrap import Difference
from dgseg.evaluation.benchmark.summaries import difference, subject_values

BUNDLE_LINE = Line(FLOOR, 0)
CEILING_LINE = Line(CEILING, None)

REFERENCE = "finetune"
"""The simple choice that all others are compared with, at the same number of slices."""


@dataclass(frozen=True)
class Gain:
    """What a line gained at the targets of a group, in Dice from 0 to 1.

    Attributes
    ----------
    over_bundle : Difference or None
        Paired, mean over targets.
    by_target : mapping of str to Difference
    over_reference : Difference or None
        Over `REFERENCE` with the same corrected slices.
    worst_against_reference : float or None
        The lowest of the targets.
    gap_closed : float or None
        Mean gain over the mean gain of all labels, over the targets and seeds that have
        both; None where all labels gain nothing.
    gated : Difference or None
        Over the bundle, where every candidate that the gate did not accept is replaced
        by the bundle.
    worst_gated : float or None
        The lowest of the targets.
    """

    over_bundle: Difference | None
    by_target: Mapping[str, Difference]
    over_reference: Difference | None
    worst_against_reference: float | None
    gap_closed: float | None
    gated: Difference | None
    worst_gated: float | None


@dataclass(frozen=True)
class GateCounts:
    """How often the gate was right, over cells.

    Attributes
    ----------
    n : int
        Cells with a verdict and a bundle to compare with.
    green, amber, red : int
    accepted_worse, accepted_much_worse : int
        Accepted though the true Dice fell at all, or by more than `GAIN`.
    refused_better : int
        Not accepted though the true Dice rose by more than `GAIN`.
    gain_accepted, gain_refused : float or None
        Mean true gains.
    """

    n: int
    green: int
    amber: int
    red: int
    accepted_worse: int
    accepted_much_worse: int
    refused_better: int
    gain_accepted: float | None
    gain_refused: float | None


def gain(group: AdaptationGroup, line: Line) -> Gain:
    """All that a line gained.

    The intervals are those of `dgseg.evaluation.benchmark.bootstrap.paired_difference`.
    """
    by_target = _by_target(group, line, BUNDLE_LINE)
    reference = replace(line, label=REFERENCE)
    compared = line.label != REFERENCE and reference in group.rows
    against = _by_target(group, line, reference) if compared else {}
    gated = _gated(group, line)
    has_verdicts = any(cell.gate for found in group.by_target(line) for cell in found)
    behind = _by_target(gated, line, BUNDLE_LINE) if has_verdicts else {}
    return Gain(
        over_bundle=difference(group, line, BUNDLE_LINE),
        by_target=by_target,
        over_reference=difference(group, line, reference) if compared else None,
        worst_against_reference=_lowest(against),
        gap_closed=_gap_closed(group, line),
        gated=difference(gated, line, BUNDLE_LINE) if has_verdicts else None,
        worst_gated=_lowest(behind),
    )


def _by_target(group: AdaptationGroup, line: Line, other: Line) -> dict[str, Difference]:
    found = {
        target: difference(replace(group, targets=(target,)), line, other)
        for target in group.targets
    }
    return {target: each for target, each in found.items() if each is not None}


def _lowest(found: Mapping[str, Difference]) -> float | None:
    return min((each.mean for each in found.values()), default=None)


def _gap_closed(group: AdaptationGroup, line: Line) -> float | None:
    shared: dict[tuple[Line, str], tuple[AdaptedScores, ...]] = {}
    targets = []
    for target in group.targets:
        cells = [group.of(each, target) for each in (line, BUNDLE_LINE, CEILING_LINE)]
        seeds = set.intersection(*({cell.seed for cell in found} for found in cells))
        if seeds:
            targets.append(target)
        for each, found in zip((line, BUNDLE_LINE, CEILING_LINE), cells, strict=True):
            shared[each, target] = tuple(cell for cell in found if cell.seed in seeds)
    there = replace(group, targets=tuple(targets), cells=shared)
    own = difference(there, line, BUNDLE_LINE)
    whole = difference(there, CEILING_LINE, BUNDLE_LINE)
    if own is None or whole is None or whole.mean <= 0:
        return None
    return own.mean / whole.mean


def _gated(group: AdaptationGroup, line: Line) -> AdaptationGroup:
    """The group with the bundle's scores wherever the line was not accepted."""
    cells = dict(group.cells)
    for target in group.targets:
        floor = {cell.seed: cell for cell in group.of(BUNDLE_LINE, target)}
        cells[line, target] = tuple(
            cell
            if cell.gate is not None and cell.gate["accept"]
            else replace(cell, scans=floor[cell.seed].scans)
            for cell in group.of(line, target)
            if cell.seed in floor
        )
    return replace(group, cells=cells)


def gate_counts(group: AdaptationGroup, lines: Sequence[Line]) -> GateCounts:
    """How often the gate was right about some lines."""
    colours: list[str] = []
    accepted: list[float] = []
    refused: list[float] = []
    for target in group.targets:
        floor = {cell.seed: _mean(cell) for cell in group.of(BUNDLE_LINE, target)}
        for cell in (cell for line in lines for cell in group.of(line, target)):
            if cell.gate is None or cell.seed not in floor:
                continue
            colours.append(cell.gate["colour"])
            true = _mean(cell) - floor[cell.seed]
            (accepted if cell.gate["accept"] else refused).append(true)
    return GateCounts(
        n=len(colours),
        green=colours.count("green"),
        amber=colours.count("amber"),
        red=colours.count("red"),
        accepted_worse=sum(true < 0 for true in accepted),
        accepted_much_worse=sum(true < -GAIN for true in accepted),
        refused_better=sum(true > GAIN for true in refused),
        gain_accepted=fmean(accepted) if accepted else None,
        gain_refused=fmean(refused) if refused else None,
    )


def _mean(cell: AdaptedScores) -> float:
    """Mean 3-D Dice over the people of the test half."""
    return fmean(subject_values([cell], "dice").values())
