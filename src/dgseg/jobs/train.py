"""The work of a `TrainJob`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from dgseg.bundles.bundle import read_info
from dgseg.jobs.context import JobContext, JobStopped
from dgseg.jobs.priority import polite_threads
from dgseg.jobs.spec import TrainJob
from dgseg.training.train import Provenance, train, training_set


def run(spec: TrainJob, context: JobContext) -> dict[str, Any]:
    """Train, or go on with the training.

    Raises
    ------
    DgsegError
        See `dgseg.training.train.train`.
    JobStopped
        If that was asked for.
    """
    folder = context.folder
    if spec.data_root is not None:
        context.redactor.hide(spec.data_root)
    if not folder.bundle.exists():
        _train(spec, context)
    seconds = json.loads((folder.checkpoint / "training.json").read_text(encoding="utf-8"))
    info = read_info(folder.bundle)
    return {"kind": "train", "bundle": "bundle", "bundle_id": info.bundle_id, **seconds}


def _train(spec: TrainJob, context: JobContext) -> None:
    config = spec.config
    if config.threads is None:
        config = dataclasses.replace(config, threads=polite_threads())
    context.phase("preparing", "Reading the data sets.")
    trained = train(
        config,
        training_set(spec.datasets, root=spec.data_root),
        context.folder.checkpoint,
        provenance=Provenance(name=spec.name, licence=spec.licence, command=spec.command),
        on_step=context.progress,
        should_stop=context.should_stop,
        on_phase=lambda words: context.phase(
            "training" if words == "Training" else "preparing", words
        ),
    )
    if trained is None:
        raise JobStopped
    trained.rename(context.folder.bundle)
