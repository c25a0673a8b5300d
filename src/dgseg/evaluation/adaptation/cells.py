"""One cell of a benchmark of adaptation: a bundle, adapted to one half, scored on the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dgseg.adaptation.candidate import fine_tune
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.crossing import Crossing, cross_judge, share_of
from dgseg.adaptation.holdout import LEAST_CORRECTED, choose_folds
from dgseg.adaptation.judging import LazySegmenter
from dgseg.adaptation.watcher import AdaptationStopped
from dgseg.bundles.bundle import BundleInfo, read_info
from dgseg.datasets.registry import DATASETS
from dgseg.errors import TrainingError
from dgseg.evaluation.adaptation.choices import (
    Pick,
    as_suggested,
    at_random,
    by_scan,
    saved_picks,
    survey_half,
)
from dgseg.evaluation.adaptation.corrections import (
    Candidates,
    Slices,
    every,
    held_out,
    saved_candidates,
    site_scans,
    spread,
)
from dgseg.evaluation.adaptation.halves import Halves, saved_halves
from dgseg.evaluation.adaptation.listener import Listener
from dgseg.evaluation.adaptation.plan import (
    CROSSED,
    AdaptationCell,
    AdaptationPlan,
    as_settings,
    check_unseen,
)
from dgseg.evaluation.adaptation.verdicts import labels_of, site_of, verdict
from dgseg.evaluation.benchmark.claims import (
    SCORES_NAME,
    CellResult,
    folder_of,
    work_in_folder,
)
from dgseg.evaluation.benchmark.scores import score_subject_scan
from dgseg.evaluation.benchmark.settings import through_json
from dgseg.evaluation.benchmark.splits import file_name
from dgseg.files import write_json
from dgseg.inference.segmenter import Segmenter
from dgseg.methods import registry
from dgseg.training.data import TrainingSet, training_set
from dgseg.training.loop import OnStep, ShouldStop
from dgseg.training.train import BUNDLE_NAME

FORMAT = 1

_BEFORE = "before"
"""Folder of what the bundles propose, the same in all cells."""


@dataclass(frozen=True)
class Task:
    """All that a cell is about, before anything is trained.

    Attributes
    ----------
    cell : AdaptationCell
    bundle : Path
        That is adapted.
    info : BundleInfo
        Of it.
    config : AdaptConfig or None
        None for the bundle as it is.
    halves : Halves
    corrected, kept : mapping of str to tuple of int
        Slices by scan that are learnt from, and those that the gate judges by.
    folds : tuple of mapping of str to tuple of int
        Of the slices that are learnt from those that further trainings go without, where
        the gate judges by them.
    """

    cell: AdaptationCell
    bundle: Path
    info: BundleInfo
    config: AdaptConfig | None
    halves: Halves
    corrected: Slices
    kept: Slices
    folds: tuple[Slices, ...] = ()


def bundle_of(cell: AdaptationCell, plan: AdaptationPlan, bundles: Path) -> Path:
    """The bundle that a cell adapts.

    Raises
    ------
    TrainingError
        If its training is not finished.
    """
    folder = folder_of(bundles, plan.bundle_cell(cell))
    if not (folder / SCORES_NAME).exists():
        raise TrainingError(
            f"The bundle that is to be adapted to {cell.target} is not finished.",
            remedy="Wait for its training, or mend what it failed at and run this again.",
            path=folder,
        )
    return folder / BUNDLE_NAME


def task_of(
    cell: AdaptationCell, plan: AdaptationPlan, out: Path, bundles: Path, data: TrainingSet
) -> Task:
    """What a cell is about; reads labels of the adaptation half alone.

    Raises
    ------
    DgsegError
        If the bundle is not there, has seen the target or segments something else, or the
        halves cannot be drawn.
    """
    bundle = bundle_of(cell, plan, bundles)
    info = read_info(bundle)
    check_unseen(cell.target, info)
    if info.labels != data.schema:
        raise TrainingError(
            "The bundle segments other structures than the data set has.",
            remedy="Name the folder of a benchmark of the same data set.",
            path=bundle,
        )
    halves = saved_halves(out / "halves", data.entries, cell.data, cell.target, cell.seed)
    corrected: dict[str, tuple[int, ...]] = {}
    kept: dict[str, tuple[int, ...]] = {}
    folds: tuple[Slices, ...] = ()
    config = plan.config_of(cell)
    if config is not None:
        there = saved_candidates(out / "candidates", halves, data.entries, cell.data)
        if cell.k is None:
            corrected = every(there)
        else:
            corrected = _chosen(cell, config, out, bundle, halves, there, data)
            if plan.gate == CROSSED:
                folds = choose_folds(corrected) if cell.k >= LEAST_CORRECTED else ()
            else:
                kept = held_out(there, halves.adaptation, plan.gate_slices, corrected)
    return Task(cell, bundle, info, config, halves, corrected, kept, folds)


def _chosen(
    cell: AdaptationCell,
    config: AdaptConfig,
    out: Path,
    bundle: Path,
    halves: Halves,
    there: Sequence[Candidates],
    data: TrainingSet,
) -> dict[str, tuple[int, ...]]:
    """The k slices that are corrected; a suggestion looks at the bundle's proposals."""
    assert cell.k is not None
    k = cell.k
    if cell.choice == "random":
        return at_random(there, k, cell.target, cell.seed)
    if cell.choice != "suggested":
        return spread(there, halves.adaptation, k)
    model = LazySegmenter(bundle, read_info(bundle), config.device, config.precision)
    bundle_id = model.info.bundle_id

    def make() -> list[Pick]:
        folder = out / _BEFORE / bundle_id
        scans = survey_half(halves, data.entries, model, folder, Listener())
        return as_suggested(scans, there, k, model.info.labels.names)

    name = f"{file_name(cell.data, cell.target, bundle_id, f'k{k}')}-seed{cell.seed}.json"
    try:
        return by_scan(saved_picks(out / "suggested" / name, make))
    finally:
        model.release()


def settings_of(task: Task) -> dict[str, Any]:
    """All that the result of a cell depends on, as JSON has it.

    Raises
    ------
    MethodError
        If the method does not take one of its options.
    """
    content: dict[str, Any] = {
        "format": FORMAT,
        "cell": task.cell.as_json(),
        "bundle_id": task.info.bundle_id,
        "halves": asdict(task.halves),
        "config": as_settings(task.config),
        "preset": None,
        "corrected": task.corrected,
        "kept": task.kept,
    }
    if task.folds:
        content["folds"] = task.folds
    if task.config is not None:
        # A preset that was changed in the meantime is not that of the cell.
        preset = registry.resolve(task.config.method)[1]
        content["preset"] = asdict(preset)
        _check_options(task.config)
        if task.folds:
            content["fold_share"] = share_of(task.config)
    return through_json(content)


def _check_options(config: AdaptConfig) -> None:
    """Refuse what the method does not take before anything is trained."""
    given = {} if config.learning_rate is None else {"learning_rate": config.learning_rate}
    registry.network(config.method, {**given, **config.options}, 2, 4, 2, 1)


def run_cell(
    cell: AdaptationCell,
    plan: AdaptationPlan,
    out: Path,
    bundles: Path,
    *,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    data: TrainingSet | None = None,
) -> CellResult:
    """Adapt, or go on with it, and score; never twice.

    Nothing of the test half is read before the candidate is written.

    Parameters
    ----------
    cell : AdaptationCell
    plan : AdaptationPlan
    out : Path
        Folder of the benchmark. The cell's own below it keeps the settings and
        `SCORES_NAME`, which is written last.
    bundles : Path
        Folder of the benchmark that trained the bundles.
    on_step, should_stop : callable, optional
        As in `dgseg.training.loop.fit`.
    data : TrainingSet, optional
        What ``plan.data`` names, if it was loaded before.

    Raises
    ------
    DgsegError
        If the folder was begun with other settings, and as the parts raise.
    """
    began = time.monotonic()
    data = data or training_set((plan.data,), root=plan.data_root)
    task = task_of(cell, plan, out, bundles, data)
    settings = settings_of(task)

    def work(folder: Path) -> bool:
        try:
            _work(task, plan, out, folder, data, Listener(on_step, should_stop))
        except AdaptationStopped:
            return False
        return True

    return work_in_folder(cell, out, settings, work, began=began)


def _work(
    task: Task,
    plan: AdaptationPlan,
    out: Path,
    folder: Path,
    data: TrainingSet,
    watcher: Listener,
) -> None:
    """Adapt, ask the gate, and only then look at the test half."""
    bundle, trained, judged = task.bundle, {}, None
    if task.config is not None:
        checkpoint = folder / "checkpoint"
        checkpoint.mkdir(exist_ok=True)
        bundle = fine_tune(
            lambda: site_scans(task.halves, data.entries, task.corrected, task.kept),
            task.bundle,
            task.config,
            checkpoint,
            watcher,
        )
        trained = read_info(bundle).training
        if task.cell.k is not None:
            judged = _ask_gate(task, bundle, out, folder, data, watcher)
    device, precision = plan.config.device, plan.config.precision
    write_json(
        folder / SCORES_NAME,
        {
            "format": FORMAT,
            "cell": task.cell.as_json(),
            "bundle_id": task.info.bundle_id,
            "divided_by": task.halves.by,
            "corrected": {key: list(value) for key, value in task.corrected.items()},
            "kept": {key: list(value) for key, value in task.kept.items()},
            "schema": [label.short_name for label in data.schema.labels],
            "spacing_known": DATASETS[plan.data].spacing_known,
            "subjects": _score(Segmenter(bundle, device, precision), task, data),
            "gate": judged,
            "steps": trained.get("steps", 0),
            "seconds": trained.get("seconds", 0.0),
            "device": trained.get("device"),
        },
    )


def _ask_gate(
    task: Task,
    candidate: Path,
    out: Path,
    folder: Path,
    data: TrainingSet,
    watcher: Listener,
) -> dict[str, Any]:
    assert task.config is not None
    device, precision = task.config.device, task.config.precision
    old, new = (
        LazySegmenter(path, read_info(path), device, precision)
        for path in (task.bundle, candidate)
    )
    folders = (out / _BEFORE / task.info.bundle_id, folder / "checkpoint" / "after")
    there = site_of(task.halves, data.entries)
    try:
        crossed = None
        if task.folds:
            crossing = Crossing(
                folds=task.folds,
                items=partial(site_scans, task.halves, data.entries, task.corrected),
                truth=lambda scan_id: (there[scan_id].scan, labels_of(there[scan_id])),
                bundle=task.bundle,
                before=folders[0],
                folder=folder / "checkpoint",
                share=share_of(task.config),
            )
            crossed = cross_judge(crossing, candidate, task.config, watcher)
        return verdict(
            (old, new), there, task.corrected, task.kept, folders, watcher, crossed=crossed
        )
    finally:
        old.release()
        new.release()


def _score(segmenter: Segmenter, task: Task, data: TrainingSet) -> list[dict[str, Any]]:
    in_pixels = not DATASETS[task.cell.data].spacing_known
    found = []
    for entry in task.halves.test_entries(data.entries):
        truth = task.halves.test_part(entry.load())
        if truth.annotated.any():
            labels = segmenter.segment(truth.scan).labels
            found.append(score_subject_scan(labels, truth, segmenter.info.labels, in_pixels))
    return found
