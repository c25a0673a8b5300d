"""What a job that tries several methods would offer, from the cells of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dgseg.adaptation.contest import leads
from dgseg.evaluation.adaptation.plan import AdaptationCell
from dgseg.evaluation.adaptation.results import AdaptedScores

Key = tuple[str, str, str, int | None, int, str]
"""All of a cell but its row."""


_OR = " or "


def offer_label(chosen: str, rivals: Sequence[str]) -> str:
    """Name of the row of what is offered where rivals are tried beside a method."""
    return _OR.join((chosen, *rivals))


def is_offer(label: str) -> bool:
    """Whether a row is such a one."""
    return _OR in label


def with_offers(
    cells: Sequence[AdaptedScores], rivals: Sequence[str]
) -> tuple[AdaptedScores, ...]:
    """The cells, and those of the rows that a job with rivals would offer.

    Nothing is adapted for them: what would be offered is one of the candidates that are
    there, chosen by what the gate's slices say (`dgseg.adaptation.contest.in_turn`), and
    the verdict is that of the gate about it.

    Parameters
    ----------
    cells : sequence of AdaptedScores
    rivals : sequence of str
        Labels of rows. Each other row that has a verdict gets one more beside it, at the
        targets, slices and seeds at which all of them are finished.
    """
    if not rivals:
        return tuple(cells)
    by_key: dict[Key, dict[str, AdaptedScores]] = {}
    for each in cells:
        if _gain(each) is not None:
            by_key.setdefault(_key(each.cell), {})[each.cell.label] = each
    found = [
        _offered(there[label], [there[name] for name in rivals], rivals)
        for there in by_key.values()
        if set(rivals) <= set(there)
        for label in there
        if label not in rivals
    ]
    return (*cells, *found)


def planned_offers(
    planned: Sequence[AdaptationCell], rivals: Sequence[str]
) -> tuple[AdaptationCell, ...]:
    """The same of cells that are to be: where a method and all rivals are planned."""
    labels: dict[Key, set[str]] = {}
    for cell in planned:
        labels.setdefault(_key(cell), set()).add(cell.label)
    return tuple(
        replace(cell, label=offer_label(cell.label, rivals))
        for cell in planned
        if rivals and cell.k and cell.label not in rivals and set(rivals) <= labels[_key(cell)]
    )


def _offered(
    chosen: AdaptedScores, others: Sequence[AdaptedScores], rivals: Sequence[str]
) -> AdaptedScores:
    own = _gain(chosen) or 0.0
    leaders = [
        each
        for each in others
        if leads(_gain(each) or 0.0, own) and each.gate is not None and each.gate["accept"]
    ]
    offered = max(leaders, key=lambda each: _gain(each) or 0.0, default=chosen)
    cell = replace(chosen.cell, label=offer_label(chosen.cell.label, rivals))
    seconds = chosen.seconds + sum(each.seconds for each in others)
    return replace(offered, cell=cell, seconds=seconds)


def _key(cell: AdaptationCell) -> Key:
    return cell.data, cell.target, cell.base, cell.k, cell.seed, cell.choice


def _gain(each: AdaptedScores) -> float | None:
    """Of mean Dice on the slices that judge; None where there are none."""
    if each.gate is None:
        return None
    before, after = (each.gate["numbers"].get(f"dice_{when}") for when in ("before", "after"))
    return None if before is None or after is None else float(after - before)
