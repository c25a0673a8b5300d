"""Labels out: slices that a person corrected, else what the model proposed. No Qt, no viewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from psygnal import Signal

from dgseg.bundles.bundle import BundleInfo
from dgseg.errors import DgsegError, LabelsError
from dgseg.site.records import ScanRecord
from dgseg.site.workspace import Workspace
from napari_dgseg.session import SiteSession, as_known
from napari_dgseg.tasks import Report


@dataclass(frozen=True)
class Outcome:
    """What became of an export: files by scan title, and problems by scan title."""

    folder: Path
    written: dict[str, list[Path]]
    problems: dict[str, DgsegError]

    @property
    def sentence(self) -> str:
        """In words."""
        n = len(self.written)
        words = f"Labels of {n} scan{'' if n == 1 else 's'} are in {self.folder}."
        for title, error in self.problems.items():
            words += f" {title}: {error.problem}"
        return words


class Exporting:
    """Writes the labels of scans into a folder that a person chooses."""

    changed = Signal()

    def __init__(self, session: SiteSession) -> None:
        self._session = session
        self.is_running = False
        self.n_done = self.n_total = 0
        self.outcome: Outcome | None = None
        session.workspace_changed.connect(self._forget)

    def why_not(self, scan_ids: Sequence[str]) -> str:
        """Why nothing can be exported; empty when something can."""
        rows = (self._session.row(scan_id) for scan_id in scan_ids)
        if not any(row is not None and row.kind != "new" for row in rows):
            return "There are no labels yet: segment in step 2 first."
        return "Already at it." if self.is_running else ""

    def export(self, scan_ids: Sequence[str], folder: Path) -> None:
        """Write the labels of these scans; scans without labels are told, not fatal."""
        session = self._session
        workspace, info = session.workspace, session.info
        if workspace is None or info is None or self.is_running:
            return
        records = [record for record in workspace.records if record.scan_id in set(scan_ids)]
        names = file_names(workspace.records)
        self.is_running, self.outcome = True, None
        self.n_done, self.n_total = 0, len(records)
        session.runner.submit(
            lambda report: _export(workspace, info, records, names, folder, report),
            on_item=self._count,
            on_result=self._done,
            on_error=self._failed,
        )
        self.changed.emit()

    def _forget(self) -> None:
        self.outcome = None
        self.changed.emit()

    def _count(self, _title: object) -> None:
        self.n_done += 1
        self.changed.emit()

    def _done(self, outcome: Outcome) -> None:
        self.is_running, self.outcome = False, outcome
        self.changed.emit()

    def _failed(self, error: BaseException) -> None:
        self.is_running = False
        self._session.failed.emit(as_known(error))
        self.changed.emit()


def file_names(records: Sequence[ScanRecord]) -> dict[str, str]:
    """For each scan id a name for its files; names that would clash get the id added."""
    names = {record.scan_id: _name(record) for record in records}
    count = Counter(name.casefold() for name in names.values())
    return {
        scan_id: name if count[name.casefold()] == 1 else f"{name}_{scan_id}"
        for scan_id, name in names.items()
    }


def _name(record: ScanRecord) -> str:
    title = record.source.title or record.source.path.name
    for ending in (".nii.gz", ".nii"):
        title = title.removesuffix(ending)
    return title


def _export(
    workspace: Workspace,
    info: BundleInfo,
    records: Sequence[ScanRecord],
    names: dict[str, str],
    folder: Path,
    report: Report,
) -> Outcome:
    from dgseg.scans.export import export_labels

    written: dict[str, list[Path]] = {}
    problems: dict[str, DgsegError] = {}
    for record in records:
        title = record.source.title or record.source.path.name
        try:
            written[title] = export_labels(
                _labels(workspace, info, record.scan_id),
                workspace.read_scan(record.scan_id),
                workspace.schema,
                folder,
                name=names[record.scan_id],
                model_name=info.name,
                model_version=info.bundle_id,
            )
        except DgsegError as error:
            problems[title] = error
        report(title)
    return Outcome(folder, written, problems)


def _labels(workspace: Workspace, info: BundleInfo, scan_id: str) -> np.ndarray:
    """Slices that a person made right as they are, all others as the accepted model has them.

    The corrections layer goes on showing what an earlier model proposed for the slices
    that nobody touched, for no model writes into it. What leaves the program is the best
    that is known.
    """
    corrections = workspace.corrections(scan_id)
    proposal = workspace.read_proposal(scan_id, info.bundle_id)
    if proposal is None and not corrections.started:
        raise LabelsError("It has no labels yet.", remedy="Segment it first.")
    if proposal is None:
        return corrections.labels
    labels = np.array(proposal.labels)
    for index in corrections.slices:
        labels[index] = corrections.slice_labels(index)
    return labels
