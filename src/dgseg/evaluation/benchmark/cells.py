"""One cell of a benchmark: a training without the target, and its score there."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dgseg.datasets.registry import DATASETS, Entry
from dgseg.devices import find_device
from dgseg.errors import TrainingError
from dgseg.evaluation.benchmark.claims import (
    SCORES_NAME,
    CellResult,
    work_in_folder,
)
from dgseg.evaluation.benchmark.plan import BenchmarkPlan, Cell
from dgseg.evaluation.benchmark.scores import model_slices, score_subject_scans
from dgseg.evaluation.benchmark.settings import through_json, training_settings
from dgseg.evaluation.benchmark.splits import Split, saved_split
from dgseg.files import write_json
from dgseg.inference.segmenter import Segmenter, load_network
from dgseg.inspection.measures import distance_correlations
from dgseg.methods import registry
from dgseg.training.config import TrainConfig
from dgseg.training.loop import OnStep, ShouldStop
from dgseg.training.train import BUNDLE_NAME, Provenance, TrainingSet, train, training_set

_FORMAT = 1
_KEPT = {BUNDLE_NAME, "training.json"}


def split_of(cell: Cell, plan: BenchmarkPlan, out: Path, data: TrainingSet) -> Split:
    """The people of a cell: as saved in `out`, or drawn and saved there.

    Raises
    ------
    DatasetError
        See `dgseg.evaluation.benchmark.splits.saved_split`.
    """
    return saved_split(
        out / "splits",
        data.entries,
        cell.data,
        cell.target,
        cell.fraction,
        cell.seed,
        plan.n_validation,
    )


def config_of(cell: Cell, plan: BenchmarkPlan, n_sources: int) -> TrainConfig:
    """The training of a cell.

    Parameters
    ----------
    cell : Cell
    plan : BenchmarkPlan
    n_sources : int
        How many domains it learns from.

    Raises
    ------
    MethodError
        If the method is unknown.
    TrainingError
        If the images of a step cannot be shared out evenly.
    """
    row = plan.row_of(cell)
    kind, _ = registry.resolve(row.method, plan.config.size)
    n, left_over = divmod(plan.images_per_step, n_sources)
    both = row.unlabelled and getattr(kind, "semi_supervised", False)
    least = 2 if both else 1
    if left_over or n < least:
        raise TrainingError(
            f"{plan.images_per_step} images a step cannot be shared out evenly among "
            f"{n_sources} domains{', with and without labels' * both}.",
            remedy=f"Choose a multiple of {n_sources}, and at least {least * n_sources}.",
        )
    without = min(max(1, round(plan.unlabelled_share * n)), n - 1) if both else 0
    return replace(
        plan.config,
        method=row.method,
        options=dict(row.options),
        augment=row.augment or plan.config.augment,
        batch_per_domain=n - without,
        unlabelled_per_domain=without,
        domains_per_step=None,
        seed=cell.seed,
        validate_every=plan.config.validate_every if plan.n_validation else 0,
    )


def settings_of(
    cell: Cell, plan: BenchmarkPlan, split: Split, n_classes: int
) -> tuple[TrainConfig, dict[str, Any]]:
    """The training of a cell, and all that its result depends on, as JSON.

    Raises
    ------
    MethodError, TrainingError
        See `config_of`; also if the method does not take one of its options.
    """
    config = config_of(cell, plan, len(split.source_domains))
    content = {
        "format": _FORMAT,
        "cell": asdict(cell),
        "label": plan.row_of(cell).label,
        **training_settings(config, n_classes, len(split.source_domains)),
        "split": asdict(split),
    }
    return config, through_json(content)


def run_cell(
    cell: Cell,
    plan: BenchmarkPlan,
    out: Path,
    *,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    data: TrainingSet | None = None,
) -> CellResult:
    """Train a cell, or go on with its training, and score it; never twice.

    Only people of the source domains are learnt from and choose the checkpoint. The
    labels of the target are read once the bundle is written.

    Parameters
    ----------
    cell : Cell
    plan : BenchmarkPlan
    out : Path
        Folder of the benchmark. The cell's own below it keeps the bundle, the settings
        and `SCORES_NAME`, which is written last.
    on_step, should_stop : callable, optional
        As in `dgseg.training.loop.fit`.
    data : TrainingSet, optional
        What ``plan.data`` names, if it was loaded before.

    Raises
    ------
    DgsegError
        If the folder was begun with other settings, and as `train` and the scoring raise.
    """
    began = time.monotonic()
    data = data or training_set((plan.data,), root=plan.data_root)
    split = split_of(cell, plan, out, data)
    config, settings = settings_of(cell, plan, split, data.schema.n_classes)

    def work(folder: Path) -> bool:
        bundle = _train(config, data, split, folder, on_step, should_stop)
        if bundle is not None:
            _score(cell, plan, config, data, split, folder)
        return bundle is not None

    return work_in_folder(cell, out, settings, work, began=began, kept=_KEPT)


def _train(
    config: TrainConfig,
    data: TrainingSet,
    split: Split,
    folder: Path,
    on_step: OnStep | None,
    should_stop: ShouldStop | None,
) -> Path | None:
    learnt = data.of_subjects({*split.labelled, *split.unlabelled})
    return train(
        config,
        learnt.labelled_only(set(split.labelled)),
        folder,
        validation=_labelled(data, split.validation) or None,
        provenance=Provenance(name=f"without {split.target}"),
        on_step=on_step,
        should_stop=should_stop,
    )


def _labelled(data: TrainingSet, people: tuple[tuple[str, str], ...]) -> list[Entry]:
    chosen = set(people)
    return [
        entry
        for entry in data.entries
        if entry.labelled and (entry.domain, entry.subject) in chosen
    ]


def _score(
    cell: Cell,
    plan: BenchmarkPlan,
    config: TrainConfig,
    data: TrainingSet,
    split: Split,
    folder: Path,
) -> None:
    segmenter = Segmenter(folder / BUNDLE_NAME, config.device, config.precision)
    spacing_known = DATASETS[plan.data].spacing_known
    entries = _labelled(data, split.test)
    subjects = score_subject_scans(segmenter, entries, in_pixels=not spacing_known)
    info, net = load_network(folder / BUNDLE_NAME)
    slices = model_slices(entries, info.preprocessing)
    trained = info.training
    labels = data.schema.labels
    write_json(
        folder / SCORES_NAME,
        {
            "format": _FORMAT,
            "cell": asdict(cell),
            "label": plan.row_of(cell).label,
            "schema": [label.short_name for label in labels],
            "spacing_known": spacing_known,
            "subjects": subjects,
            "selection": trained.get("selection"),
            "steps": trained["steps"],
            "seconds": trained["seconds"],
            "images_seen": trained["steps"] * plan.images_per_step,
            "distance_correlation": distance_correlations(
                net.to(find_device(config.device)), slices
            ),
        },
    )
