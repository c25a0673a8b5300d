"""The work of a `PredictJob`: many scans, one after the other."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from dgseg.errors import DgsegError, JobError
from dgseg.files import write_json
from dgseg.inference.batches import SegmentationStopped
from dgseg.inference.segmenter import Segmentation, Segmenter
from dgseg.jobs.context import JobContext, JobStopped
from dgseg.jobs.priority import use_threads
from dgseg.jobs.spec import PredictJob
from dgseg.scans.export import export_labels
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.sources import read
from dgseg.site.proposals import write_proposal

_log = logging.getLogger(__name__)


def run(spec: PredictJob, context: JobContext) -> dict[str, Any]:
    """Segment the scans; what was done by an earlier run is not done again.

    Raises
    ------
    DgsegError
        If the bundle or the device will not do, or not one scan could be segmented.
    JobStopped
        If that was asked for.
    """
    if spec.names and len(spec.names) != len(spec.scans):
        raise JobError(
            f"There are {len(spec.names)} names for {len(spec.scans)} scans.",
            remedy="Give one name for each scan, or none.",
        )
    use_threads(spec.threads)
    context.redactor.hide(spec.bundle, spec.out, *(source.path for source in spec.scans))
    context.phase("preparing", "Loading the model.")
    segmenter = Segmenter(spec.bundle, spec.device, spec.precision)
    context.phase("segmenting", f"Segmenting {len(spec.scans)} scans.")
    book = _Book(context.folder.checkpoint / "done.json")
    for index, source in enumerate(spec.scans):
        if index not in book.done:
            book.enter(index, _segment(spec, index, source, segmenter, context))
        context.progress(index + 1, len(spec.scans))
    scans = [book.done[index] for index in range(len(spec.scans))]
    failed = [scan for scan in scans if scan["error"] is not None]
    if len(failed) == len(scans):
        raise JobError(
            f"Not one of the {len(scans)} scans could be segmented.",
            remedy="The warnings say why.",
        )
    return {
        "kind": "predict",
        "bundle_id": segmenter.info.bundle_id,
        "scans": scans,
        "n_failed": len(failed),
    }


def _segment(
    spec: PredictJob, index: int, source: ScanSource, segmenter: Segmenter, context: JobContext
) -> dict[str, Any]:
    context.check_stop()
    entry: dict[str, Any] = {"index": index, "scan_id": None, "error": None}
    try:
        scan = read(source)
        entry["scan_id"] = scan.scan_id
        found = segmenter.segment(scan, should_stop=context.should_stop)
        _write(spec, index, scan, found, segmenter)
    except SegmentationStopped as stop:
        raise JobStopped from stop
    except DgsegError as error:
        context.warn(error, scan_id=entry["scan_id"])
        _log.info("scan number %d of the list was passed over", index + 1)
        entry["error"] = context.redactor(error.problem)
    return entry


def _write(
    spec: PredictJob, index: int, scan: Scan, found: Segmentation, segmenter: Segmenter
) -> None:
    if spec.output == "proposals":
        proposal = found.proposal(segmenter.info.bundle_id)
        write_proposal(spec.out / scan.scan_id, proposal)
        return
    name = spec.names[index] if spec.names else scan.scan_id
    info = segmenter.info
    export_labels(found.labels, scan, info.labels, spec.out, name=name, model_name=info.name)


class _Book:
    """Which scans are done, on disk after each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(exist_ok=True)
        entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        self.done: dict[int, dict[str, Any]] = {entry["index"]: entry for entry in entries}

    def enter(self, index: int, entry: dict[str, Any]) -> None:
        """Enter a scan."""
        self.done[index] = entry
        write_json(self._path, list(self.done.values()))
