"""What the dock knows: the site, its scans and the one that is open. No Qt, no viewer.

Reading is done by a `Runner`, so nothing here waits for a disk; results come back
on the thread of the GUI, and what changed is told by psygnal signals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from psygnal import Signal

from dgseg.bundles.bundle import BundleInfo
from dgseg.errors import DgsegError, WorkspaceError
from dgseg.scans.found import Found
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import Label
from dgseg.scans.sources import discover, read
from dgseg.site.corrections import Corrections
from dgseg.site.proposals import Proposal
from dgseg.site.workspace import ScanRecord, Workspace
from napari_dgseg.rows import Row, row_of
from napari_dgseg.tasks import Report, Runner


@dataclass(frozen=True, eq=False)
class OpenScan:
    """The scan on display.

    Attributes
    ----------
    scan_id : str
    scan : Scan
    proposal : Proposal or None
        Of the accepted bundle.
    corrections : Corrections
        Started or not.
    base : ndarray or None
        The proposal that the corrections started from, where it is still there.
    finds_nothing : bool
        Whether there is a proposal, and no structure in it.
    """

    scan_id: str
    scan: Scan
    proposal: Proposal | None
    corrections: Corrections
    base: np.ndarray | None = None
    finds_nothing: bool = False


class SiteSession:
    """One site, its table of scans, and the scan that is open.

    Parameters
    ----------
    runner : Runner
        Where files are read.
    """

    workspace_changed = Signal()
    rows_changed = Signal()
    scan_closing = Signal()
    """The open scan is about to be another one, or none: save what is in the layers."""
    scan_closed = Signal()
    scan_opened = Signal(OpenScan)
    proposal_changed = Signal()
    """The open scan has another proposal, or none any more."""
    marked_changed = Signal(list)
    """Scans to select in the table, by identifier."""
    failed = Signal(DgsegError)
    """Something that has no row to be shown in."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.workspace: Workspace | None = None
        self.problem: DgsegError | None = None
        self.info: BundleInfo | None = None
        self.current: OpenScan | None = None
        self.opening = ""
        self._scan_rows: dict[str, Row] = {}
        self._path_rows: dict[str, Row] = {}
        self._errors: dict[str, DgsegError] = {}

    # --- the site -----------------------------------------------------------------

    def open_workspace(self, path: Path, *, name: str = "", bundle: Path | None = None) -> bool:
        """Open or create a site; where that fails, `problem` says why.

        Parameters
        ----------
        path : Path
        name : str
            Of a new site; the folder's name where empty.
        bundle : Path, optional
            The model that a new site starts with; the packaged one where absent.
        """
        if not self.close_workspace():
            return False
        try:
            self.workspace = Workspace.open(path, name=name, bundle=bundle)
            self.problem = None
        except DgsegError as error:
            self.problem = error
        self.refresh_model()
        return self.workspace is not None

    def close_workspace(self) -> bool:
        """Let go of the site; False where the disk refuses the last corrections.

        The site then stays open, so that nothing is lost.
        """
        self.close_scan()
        if self.workspace is not None:
            try:
                self.workspace.close()
            except DgsegError as error:
                self.failed.emit(error)
                return False
        self.workspace, self.info, self.opening = None, None, ""
        self._scan_rows.clear()
        self._path_rows.clear()
        self._errors.clear()
        return True

    def refresh_model(self) -> None:
        """Take note of the accepted bundle, and show its proposals."""
        self.info = None
        if self.workspace is not None:
            try:
                self.info = self.workspace.accepted_info
                self.problem = None
            except DgsegError as error:
                self.problem = error
        self._read_records()
        self.workspace_changed.emit()
        self.rows_changed.emit()
        self.reload_proposal()

    @property
    def structures(self) -> tuple[Label, ...]:
        """What the site's models segment; nothing where no site is open."""
        return () if self.workspace is None else self.workspace.schema.labels

    # --- the table ----------------------------------------------------------------

    @property
    def rows(self) -> list[Row]:
        """The table of scans: those of the site, then what is being read or is no scan."""
        return [*self._scan_rows.values(), *self._path_rows.values()]

    @property
    def scan_ids(self) -> list[str]:
        """All scans of the site; one that failed before may be mended by now."""
        return list(self._scan_rows)

    def row(self, key: str) -> Row | None:
        """A row by its key."""
        return self._scan_rows.get(key) or self._path_rows.get(key)

    def source(self, scan_id: str) -> ScanSource:
        """Where a scan of the site is read from."""
        return self._record(scan_id).source

    def refresh_row(self, scan_id: str) -> None:
        """Look at a scan's state again."""
        row = self._scan_rows.get(scan_id)
        if self.workspace is None or row is None:
            return
        state, error = self.workspace.state(scan_id), self._errors.get(scan_id)
        self._scan_rows[scan_id] = replace(
            row,
            kind="bad" if error is not None else state.kind,
            n_corrected=state.n_corrected,
            error=error,
        )
        self.rows_changed.emit()

    def note_error(self, scan_id: str, error: DgsegError | None) -> None:
        """Show a problem in a scan's row, or take it back."""
        if error is None:
            self._errors.pop(scan_id, None)
        else:
            self._errors[scan_id] = error
        self.refresh_row(scan_id)

    def add_paths(self, paths: Iterable[Path]) -> None:
        """Look for scans in files and folders, and add those that can be read."""
        workspace = self.workspace
        for path in paths if workspace is not None else ():
            key = str(path)
            self._path_rows[key] = Row(key, path.name or key, kind="reading")
            self.runner.submit(
                lambda report, path=path: _look_into(path, workspace, report),
                on_item=self._take_found,
                on_result=lambda n_found, path=path: self._looked_into(path, n_found),
                on_error=lambda error, path=path: self._look_failed(path, error),
            )
        self.rows_changed.emit()

    def add_scans(self, scans: Iterable[Scan]) -> None:
        """Add scans that are already in memory, such as layers of the viewer."""
        workspace = self.workspace
        for scan in scans if workspace is not None else ():
            self.runner.submit(
                lambda _, scan=scan: workspace.add(scan),
                on_result=self._take_found,
                on_error=lambda error: self.failed.emit(as_known(error)),
            )

    def remove(self, key: str) -> None:
        """Take a row out of the table; corrections stay on disk."""
        if self._path_rows.pop(key, None) is None and self.workspace is not None:
            if self.current is not None and self.current.scan_id == key:
                self.close_scan()
            try:
                self.workspace.remove(key)
            except DgsegError as error:
                self.failed.emit(error)
                return
            self._scan_rows.pop(key, None)
        self.rows_changed.emit()

    def mark(self, scan_ids: Iterable[str]) -> None:
        """Select scans in the table, for a person to find them again."""
        self.marked_changed.emit(list(scan_ids))

    def set_reviewed(self, scan_id: str, reviewed: bool) -> None:
        """Say that a scan needs nothing more, or that it does."""
        if self.workspace is None:
            return
        try:
            self.workspace.set_reviewed(scan_id, reviewed)
        except DgsegError as error:
            self.failed.emit(error)
        self.refresh_row(scan_id)

    # --- the open scan ------------------------------------------------------------

    def open_scan(self, scan_id: str) -> None:
        """Read a scan, its proposal and its corrections, and put it on display."""
        workspace = self.workspace
        if workspace is None or self.opening == scan_id:
            return
        if self.current is not None and self.current.scan_id == scan_id:
            if self.opening:  # the person came back before the other one was there
                self.opening = ""
                self.rows_changed.emit()
            return
        self.opening = scan_id
        self.rows_changed.emit()
        bundle_id = self.info.bundle_id if self.info is not None else ""
        self.runner.submit(
            lambda _: _read_open_scan(workspace, scan_id, bundle_id),
            on_result=self._show,
            on_error=lambda error: self._open_failed(scan_id, error),
        )

    def close_scan(self) -> None:
        """Take the open scan off the display."""
        if self.current is not None:
            self.scan_closing.emit()
            self.current = None
            self.scan_closed.emit()

    def reload_proposal(self) -> None:
        """Read the proposal of the open scan again: it was segmented, or the model changed."""
        current, workspace = self.current, self.workspace
        if current is None or workspace is None or self.info is None:
            return
        bundle_id = self.info.bundle_id
        self.runner.submit(
            lambda _: _read_proposal(workspace, current.scan_id, bundle_id),
            on_result=lambda found: self._take_proposal(current.scan_id, *found),
            on_error=lambda error: self._open_failed(current.scan_id, error),
        )

    # --- answers of the runner ----------------------------------------------------

    def _take_found(self, item: ScanRecord | Found) -> None:
        if isinstance(item, ScanRecord):
            self._errors.pop(item.scan_id, None)
            self._scan_rows[item.scan_id] = self._row_of(item)
        elif item.error is not None:
            key = str(item.path)
            self._path_rows[key] = Row(key, item.path.name, kind="bad", error=item.error)
        self.rows_changed.emit()

    def _looked_into(self, path: Path, n_found: int) -> None:
        row = self._path_rows.get(str(path))
        if row is None or row.kind != "reading":
            return
        if n_found:
            del self._path_rows[row.key]
        else:
            error = DgsegError(
                "There is no scan in it.",
                remedy="Choose NIfTI files, or a folder of NIfTI files or DICOM series.",
            )
            self._path_rows[row.key] = replace(row, kind="bad", error=error)
        self.rows_changed.emit()

    def _look_failed(self, path: Path, error: BaseException) -> None:
        key = str(path)
        row = Row(key, path.name or key, kind="bad", error=as_known(error))
        self._path_rows[key] = row
        self.rows_changed.emit()

    def _show(self, opened: OpenScan) -> None:
        if self.opening != opened.scan_id:
            return  # the person has clicked on another one since
        self.close_scan()
        self.opening, self.current = "", opened
        self._errors.pop(opened.scan_id, None)
        self.refresh_row(opened.scan_id)
        self.scan_opened.emit(opened)

    def _open_failed(self, scan_id: str, error: BaseException) -> None:
        if self.opening == scan_id:
            self.opening = ""
        self.note_error(scan_id, as_known(error))

    def _take_proposal(
        self, scan_id: str, proposal: Proposal | None, finds_nothing: bool
    ) -> None:
        if self.current is None or self.current.scan_id != scan_id:
            return
        self.current = replace(self.current, proposal=proposal, finds_nothing=finds_nothing)
        self.proposal_changed.emit()

    # --- records ------------------------------------------------------------------

    def _read_records(self) -> None:
        records = [] if self.workspace is None else self.workspace.records
        self._scan_rows = {record.scan_id: self._row_of(record) for record in records}

    def _record(self, scan_id: str) -> ScanRecord:
        if self.workspace is not None:
            for record in self.workspace.records:
                if record.scan_id == scan_id:
                    return record
        raise WorkspaceError("The site does not know this scan.", remedy="Add it again.")

    def _row_of(self, record: ScanRecord) -> Row:
        return row_of(record, self._errors.get(record.scan_id))


def _look_into(path: Path, workspace: Workspace, report: Report) -> int:
    """Add every scan in a file or folder, on a background thread; how many were looked at."""
    n_found = 0
    for found in discover(path):
        n_found += 1
        if found.source is None:
            report(found)
            continue
        try:
            report(workspace.add(read(found.source)))
        except DgsegError as error:
            report(Found.bad(error, found.path))
    return n_found


def _read_open_scan(workspace: Workspace, scan_id: str, bundle_id: str) -> OpenScan:
    scan = workspace.read_scan(scan_id)
    proposal, finds_nothing = _read_proposal(workspace, scan_id, bundle_id)
    corrections = workspace.corrections(scan_id)
    base = (
        workspace.read_proposal(scan_id, corrections.bundle_id) if corrections.started else None
    )
    labels = base.labels if base is not None else None
    return OpenScan(scan_id, scan, proposal, corrections, labels, finds_nothing)


def _read_proposal(
    workspace: Workspace, scan_id: str, bundle_id: str
) -> tuple[Proposal | None, bool]:
    """A scan's proposal, and whether it is there but empty."""
    proposal = workspace.read_proposal(scan_id, bundle_id) if bundle_id else None
    return proposal, proposal is not None and not proposal.labels.any()


def as_known(error: BaseException) -> DgsegError:
    """The error itself where a person can understand it, else one that says so."""
    if isinstance(error, DgsegError):
        return error
    return DgsegError(
        f"Something unforeseen went wrong ({type(error).__name__}: {error}).",
        remedy="Please report this.",
    )
