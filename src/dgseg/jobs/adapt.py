"""The work of an `AdaptJob`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dgseg.adaptation.run import adapt
from dgseg.adaptation.watcher import AdaptationStopped
from dgseg.datasets.registry import DATASETS
from dgseg.jobs.context import JobContext, JobStopped
from dgseg.jobs.priority import use_threads
from dgseg.jobs.spec import AdaptJob
from dgseg.site.snapshot import read_snapshot, write_snapshot
from dgseg.site.workspace import Workspace


def run(spec: AdaptJob, context: JobContext) -> dict[str, Any]:
    """Adapt to the corrections as they were when the job first ran.

    Raises
    ------
    DgsegError
        See `dgseg.adaptation.run.adapt`.
    JobStopped
        If that was asked for.
    """
    folder = context.folder
    folders = [name for name in spec.sources if name not in DATASETS]
    context.redactor.hide(spec.site, spec.bundle, *folders)
    if not folder.inputs.exists():
        _take_snapshot(spec.site, folder.inputs)
    scans = read_snapshot(folder.inputs)
    context.redactor.hide(*(scan.source.path for scan in scans))
    use_threads(spec.config.threads)
    folder.checkpoint.mkdir(exist_ok=True)
    try:
        return adapt(
            scans, spec.bundle, spec.config, folder.path, context, sources=spec.sources
        )
    except AdaptationStopped as stop:
        raise JobStopped from stop


def _take_snapshot(site: Path, inputs: Path) -> None:
    # Renamed when it is whole: what is there was not cut short by a crash.
    partial = inputs.with_name("inputs.partial")
    shutil.rmtree(partial, ignore_errors=True)
    write_snapshot(Workspace.read_only_view(site), partial)
    partial.rename(inputs)
