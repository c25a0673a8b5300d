"""An adaptation from the site's corrections to the judgement.

The result is a dict as JSON can hold it: ``bundle`` (a folder beside the
result) with ``bundle_id`` and ``parent_id``, ``verdict``, ``holdout`` (both
models' Dice by slice that judged them), ``dice_before`` and ``dice_after`` (means over the
structures; by structure in ``verdict["numbers"]``), ``steps``, ``judging_steps`` (of each
further training that judges), ``seconds``, and which scans were ``proposed`` and
``skipped``.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dgseg.adaptation.beside import SourceReader, find_sources
from dgseg.adaptation.candidate import Plan
from dgseg.adaptation.checks import check_method
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.contest import Contest, Entrant, in_turn, told_of
from dgseg.adaptation.crossing import share_of
from dgseg.adaptation.gate import Verdict, judge
from dgseg.adaptation.holdout import Split, choose_split
from dgseg.adaptation.judging import Comparison, LazySegmenter, compare
from dgseg.adaptation.reader import SiteReader, site_domains
from dgseg.adaptation.watcher import Watcher
from dgseg.bundles.bundle import BundleInfo, read_info, read_weights, write_bundle
from dgseg.errors import AdaptationError
from dgseg.files import write_json
from dgseg.methods import registry
from dgseg.scans.schema import LabelSchema
from dgseg.site.snapshot import SnapshotScan


def adapt(
    scans: Sequence[SnapshotScan],
    bundle: Path,
    config: AdaptConfig,
    out: Path,
    watcher: Watcher,
    *,
    sources: Sequence[str] = (),
) -> dict[str, Any]:
    """Adapt a bundle to a site, and judge the candidate on corrections.

    On those that were held out, or, where there are few, on all of them through
    trainings that have not seen them (`dgseg.adaptation.crossing`). A call after a
    stop or a crash takes up the work where it was left.

    Parameters
    ----------
    scans : sequence of SnapshotScan
        Corrected or not. Without any correction only a method that learns from
        unlabelled slices has something to do, and nobody can judge the outcome.
    bundle : Path
        The bundle in use.
    out : Path
        For ``checkpoint/``, ``bundle/`` and ``proposals/<scan_id>/``.
    sources : sequence of str, optional
        Labelled source data to learn from beside the site's scans; see
        `dgseg.adaptation.beside.find_sources`.

    Returns
    -------
    dict
        See this module's description.

    Raises
    ------
    DgsegError
        If there is nothing to adapt to, or as bundle, device or training has it.
    AdaptationStopped
        If the watcher wanted it.
    """
    start = time.monotonic()
    watcher.phase("preparing", "Reading the scans.")
    if not scans:
        raise AdaptationError("The site has no scans.", remedy="Add some scans first.")
    info = read_info(bundle)  # before a minute is spent on scans
    corrected = any(item.annotated is not None and item.annotated.any() for item in scans)
    check_method(config, info, has_corrections=corrected, has_sources=bool(sources))
    reader = SiteReader(scans, watcher, _beside(sources, info.labels, scans, watcher))
    reader.check()
    split = _split(reader, config, out / "checkpoint")
    plan = Plan(split.heldout, out / "checkpoint")
    entrants = Contest(reader, bundle, split, plan).enter(config, watcher)
    for offered in in_turn(entrants):
        watcher.phase("segmenting", "Segmenting with the candidate.")
        comparison = _compare(reader, bundle, offered, plan, out, watcher)
        watcher.phase("judging", "Comparing the candidate with the model in use.")
        evidence = dataclasses.replace(
            comparison.evidence(),
            n_corrected=reader.n_corrected,  # without scans that went since
            learnt=registry.resolve(offered.config.method)[0].learns,
        )
        verdict = judge(evidence)
        if verdict.accept:
            break
    info, verdict = read_info(offered.candidate), told_of(entrants, offered, verdict)
    sentence = " ".join(filter(None, (verdict.sentence, reader.left_out)))
    verdict = dataclasses.replace(verdict, sentence=sentence)
    _publish(offered.candidate, info, verdict, out / "bundle")
    watcher.metrics(verdict.numbers)
    split = dataclasses.replace(split, fold_share=offered.share)
    return _result(info, verdict, comparison, reader, split, time.monotonic() - start)


def _compare(
    reader: SiteReader,
    bundle: Path,
    entrant: Entrant,
    plan: Plan,
    out: Path,
    watcher: Watcher,
) -> Comparison:
    """Both models on the scans that tell them apart; the devices are free afterwards."""
    config = entrant.config
    old, new = (
        LazySegmenter(folder, read_info(folder), config.device, config.precision)
        for folder in (bundle, entrant.candidate)
    )
    try:
        return compare(
            reader,
            old,
            new,
            plan.heldout,
            (plan.before, out / "proposals"),
            watcher,
            segment_all=config.segment_all,
            # Slices that were held out are in the comparison anyway.
            crossed=entrant.scores if entrant.scores.crossed else None,
        )
    finally:
        old.release()
        new.release()


def _beside(
    names: Sequence[str],
    schema: LabelSchema,
    scans: Sequence[SnapshotScan],
    watcher: Watcher,
) -> SourceReader | None:
    if not names:
        return None
    return SourceReader(find_sources(names, schema), watcher, site_domains(scans))


def _split(reader: SiteReader, config: AdaptConfig, checkpoint: Path) -> Split:
    """Which slices judge; as the first run chose, whatever scans are gone since.

    What a training has not seen in its first run it must not see after a resumption.
    """
    path = checkpoint / "split.json"
    if path.exists():
        return Split.from_dict(json.loads(path.read_text(encoding="utf-8")))
    corrected = {
        item.scan_id: [int(i) for i in item.annotated.nonzero()[0]]
        for item in reader.usable
        if item.annotated is not None
    }
    learns = registry.resolve(config.method)[0].learns
    split = choose_split(corrected, config.holdout_every, share_of(config), learns=learns)
    write_json(path, dataclasses.asdict(split))
    return split


def _publish(candidate: Path, info: BundleInfo, verdict: Verdict, folder: Path) -> None:
    """The candidate with its scores: the same bundle, now where others look for it."""
    metrics = {"gate": dataclasses.asdict(verdict)}
    scored = info.model_copy(update={"metrics": metrics})
    write_bundle(folder, scored, read_weights(candidate, info))


def _result(
    info: BundleInfo,
    verdict: Verdict,
    comparison: Comparison,
    reader: SiteReader,
    split: Split,
    seconds: float,
) -> dict[str, Any]:
    steps = int(info.training["steps"])
    return {
        "kind": "adapt",
        "bundle": "bundle",
        "bundle_id": info.bundle_id,
        "parent_id": info.parent_id,
        "verdict": dataclasses.asdict(verdict),
        "holdout": [dataclasses.asdict(score) for score in comparison.heldout.slices],
        "dice_before": verdict.numbers["dice_before"],
        "dice_after": verdict.numbers["dice_after"],
        "steps": steps,
        "judging_steps": split.fold_steps(steps),
        "seconds": round(seconds, 1),
        "proposed": comparison.proposed,
        "skipped": sorted(reader.unusable),
    }
