"""Is the candidate better? One judgement, in plain words, from numbers alone.

The evidence is of two kinds. On held-out corrections, which the training never
saw, the Dice coefficients of the bundle that is in use and of the candidate are
compared; where there are few corrections, those of trainings like the candidate's
that each went without some of them (`dgseg.adaptation.crossing`). On scans that nobody has corrected there is no truth,
but a candidate that finds nothing at all in them has collapsed, whatever its
Dice on a few slices says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from statistics import fmean, median
from typing import Any, Literal

from dgseg.adaptation.holdout import LEAST_CORRECTED

Colour = Literal["green", "amber", "red"]

MIN_HELDOUT = 2
"""Fewer held-out slices than this are an anecdote: amber."""

GAIN = 0.005
"""Mean Dice must rise by this to be called better: half a point, less than what one
person's two segmentations of a slice differ by."""

WORSE_SHARE = 1 / 3
"""Slices that may become worse, of all that judge. With a few slices the mean is often
that of one of them: in 36 adaptations of hearts, each judged by three slices, the one
that did much harm (6 points) had gained on average, by one slice, while two fell; no
other that passed had more than one that fell."""

LOSS = 0.01
"""A fall of the mean Dice beyond this is a worse model: red."""

CLASS_LOSS = 0.02
"""A fall of one structure beyond this must be looked at: amber."""

CLASS_LOSS_SEVERE = 0.05
"""A fall of one structure beyond this is a worse model: red."""

FEW_HELDOUT = 8
"""With fewer slices a structure is in one or two of them, and a fall of it must be looked
at only beyond `CLASS_LOSS_SEVERE`: of the same 36 adaptations two were refused for a
smaller one alone, and both were better, by 2 and 3 points."""

POOR = 0.5
"""A better model whose Dice is below this is no good model, and the verdict says so."""

VANISHED = 0.1
"""A structure of less than this part of its former volume, and of the area that it has
in the corrected slices, has vanished. Either alone is no sign: a model that floods a
whole image is mended by shrinking, and a scan may show the structure in few slices."""

VOLUME_RANGE = (0.4, 2.5)
"""Median volume, new over old, that passes without a remark. A model that fails on
a new scanner misses half of a structure or paints twice of it easily, and mending
that is no fault: outside the range is amber, to be looked at, not red. Half to twice
refused some adaptations of hearts for this alone that were clearly better."""

AGREEMENT = 0.5
"""Median Dice between old and new proposals below which a remark is made. Where the old
model itself is below it on the held-out slices, it is no measure, and neither this
nor the volumes are remarked on."""


@dataclass(frozen=True)
class Evidence:
    """What the judgement is made from.

    Attributes
    ----------
    n_heldout : int
        Held-out slices.
    before, after : mapping of str to float or None
        Dice by structure, pooled over the held-out slices; None, in both, for
        a structure that is in none of them, neither truly nor proposed.
    n_better, n_worse : int
        Held-out slices whose own Dice rose or fell by more than `GAIN`.
    crossed : bool
        Not the candidate was compared on the held-out slices, which has learnt from them,
        but on each of them a training like its own that has never seen it.
    volume_ratio : mapping of str to (mapping of str to float or None)
        By uncorrected scan and structure: new volume over old; None where the
        old one was empty.
    area_ratio : mapping of str to (mapping of str to float or None)
        By uncorrected scan and structure: mean area in a slice of the new
        proposal over that in the corrected slices; None where that is empty.
    agreement : mapping of str to float
        By uncorrected scan: mean Dice between old and new proposals.
    n_corrected : int
        All corrected slices of the site, whether or not they judge.
    learnt : bool
        Whether the candidate learnt anything: else nothing had to be held out.
    """

    n_heldout: int
    before: Mapping[str, float | None]
    after: Mapping[str, float | None]
    n_better: int = 0
    n_worse: int = 0
    crossed: bool = False
    volume_ratio: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    area_ratio: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    agreement: Mapping[str, float] = field(default_factory=dict)
    n_corrected: int = 0
    learnt: bool = True


@dataclass(frozen=True)
class Verdict:
    """The judgement.

    Attributes
    ----------
    colour : {'green', 'amber', 'red'}
        Better; cannot tell or look first; worse.
    accept : bool
        What is recommended. The decision is a person's.
    sentence : str
        Why, in plain words, with the numbers.
    numbers : dict
        Everything that the sentence rests on, as JSON can hold it.
    """

    colour: Colour
    accept: bool
    sentence: str
    numbers: dict[str, object]


def judge(evidence: Evidence) -> Verdict:
    """Green only if the held-out corrections say so and nothing speaks against it.

    In this order: a structure that vanishes from most of the uncorrected
    scans is red; a fall of the mean Dice beyond `LOSS` or of one structure
    beyond `CLASS_LOSS_SEVERE` is red, unless more slices became better than
    worse, for then it is the fall of one slice or two, to be looked at; fewer held-out slices than
    `MIN_HELDOUT`, a gain below `GAIN`, more than `WORSE_SHARE` of the slices
    worse, a structure that loses more than `CLASS_LOSS` (of `FEW_HELDOUT` slices
    or more), or volumes or agreement outside their ranges are amber.
    """
    before, after = _mean(evidence.before), _mean(evidence.after)
    falls = _falls(evidence)
    numbers = _numbers(evidence, before, after)
    vanished = _vanished(evidence)
    if vanished:
        words = f"In most of the uncorrected scans {_list(vanished)} vanished."
        return Verdict("red", False, _join(words, _dice_words(evidence)), numbers)
    if before is None or after is None:
        words = _join(_unjudged(evidence), _stability_words(evidence))
        return Verdict("amber", False, words, numbers)
    severe = [name for name, fall in falls.items() if fall > CLASS_LOSS_SEVERE]
    settled = evidence.n_heldout >= MIN_HELDOUT and evidence.n_better <= evidence.n_worse
    if settled and (before - after > LOSS or severe):
        where = f" on {_list(severe)}" if severe else ""
        way = evidence.crossed and evidence.learnt
        who = "What is learnt this way makes unseen slices" if way else "It is"
        words = _join(f"{who} worse{where}: keep the old one.", _dice_words(evidence))
        return Verdict("red", False, words, numbers)
    doubts = _doubts(evidence, after - before, falls)
    if doubts:
        words = _join(_dice_words(evidence), *doubts)
        return Verdict("amber", False, words, numbers)
    poor = "That is still poor: correct more, and adapt again." if after < POOR else ""
    words = _join(_dice_words(evidence), poor, _stability_words(evidence))
    return Verdict("green", True, words, numbers)


def judge_again(numbers: Mapping[str, Any]) -> Verdict:
    """The judgement by the present rules of what an earlier one rested on.

    Parameters
    ----------
    numbers : mapping
        Those of a `Verdict`, perhaps read from JSON; what came to them since is as if
        nothing had been measured.

    Raises
    ------
    TypeError
        If they are not those of a verdict.
    """
    known = {each.name for each in fields(Evidence)}
    return judge(Evidence(**{name: numbers[name] for name in known & numbers.keys()}))


def _unjudged(evidence: Evidence) -> str:
    """Why no slice tells which model is better."""
    if evidence.n_heldout:
        return (
            "The slices that were to judge show no structure, and neither model finds one there: "
            "correct some that do, or compare the two by eye."
        )
    if evidence.n_corrected >= LEAST_CORRECTED:
        return "No corrected slice was to judge it: compare the two by eye."
    return (
        "Without corrections to judge by nobody can tell whether it is better: "
        "correct at least two slices, or compare the two by eye."
    )


def _doubts(evidence: Evidence, gain: float, falls: Mapping[str, float]) -> list[str]:
    doubts = []
    if evidence.n_heldout < MIN_HELDOUT:
        doubts.append(
            f"{_count(evidence.n_heldout, _judges(evidence))} cannot settle it: "
            "compare the two by eye, or correct more slices."
        )
    elif gain < -LOSS:
        doubts.append(f"Yet {evidence.n_better} of these slices became better: look at them.")
    elif gain < GAIN:
        doubts.append("That is no clear difference.")
    elif evidence.n_worse > WORSE_SHARE * evidence.n_heldout:
        doubts.append(f"But {evidence.n_worse} of these slices became worse.")
    tolerated = CLASS_LOSS_SEVERE if evidence.n_heldout < FEW_HELDOUT else CLASS_LOSS
    worse = [name for name, fall in falls.items() if fall > tolerated]
    if worse:
        doubts.append(f"Look at {_list(worse)}, which became worse.")
    if (_mean(evidence.before) or 0.0) >= AGREEMENT:
        doubts += _changes(evidence)
    return doubts


def _changes(evidence: Evidence) -> list[str]:
    """What became very different in scans that nobody has corrected."""
    low, high = VOLUME_RANGE
    odd = {
        name: ratio
        for name, ratio in _median_ratios(evidence).items()
        if not low <= ratio <= high
    }
    changes = []
    if odd:
        what = _list([f"{name} {_percent(ratio)}" for name, ratio in odd.items()])
        changes.append(f"In uncorrected scans volumes change much ({what}): look at them.")
    if evidence.agreement and median(evidence.agreement.values()) < AGREEMENT:
        changes.append(
            "In uncorrected scans the new proposals overlap little with the old "
            f"(Dice {median(evidence.agreement.values()):.2f}): look at them."
        )
    return changes


def _dice_words(evidence: Evidence) -> str:
    before, after = _mean(evidence.before), _mean(evidence.after)
    if before is None or after is None:
        return ""
    moves = f"{'rises' if after > before else 'falls'} from {before:.2f} to {after:.2f}"
    if f"{before:.2f}" == f"{after:.2f}":
        moves = f"stays at {after:.2f}"
    each = ", ".join(f"{name} {old:.2f} to {new:.2f}" for name, old, new in _pairs(evidence))
    where = _count(evidence.n_heldout, _judges(evidence))
    if not evidence.learnt:
        return f"On {where} Dice {moves} ({each})."
    unseen = "each judged by a training that had not seen it"
    if not evidence.crossed:
        unseen = "which the training never saw"
    return f"On {where}, {unseen}, Dice {moves} ({each})."


def _judges(evidence: Evidence) -> str:
    """What one of the slices that judge is called."""
    held_out = evidence.learnt and not evidence.crossed
    return "held-out slice" if held_out else "corrected slice"


def _stability_words(evidence: Evidence) -> str:
    ratios = _median_ratios(evidence)
    if not ratios:
        return ""
    changes = ", ".join(f"{name} {_percent(ratio)}" for name, ratio in ratios.items())
    where = _count(len(evidence.volume_ratio), "uncorrected scan")
    return f"In {where} the volumes change by {changes}."


def _vanished(evidence: Evidence) -> list[str]:
    names = []
    for name in evidence.before:
        gone = [
            ratio < VANISHED
            and _or_zero(evidence.area_ratio.get(scan_id, {}).get(name)) < VANISHED
            for scan_id, ratios in evidence.volume_ratio.items()
            if (ratio := ratios.get(name)) is not None
        ]
        if gone and sum(gone) * 2 > len(gone):
            names.append(name)
    return names


def _or_zero(value: float | None) -> float:
    return 0.0 if value is None else value


def _ratios(evidence: Evidence, name: str) -> list[float]:
    each = (ratios.get(name) for ratios in evidence.volume_ratio.values())
    return [ratio for ratio in each if ratio is not None]


def _median_ratios(evidence: Evidence) -> dict[str, float]:
    every = {name: _ratios(evidence, name) for name in evidence.before}
    return {name: median(ratios) for name, ratios in every.items() if ratios}


def _pairs(evidence: Evidence) -> list[tuple[str, float, float]]:
    pairs = []
    for name, old in evidence.before.items():
        new = evidence.after.get(name)
        if old is not None and new is not None:
            pairs.append((name, old, new))
    return pairs


def _falls(evidence: Evidence) -> dict[str, float]:
    return {name: old - new for name, old, new in _pairs(evidence)}


def _mean(dice: Mapping[str, float | None]) -> float | None:
    values = [value for value in dice.values() if value is not None]
    return fmean(values) if values else None


def _numbers(
    evidence: Evidence, before: float | None, after: float | None
) -> dict[str, object]:
    numbers: dict[str, object] = asdict(evidence)
    numbers["dice_before"] = before
    numbers["dice_after"] = after
    numbers["median_volume_ratio"] = _median_ratios(evidence)
    agreement = list(evidence.agreement.values())
    numbers["median_agreement"] = median(agreement) if agreement else None
    return numbers


def _percent(ratio: float) -> str:
    return f"{round(100 * (ratio - 1)):+d} %"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
