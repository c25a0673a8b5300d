"""The scans of a site: the list, the files behind it, and what was done with each."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection
from pathlib import Path

from dgseg.errors import ScanChangedError, ScanError, WorkspaceError, write_error
from dgseg.scans.memory import write_memory
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.sources import read
from dgseg.site.corrections import Corrections
from dgseg.site.index import ScanIndex, absolute
from dgseg.site.lineage import Lineage
from dgseg.site.proposals import Proposal, has_proposal, read_proposal
from dgseg.site.records import IndexEntry, ScanRecord, ScanState, SiteFile
from dgseg.site.writer import Writer

JOURNAL_NAME = "corrections.journal"
"""In the folder of a scan."""


class ScanShelf:
    """The part of a `dgseg.site.workspace.Workspace` that deals with scans.

    Parameters
    ----------
    path : Path
        The workspace.
    site : SiteFile
        What the site is.
    writer : Writer or None
        None to look without changing anything.

    Attributes
    ----------
    path : Path
        The workspace.
    """

    def __init__(self, path: Path, site: SiteFile, writer: Writer | None) -> None:
        self.path = path
        self._site = site
        self._writer = writer
        self._index = ScanIndex(path)
        self._lineage = Lineage(path, site.labels, site.accepted)
        # Guards all of the above, and is never held while waiting for the writer
        # thread: a callback there may want to know something of the site.
        self._lock = threading.RLock()
        self._corrections: dict[str, Corrections] = {}

    @property
    def records(self) -> list[ScanRecord]:
        """The scans, in the order in which they were added."""
        with self._lock:
            return [self._record(entry) for entry in self._index]

    def add(self, scan: Scan) -> ScanRecord:
        """Put a scan on the list, or learn its new place.

        A scan that is on the list already, under this or another path, stays one
        scan; from now on it is read from where it was found last. One that was
        taken out comes back with its corrections.

        Parameters
        ----------
        scan : Scan
            One without a file is copied into the workspace.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses.
        """
        with self._lock:
            self._require_writing()
            folder = self._scan_folder(scan.scan_id)
            known = scan.scan_id in self._index
            if known and scan.source.kind == "memory":
                entry = self._index[scan.scan_id]
                if entry.source.kind != "memory":  # a file says where it comes from
                    return self._record(entry)
            try:
                archived = self.path / "archive" / scan.scan_id
                if archived.is_dir() and not folder.exists():
                    archived.rename(folder)
                folder.mkdir(exist_ok=True)
                source = self._lasting_source(scan, folder)
            except OSError as error:
                raise write_error("The scan could not be added", folder, error) from error
            if known:
                old = self._index[scan.scan_id]
                # A copy without its sidecar is of the same scanner all the same.
                known_as = {"source": source, "group": scan.group or old.group}
                entry = old.model_copy(update=known_as)
            else:
                shape = scan.geometry.canonical_shape
                entry = IndexEntry(
                    scan_id=scan.scan_id, source=source, shape=shape, group=scan.group
                )
            if not known or entry != self._index[scan.scan_id]:
                self._index.put(entry)
            return self._record(entry)

    def remove(self, scan_id: str) -> None:
        """Take a scan off the list. Its corrections move to the archive.

        Raises
        ------
        WorkspaceError
            If it is not on the list.
        WorkspaceWriteError
            If the disk refuses.
        """
        self._require_writing()
        self.corrections(scan_id).close()
        with self._lock:
            self._corrections.pop(scan_id, None)
            # In this order a crash in between leaves a folder that `add` finds again.
            self._index.drop(scan_id)
            archive, folder = self.path / "archive", self._scan_folder(scan_id)
            try:
                if folder.exists():
                    archive.mkdir(exist_ok=True)
                    folder.rename(archive / scan_id)
            except OSError as error:
                raise write_error("The scan could not be archived", folder, error) from error

    def read_scan(self, scan_id: str) -> Scan:
        """Read a scan and make sure that it is still the one that was added.

        Raises
        ------
        ScanChangedError
            If it is gone, unreadable or altered. Its corrections are kept.
        WorkspaceError
            If it is not on the list.
        """
        source = self._index[scan_id].source
        kept = "Its corrections are kept. "
        try:
            scan = read(source)
        except ScanError as error:
            gone = not source.path.exists()
            raise ScanChangedError(
                "The scan is no longer there."
                if gone
                else f"The scan can no longer be read. {error.problem}",
                remedy=kept + "Put it back, connect its disk, or add it from its new place.",
                path=source.path,
            ) from error
        if scan.scan_id != scan_id:
            raise ScanChangedError(
                "The file holds another image than when it was added to the site.",
                remedy=kept + "Put the old file back, or add the new one as another scan.",
                path=source.path,
            )
        return scan

    def state(self, scan_id: str) -> ScanState:
        """How far the work on a scan has come."""
        with self._lock:
            entry = self._index[scan_id]
            n_corrected = len(self.corrections(scan_id).slices)
            accepted_id = self._lineage.accepted_id
        if entry.reviewed:
            return ScanState("reviewed", n_corrected)
        if n_corrected:
            return ScanState("corrected", n_corrected)
        proposed = self.has_proposal(scan_id, accepted_id)
        return ScanState("segmented" if proposed else "new")

    def set_reviewed(self, scan_id: str, reviewed: bool) -> None:
        """Say that a person is done with a scan, or not yet.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses.
        """
        with self._lock:
            self._require_writing()
            entry = self._index[scan_id]
            if entry.reviewed != reviewed:
                self._index.put(entry.model_copy(update={"reviewed": bool(reviewed)}))

    def corrections(self, scan_id: str) -> Corrections:
        """The corrections of a scan: the same object every time, until `close`.

        Raises
        ------
        WorkspaceError
            If the scan is not on the list, or its journal cannot be read.
        """
        with self._lock:
            shape = self._index[scan_id].shape
            path = self._scan_folder(scan_id) / JOURNAL_NAME
            if self._writer is None:
                return Corrections(path, self._site.labels, shape=shape)
            if scan_id not in self._corrections:
                self._corrections[scan_id] = Corrections(
                    path, self._site.labels, shape=shape, writer=self._writer
                )
            return self._corrections[scan_id]

    def proposal_folder(self, scan_id: str, bundle_id: str) -> Path:
        """Where a bundle's proposal for a scan belongs; it need not exist."""
        return self._scan_folder(scan_id) / "proposals" / bundle_id

    def factors_folder(self, scan_id: str, bundle_id: str) -> Path:
        """Where a bundle's latent factors of a scan belong; it need not exist.

        See `dgseg.factors.record`; they can be computed again, as a proposal can.
        """
        return self._scan_folder(scan_id) / "factors" / bundle_id

    def read_proposal(self, scan_id: str, bundle_id: str) -> Proposal | None:
        """A bundle's proposal for a scan.

        Returns
        -------
        Proposal or None
            None where there is none that is whole and fits the scan.
        """
        proposal = read_proposal(self.proposal_folder(scan_id, bundle_id))
        fits = proposal is not None and proposal.labels.shape == self._index[scan_id].shape
        return proposal if fits else None

    def has_proposal(self, scan_id: str, bundle_id: str) -> bool:
        """Whether a bundle has proposed anything for a scan; cheaper than to read it."""
        return has_proposal(self.proposal_folder(scan_id, bundle_id))

    def prune_proposals(self, keep: Collection[str] = ()) -> int:
        """Delete the proposals of all bundles but the accepted one and those to keep.

        The latent factors that these bundles saw go with them. The proposal that the
        corrections of a scan started from stays: what was corrected is told by it.

        Parameters
        ----------
        keep : collection of str
            Identifiers of bundles.

        Returns
        -------
        int
            How many proposals were deleted.
        """
        self._require_writing()
        kept = {self._lineage.accepted_id, *keep}
        scans, n_proposals = self.path / "scans", 0
        for folder in [*scans.glob("*/proposals/*"), *scans.glob("*/factors/*")]:
            if folder.name in kept or not folder.is_dir() or self._is_base(folder):
                continue
            shutil.rmtree(folder, ignore_errors=True)
            n_proposals += folder.parent.name == "proposals"
        return n_proposals

    def _is_base(self, folder: Path) -> bool:
        """Whether corrections started from what is in a folder; so too if nobody can tell."""
        scan = folder.parent.parent
        if folder.parent.name != "proposals" or not (scan / JOURNAL_NAME).exists():
            return False
        try:
            corrections = self.corrections(scan.name)
        except WorkspaceError:
            return True
        return corrections.started and corrections.bundle_id == folder.name

    def _record(self, entry: IndexEntry) -> ScanRecord:
        state = self.state(entry.scan_id)
        return ScanRecord(
            entry.scan_id, entry.source, entry.added, state, entry.shape, entry.group
        )

    def _scan_folder(self, scan_id: str) -> Path:
        return self.path / "scans" / scan_id

    def _lasting_source(self, scan: Scan, folder: Path) -> ScanSource:
        if scan.source.kind == "memory":
            return write_memory(folder, scan)
        return absolute(scan.source)

    def _require_writing(self) -> None:
        if self._writer is None:
            raise WorkspaceError(
                "This site is closed, or open for reading only.",
                remedy="Open the site again.",
                path=self.path,
            )
