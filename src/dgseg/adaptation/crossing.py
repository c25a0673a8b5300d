"""Judging a candidate that has learnt from every correction: by trainings that have not.

Where there are few corrected slices the candidate needs them all, so that none is left
that could judge it. What can be judged is the training: it is done again without one
group of the slices after the other (`dgseg.adaptation.holdout.choose_folds`), with the
same method, bundle and seed, and each of these models is compared with the bundle on the
slices that it has never seen, neither their labels nor their images. Each is a complete
training, but mostly a shorter one (`share_of`), for they share the candidate's time. They
have learnt from fewer slices and for less long than the candidate, so that what they gain
is rather less than what it gains. Nobody else ever sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from dgseg.adaptation.candidate import Plan, fine_tune
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.holdout import FOLD_SHARE, HeldoutScores, Slices, Split, fold_steps
from dgseg.adaptation.judging import LazySegmenter
from dgseg.adaptation.reader import SiteReader, items_without
from dgseg.adaptation.watcher import PartWatcher, Watcher
from dgseg.bundles.bundle import read_info
from dgseg.methods import registry
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.scan import Scan


@dataclass(frozen=True)
class Crossing:
    """Further trainings that judge a candidate.

    Attributes
    ----------
    folds : tuple of mapping of str to tuple of int
        Slices by scan that each training goes without.
    items : callable
        Gives the scans to learn from, with the slices of a fold hidden.
    truth : callable
        Gives a scan by its identifier with its labels; None if it is gone.
    bundle : Path
        In use; all trainings begin from it.
    before, folder : Path
        For the bundle's proposals, a folder a scan, and for each training's own.
    unlabelled : collection of str, optional
        As in `dgseg.adaptation.candidate.fine_tune`.
    share : float
        Steps of each training for each step of the candidate's.
    """

    folds: tuple[Slices, ...]
    items: Callable[[Slices], Iterable[AnnotatedScan]]
    truth: Callable[[str], tuple[Scan, np.ndarray] | None]
    bundle: Path
    before: Path
    folder: Path
    unlabelled: Collection[str] | None = None
    share: float = FOLD_SHARE


def site_crossing(
    reader: SiteReader, bundle: Path, split: Split, plan: Plan, *, parted: bool = False
) -> Crossing:
    """The further trainings of a job, on the scans of its site.

    `parted` is as `dgseg.adaptation.reader.items_without` has it.
    """
    known = {item.scan_id: item for item in reader.usable}

    def truth(scan_id: str) -> tuple[Scan, np.ndarray] | None:
        item = known.get(scan_id)
        scan = None if item is None else reader.read(item)
        return (
            None if item is None or item.labels is None or scan is None else (scan, item.labels)
        )

    items = partial(items_without, reader, parted=parted)
    folders = (plan.before, plan.checkpoint)
    return Crossing(
        split.folds,
        items,
        truth,
        bundle,
        *folders,
        unlabelled=reader.unlabelled,
        share=split.fold_share,
    )


def share_of(config: AdaptConfig) -> float:
    """Steps of each further training for each step of the candidate's, with a method.

    As many where nothing holds the method to the corrections: what it does to a model
    grows with the steps, and a short training would hide it.

    Raises
    ------
    MethodError
        If there is no such method.
    """
    return 1.0 if registry.resolve(config.method)[0].drifts else FOLD_SHARE


def cross_judge(
    crossing: Crossing, candidate: Path, config: AdaptConfig, watcher: Watcher
) -> HeldoutScores:
    """Compare the bundle with trainings like the candidate's, on slices they have not seen.

    A call after a stop or a crash keeps the trainings that are finished, and goes on
    with the one that is not.

    Parameters
    ----------
    crossing : Crossing
    candidate : Path
        The candidate's bundle: what is trained here takes a share of the steps that it did.
    config : AdaptConfig
        The candidate's.
    watcher : Watcher

    Returns
    -------
    HeldoutScores
        Of the slices of all folds.

    Raises
    ------
    DgsegError, AdaptationStopped
        As `dgseg.adaptation.candidate.fine_tune`.
    """
    steps = int(read_info(candidate).training["steps"])
    short = fold_steps(steps, crossing.share)
    config = replace(config, steps=short)
    scores = HeldoutScores(read_info(crossing.bundle).labels, crossed=True)
    old = _segmenter(crossing.bundle, config)
    n = len(crossing.folds)
    try:
        for number in range(n):
            part = PartWatcher(watcher, steps + number * short, lambda _: steps + n * short)
            new = _segmenter(_train(crossing, number, config, part), config)
            try:
                fold, folder = crossing.folds[number], _folder(crossing, number)
                _compare(crossing, fold, folder, (old, new), scores, watcher)
            finally:
                new.release()
    finally:
        old.release()
    return scores


def judge_heldout(
    crossing: Crossing, heldout: Slices, candidate: Path, config: AdaptConfig, watcher: Watcher
) -> HeldoutScores:
    """Compare the bundle with a candidate itself, on slices that it has not seen.

    Parameters
    ----------
    crossing : Crossing
        Without folds; the candidate's proposals go into its folder.
    heldout : mapping of str to tuple of int
        Slices by scan; none is right.
    candidate : Path
    config : AdaptConfig
        The candidate's.
    watcher : Watcher

    Raises
    ------
    AdaptationStopped
        If the watcher wanted it; proposals that are done are kept.
    """
    scores = HeldoutScores(read_info(crossing.bundle).labels)
    old, new = _segmenter(crossing.bundle, config), _segmenter(candidate, config)
    try:
        _compare(crossing, heldout, crossing.folder, (old, new), scores, watcher)
    finally:
        old.release()
        new.release()
    return scores


def _train(crossing: Crossing, number: int, config: AdaptConfig, part: PartWatcher) -> Path:
    """Train without one fold; returns the bundle."""
    n, fold = len(crossing.folds), crossing.folds[number]
    if registry.resolve(config.method)[0].learns:
        words = f"Training without slice group {number + 1} of {n}, to judge by it."
        part.whole.phase("judging", words)
    checkpoint = _folder(crossing, number)
    checkpoint.mkdir(parents=True, exist_ok=True)
    return fine_tune(
        lambda: crossing.items(fold),
        crossing.bundle,
        config,
        checkpoint,
        part,
        unlabelled=crossing.unlabelled,
        with_styles=False,
        n_hidden=sum(map(len, fold.values())),
    )


def _compare(
    crossing: Crossing,
    heldout: Slices,
    folder: Path,
    models: tuple[LazySegmenter, LazySegmenter],
    scores: HeldoutScores,
    watcher: Watcher,
) -> None:
    old, new = models
    for scan_id, slices in heldout.items():
        found = crossing.truth(scan_id)
        if found is None:
            continue
        scan, labels = found
        before = old.proposal(scan, crossing.before / scan_id, watcher).labels
        after = new.proposal(scan, folder / "proposals" / scan_id, watcher).labels
        for index in slices:
            scores.add(scan_id, index, labels[index], before[index], after[index])


def _folder(crossing: Crossing, number: int) -> Path:
    return crossing.folder / f"fold-{number + 1}"


def _segmenter(bundle: Path, config: AdaptConfig) -> LazySegmenter:
    return LazySegmenter(bundle, read_info(bundle), config.device, config.precision)
