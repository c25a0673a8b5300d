"""The workspace of one hospital: all that a site knows, in one folder, never lost.

The folder holds::

    site.json            format, name, label schema, accepted bundle      (+ .bak)
    scans.json           the list of scans, with their paths              (+ .bak)
    history.jsonl        which bundle was accepted or refused when, and why
    lock                 held by the one program that may write
    bundles/<bundle_id>/ a copy of every bundle that was ever accepted
    scans/<scan_id>/
        corrections.journal          every correction (see `dgseg.site.journal`)
        corrections.journal.torn-*   what a killed program had not finished
        proposals/<bundle_id>/       what a bundle proposed (see `dgseg.site.proposals`)
        factors/<bundle_id>/         what a bundle sees (see `dgseg.factors.record`)
        scan.npy, scan.json          the image itself, if no file backs it
    archive/<scan_id>/   the same, of scans that were taken out of the list
    jobs/<time>-<kind>/  one folder for each long job

State files are replaced in one step and have a second copy, journals are
appended to and forced to the disk, bundles are copied beside and renamed: a
program that is killed at any moment leaves a workspace that opens. Scans are
never copied; they are found again by their path and known by their fingerprint.

Names of files in a hospital often hold the name of a patient. Paths of scans
are in ``scans.json`` and in the inputs of a job that has not been cleared away,
and nowhere else; everything else knows a scan by its identifier.

One program writes at a time, and any thread of it may call any method. Other
programs read through `Workspace.read_only_view`.
"""

from __future__ import annotations

import atexit
import contextlib
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import BaseFileLock

from dgseg.bundles.bundle import BundleInfo, read_info
from dgseg.errors import BundleError, WorkspaceError, WorkspaceWriteError, write_error
from dgseg.scans.schema import LabelSchema
from dgseg.site.opening import SITE_NAME, create, load, lock, require_same, tidy
from dgseg.site.records import (
    DECISION_NAME,
    HistoryEntry,
    ScanRecord,
    ScanState,
    SiteFile,
)
from dgseg.site.shelf import ScanShelf
from dgseg.site.state import write_state
from dgseg.site.writer import Writer

__all__ = ["HistoryEntry", "ScanRecord", "ScanState", "Workspace"]


class Workspace(ScanShelf):
    """One site. Use `open` to work in it and `read_only_view` to look at it."""

    def __init__(self, path: Path, site: SiteFile, held: BaseFileLock | None) -> None:
        super().__init__(path, site, None if held is None else Writer())
        self._held = held

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        name: str = "",
        schema: LabelSchema | None = None,
        bundle: Path | None = None,
    ) -> Workspace:
        """Open a site for work, or start a new one.

        Parameters
        ----------
        path : path-like
            The folder; a new one, an empty one, or a site.
        name : str
            Of a new site; the folder's name where empty.
        schema : LabelSchema, optional
            What the site segments; that of the bundle where absent.
        bundle : Path, optional
            The bundle a new site starts from, the packaged one where absent. It
            is copied. A site that exists keeps the bundle it has accepted.

        Raises
        ------
        WorkspaceLockedError
            If another program has the site open.
        WorkspaceWriteError
            If the folder cannot be written.
        WorkspaceError
            If the folder is something else, is damaged, was written by a newer
            program, or is about other structures than `schema`.
        BundleError
            If the bundle for a new site cannot be used.
        """
        path = Path(path).absolute()
        held = lock(path)
        try:
            site = load(path) or create(path, name, schema, bundle)
            require_same(site, schema, path)
            workspace = cls(path, site, held)
            tidy(path)
            workspace._note_accepted()
            workspace._prune()
        except BaseException:
            held.release()
            raise
        # A program that ends without closing the site still waits for the last stroke.
        atexit.register(workspace._close_at_exit)
        return workspace

    @classmethod
    def read_only_view(cls, path: str | Path) -> Workspace:
        """Look at a site that this or another program may have open.

        Nothing is locked and nothing is written; scans, bundles and the list are
        as they were at the time of the call, corrections as they are when asked for.

        Raises
        ------
        WorkspaceError
            If the folder is no site, is damaged, or newer than this program.
        """
        path = Path(path).absolute()
        site = load(path)
        if site is None:
            raise WorkspaceError(
                "This folder is no site.",
                remedy=f"Choose the folder that holds {SITE_NAME}.",
                path=path,
            )
        return cls(path, site, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # While another error is on its way, a full disk must not hide it.
        self.close(discard=error is not None)

    def close(self, *, discard: bool = False) -> None:
        """Put all corrections on disk and let other programs in.

        Parameters
        ----------
        discard : bool
            Close even if the disk refuses, giving up what is not saved.

        Raises
        ------
        WorkspaceWriteError
            If corrections could not be saved; the site then stays open.
        """
        with self._lock:
            held = list(self._corrections.values())
        for corrections in held:
            corrections.close(discard=discard)
        with self._lock:
            writer, self._writer = self._writer, None
            lock_, self._held = self._held, None
            self._corrections.clear()
        if writer is not None:
            writer.close()
        if lock_ is not None:
            lock_.release()
        atexit.unregister(self._close_at_exit)

    def flush(self) -> None:
        """Wait until all corrections of all scans are on disk.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses.
        """
        with self._lock:
            held = list(self._corrections.values())
        for corrections in held:
            corrections.flush()

    @property
    def name(self) -> str:
        """What the site is called; training knows it as a domain by this name."""
        return self._site.name

    @property
    def secret(self) -> str:
        """What only this site knows, see `SiteFile`."""
        return self._site.secret

    @property
    def schema(self) -> LabelSchema:
        """The structures that are segmented here."""
        return self._site.labels

    @property
    def accepted(self) -> Path:
        """The folder of the accepted bundle, a copy inside the workspace."""
        return self._lineage.accepted

    @property
    def accepted_info(self) -> BundleInfo:
        """What the accepted bundle is.

        Raises
        ------
        BundleError
            If the copy is damaged; another can then be taken by `roll_back`.
        """
        return read_info(self.accepted)

    @property
    def history(self) -> list[HistoryEntry]:
        """Every decision on the accepted bundle, oldest first."""
        return list(self._lineage.entries)

    def accept(self, candidate: Path, verdict: Mapping[str, Any]) -> BundleInfo:
        """Make a candidate the accepted bundle. It is copied, weights and all.

        Parameters
        ----------
        candidate : Path
            A bundle folder, which is left as it is.
        verdict : mapping
            The gate's; its ``"sentence"`` and ``"numbers"`` go into the history.

        Raises
        ------
        BundleError
            If the candidate is damaged or segments other structures.
        WorkspaceWriteError
            If the disk refuses; the old bundle is then still the accepted one.
        """
        with self._lock:
            self._require_writing()
            info = self._lineage.accept(Path(candidate), verdict)
            self._note_accepted()
            self._prune()
            return info

    def refuse(self, verdict: Mapping[str, Any]) -> None:
        """Note in the history that a candidate was refused; nothing else changes.

        Parameters
        ----------
        verdict : mapping
            The gate's, as for `accept`.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses.
        """
        with self._lock:
            self._require_writing()
            self._lineage.refuse(verdict)

    def roll_back(self, bundle_id: str) -> BundleInfo:
        """Make a bundle that was accepted before the accepted one again.

        Raises
        ------
        BundleError
            If it was never accepted here, or its copy is damaged.
        WorkspaceWriteError
            If the disk refuses; nothing is then changed.
        """
        with self._lock:
            self._require_writing()
            info = self._lineage.roll_back(bundle_id)
            self._note_accepted()
            self._prune()
            return info

    def new_job_folder(self, kind: str) -> Path:
        """Create an empty folder for a long job.

        Parameters
        ----------
        kind : str
            Such as ``"adapt"``; part of the name.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses.
        """
        self._require_writing()
        time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        folder = self.path / "jobs" / f"{time}-{kind}-{secrets.token_hex(2)}"
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise write_error("The job could not be prepared", folder, error) from error
        return folder

    def job_folders(self) -> list[Path]:
        """The folders of all jobs, newest first."""
        folders = [path for path in (self.path / "jobs").glob("*") if path.is_dir()]
        return sorted(folders, key=lambda path: path.name, reverse=True)

    def _note_accepted(self) -> None:
        accepted_id = self._lineage.accepted_id
        if self._site.accepted != accepted_id:
            self._site = self._site.model_copy(update={"accepted": accepted_id})
            # The history has decided; this is put right with the next change or opening.
            with contextlib.suppress(WorkspaceWriteError):
                write_state(self.path / SITE_NAME, self._site)

    def _prune(self) -> None:
        """Delete the proposals and factors of bundles that nobody will look at again.

        Those of the accepted bundle stay, those of the one before it, to which a person
        may go back, and those of candidates that wait for a decision.
        """
        self.prune_proposals({self._lineage.before_id, *self._undecided()})

    def _undecided(self) -> Iterator[str]:
        """Identifiers of the candidates in job folders that nobody has decided on."""
        decided = {entry.bundle_id for entry in self._lineage.entries}
        for job in self.job_folders():
            if (job / DECISION_NAME).exists():
                continue
            with contextlib.suppress(BundleError):
                candidate = read_info(job / "bundle").bundle_id
                if candidate not in decided:
                    yield candidate

    def _close_at_exit(self) -> None:
        self.close(discard=True)
