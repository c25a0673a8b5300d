"""Several methods with the same corrections, and the one that these speak for.

Which method suits a site cannot be told from other sites: what finds the cord at one
centre spoils hearts at another. What can be told is which candidate does best on
corrections that nothing has learnt from. So rivals are trained beside the candidate of
the chosen method and judged in the same way, by the same slices. Offered is a rival that
leads clearly, if the gate accepts it; else what the chosen method has made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dgseg.adaptation.candidate import Plan, train_candidate
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.crossing import (
    cross_judge,
    judge_heldout,
    share_of,
    site_crossing,
)
from dgseg.adaptation.gate import Verdict
from dgseg.adaptation.holdout import HeldoutScores, Split, mean_dice
from dgseg.adaptation.reader import SiteReader
from dgseg.adaptation.watcher import PartWatcher, Watcher
from dgseg.bundles.bundle import read_info
from dgseg.errors import DgsegError
from dgseg.methods import registry

LEAD = 0.02
"""What a rival's mean Dice must be above that of the chosen method: the slices that judge
are few, and the best of several is often the luckiest."""

STEP_COST = 0.4
"""Time of a rival's step for each second of the chosen method's: what `tent` takes beside
`mean-teacher`, or `two-teachers` with one student; beside two it takes half of that. A
slower rival makes the whole longer than was asked for."""


@dataclass(frozen=True)
class Entrant:
    """A candidate, and what the corrections that judge say of it.

    Attributes
    ----------
    config : AdaptConfig
        That it was trained with.
    candidate : Path
        Its bundle.
    share : float
        Steps of each further training that judges it, for each of its own.
    scores : HeldoutScores
        Of the slices that judge; empty where nothing does.
    """

    config: AdaptConfig
    candidate: Path
    share: float
    scores: HeldoutScores

    @property
    def dice(self) -> tuple[float, float] | None:
        """Mean Dice over the structures, of the model in use and of this one."""
        before, after = map(mean_dice, self.scores.pooled())
        return None if before is None or after is None else (before, after)

    @property
    def gain(self) -> float:
        """Of mean Dice; minus infinity where nothing judges.

        Not Dice itself: a structure that only one model paints counts for the other, too.
        """
        return float("-inf") if self.dice is None else self.dice[1] - self.dice[0]


def in_turn(entrants: Sequence[Entrant]) -> list[Entrant]:
    """Those that may be offered, in the order in which the gate is asked about them.

    Rivals that lead clearly, the best of them first; then the chosen method, which is
    offered whatever the gate says.

    Parameters
    ----------
    entrants : sequence of Entrant
        At least one; the chosen method's is the first.
    """
    first, *rivals = entrants
    leaders = [rival for rival in rivals if leads(rival.gain, first.gain)]
    return [*sorted(leaders, key=lambda entrant: -entrant.gain), first]


def leads(gain: float, chosen: float) -> bool:
    """Whether a rival's gain of mean Dice is clearly above that of the chosen method."""
    return gain > chosen + LEAD


def told_of(entrants: Sequence[Entrant], offered: Entrant, verdict: Verdict) -> Verdict:
    """The verdict on what is offered of several candidates, with what else was tried.

    Parameters
    ----------
    entrants : sequence of Entrant
        All; with a single one the verdict stays as it is.
    offered : Entrant
        One of them.
    verdict : Verdict
        On it.
    """
    tried = {each.config.method: each.dice[1] for each in entrants if each.dice is not None}
    if len(tried) < 2:
        return verdict
    titles = {name: registry.resolve(name)[0].title for name in tried}
    best = titles[offered.config.method]
    scores = ", ".join(f"{titles[name]} {dice:.2f}" for name, dice in tried.items())
    words = f"Of {len(tried)} methods tried, {best} is offered: on these slices {scores}."
    numbers = {**verdict.numbers, "tried": tried}
    return replace(verdict, sentence=f"{verdict.sentence} {words}", numbers=numbers)


@dataclass(frozen=True)
class _Turn:
    """An entrant before its trainings: how it is trained, and which slices judge it."""

    config: AdaptConfig
    split: Split

    @property
    def learns(self) -> bool:
        return bool(registry.resolve(self.config.method)[0].learns)

    def steps(self, steps: int) -> int:
        """Of its candidate and the trainings that judge it, where who learns takes so many."""
        return steps + sum(self.split.fold_steps(steps)) if self.learns else 0


@dataclass(frozen=True)
class Contest:
    """Trainings that share scans, corrections, slices that judge, and time.

    Attributes
    ----------
    reader : SiteReader
    bundle : Path
        In use; all begin from it.
    split : Split
        Which slices judge.
    plan : Plan
        Of the chosen method's training; rivals have folders below its own.
    """

    reader: SiteReader
    bundle: Path
    split: Split
    plan: Plan

    def enter(self, config: AdaptConfig, watcher: Watcher) -> list[Entrant]:
        """Train and judge the chosen method's candidate, and the rivals'.

        A rival that fails is warned of, and the others go on. A call after a stop or a
        crash takes up the work where it was left.

        Returns
        -------
        list of Entrant
            The chosen method's first.

        Raises
        ------
        MethodError
            If a rival is no method.
        DgsegError
            As the training of the chosen method has it.
        AdaptationStopped
            If the watcher wanted it.
        """
        first, *rivals = turns = self._turns(config)
        # All trainings together take the time that was given.
        whole = first.split.work + STEP_COST * sum(
            each.split.work for each in rivals if each.learns
        )
        first = replace(first, config=replace(first.config, minutes=config.minutes / whole))
        part = PartWatcher(watcher, 0, partial(_steps, turns), quiet=False)
        candidate = train_candidate(self.reader, self.bundle, first.config, self.plan, part)
        steps = int(read_info(candidate).training["steps"])
        total = _steps(turns, steps)
        part = PartWatcher(watcher, 0, lambda _: total, quiet=False)
        entrants = [self._judged(first, candidate, self.plan, part)]
        for number, rival in enumerate(rivals, 1):
            rival = replace(rival, config=replace(rival.config, steps=steps))
            title = registry.resolve(rival.config.method)[0].title
            how_long = f", {steps} steps" if rival.learns else ""
            watcher.phase("training", f"Trying {title} beside it{how_long}.")
            before = _steps(turns[:number], steps)
            part = PartWatcher(watcher, before, lambda _: total, loss_as=f"{title}: loss")
            plan = replace(self.plan, checkpoint=self.plan.checkpoint / f"rival-{number}")
            plan.checkpoint.mkdir(exist_ok=True)
            try:
                candidate = train_candidate(self.reader, self.bundle, rival.config, plan, part)
                entrants.append(self._judged(rival, candidate, plan, part))
            except DgsegError as error:
                watcher.warn(error)
        return entrants

    def _turns(self, config: AdaptConfig) -> list[_Turn]:
        rivals = self._rivals(config)
        rest = [replace(self.split, fold_share=share_of(each)) for each in rivals]
        first = _Turn(replace(config, rivals=()), self.split)
        return [first, *map(_Turn, rivals, rest)]

    def _rivals(self, config: AdaptConfig) -> list[AdaptConfig]:
        """Those beside the chosen method; none where nothing could tell which is better.

        Nor beside one that learns nothing: they take as many steps as it does. Of a bundle
        that seeks poses, who learns nothing makes that bundle again.
        """
        if not (self.split.folds or self.split.heldout):
            return []
        if not registry.resolve(config.method)[0].learns:
            return []
        names = [name for name in dict.fromkeys(config.rivals) if name != config.method]
        seeks = read_info(self.bundle).preprocessing.seek_pose
        return [
            replace(config, method=name, rivals=(), learning_rate=None, options={})
            for name in names
            if registry.resolve(name)[0].learns or not seeks
        ]

    def _judged(self, turn: _Turn, candidate: Path, plan: Plan, part: Watcher) -> Entrant:
        config, split = turn.config, turn.split
        parted = registry.resolve(config.method)[0].parts_site
        crossing = site_crossing(self.reader, self.bundle, split, self.plan, parted=parted)
        crossing = replace(crossing, folder=plan.checkpoint)
        if split.folds:
            scores = cross_judge(crossing, candidate, config, part)
        else:
            scores = judge_heldout(crossing, split.heldout, candidate, config, part)
        return Entrant(config, candidate, split.fold_share, scores)


def _steps(turns: Sequence[_Turn], steps: int) -> int:
    """Of all trainings of some entrants, where a candidate that learns takes so many."""
    return sum(each.steps(steps) for each in turns)
