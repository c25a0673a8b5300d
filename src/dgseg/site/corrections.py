"""The corrections of one scan: in memory at once, on disk within a second."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dgseg.errors import LabelsError, WorkspaceError, WorkspaceWriteError, write_error
from dgseg.scans.schema import LabelSchema
from dgseg.site import journal
from dgseg.site.checks import checked_labels, wrong_shape
from dgseg.site.journal import Entry, Journal, JournalLostError, Loss, Replay, SliceState
from dgseg.site.writer import Writer

__all__ = ["Corrections", "SliceState"]

_BASE = -1
"""Stands for the base among the indices of slices that are to be written."""

_COMPACT_ABOVE = 1 << 20
_COMPACT_RATIO = 4
"""A journal of more than a mebibyte and this many times its content is written anew."""

_FAILED = "The corrections could not be saved"


class Corrections:
    """What a person made right in one scan, slice by slice.

    A change is in memory when the call returns, and the workspace's writer
    thread puts it on disk at once, unless the disk is busy. Where the disk
    refuses, `error` is set, everything stays in memory, and writing is tried
    again with the next change, the next `flush`, and every few seconds.
    All methods may be called from any thread.

    Parameters
    ----------
    path : Path
        The journal (see `dgseg.site.journal`).
    schema : LabelSchema
        The structures that may be drawn.
    shape : tuple of int, optional
        Slices, rows and columns of the scan, where known.
    writer : Writer, optional
        Without one, the corrections can be looked at and not changed.

    Attributes
    ----------
    on_error : callable or None
        Called with the `WorkspaceWriteError` after each attempt to write that
        failed. It runs in the writer thread, so it must not `flush` or `close`.
    on_saved : callable or None
        Called without arguments when all changes are on disk, in the same way.

    Raises
    ------
    WorkspaceError
        If the journal cannot be read.
    """

    def __init__(
        self,
        path: Path,
        schema: LabelSchema,
        *,
        shape: tuple[int, int, int] | None = None,
        writer: Writer | None = None,
    ) -> None:
        self.on_error: Callable[[WorkspaceWriteError], None] | None = None
        self.on_saved: Callable[[], None] | None = None
        self._schema = schema
        self._writer = writer
        self._journal = Journal(path)
        # `_lock` guards what is in memory and is never held while the disk works;
        # `_disk` guards the journal. Whoever needs both takes `_disk` first.
        self._disk = threading.Lock()
        self._lock = threading.Condition()
        self._error: WorkspaceWriteError | None = None
        found = self._journal.load(shape)
        self._base, self._slices = found.base, dict(found.slices)
        self._shape = shape if found.base is None else _shape_of(found.base)
        self._loss = found.loss
        self._unmended: Replay | None = found
        self._dirty: dict[int, Entry] = {}
        self._n_changes = self._n_saved = 0
        self._n_attempts = self._last_failed = 0
        if writer is not None:
            self._mend_early()

    @property
    def path(self) -> Path:
        """The journal."""
        return self._journal.path

    @property
    def started(self) -> bool:
        """Whether there are labels to correct."""
        return self._base is not None

    @property
    def bundle_id(self) -> str:
        """The bundle whose proposal is being corrected, or ``""`` before the start."""
        return "" if self._base is None else str(self._base.header["bundle"])

    @property
    def error(self) -> WorkspaceWriteError | None:
        """Why the last attempt to write failed; None when it did not."""
        return self._error

    @property
    def unsaved(self) -> bool:
        """Whether there are changes that are not on disk yet."""
        with self._lock:
            return self._n_saved < self._n_changes

    @property
    def loss(self) -> Loss:
        """What of the journal was unreadable when it was opened; nothing as a rule.

        It is kept in a file beside the journal. Slices it belonged to show what was
        recorded before.
        """
        return self._loss

    @property
    def slices(self) -> dict[int, SliceState]:
        """The slices that a person changed or confirmed."""
        with self._lock:
            return {
                index: self._slices[index].header["state"] for index in sorted(self._slices)
            }

    @property
    def annotated(self) -> np.ndarray:
        """Which slices a person changed or confirmed: bool, (slices,)."""
        with self._lock:
            marks = np.zeros(self._known_shape()[0], dtype=bool)
            marks[list(self._slices)] = True
            return marks

    @property
    def labels(self) -> np.ndarray:
        """The base with all corrections: uint8, (slices, rows, columns), a copy."""
        with self._lock:
            base, slices = self._base, dict(self._slices)
            shape = self._known_shape()
        labels = np.zeros(shape, np.uint8) if base is None else np.array(base.voxels())
        for index, entry in slices.items():
            labels[index] = entry.voxels()
        return labels

    def slice_labels(self, slice_index: int) -> np.ndarray:
        """The labels of one slice as they are now: uint8, (rows, columns), a copy."""
        with self._lock:
            self._check_index(slice_index)
            entry, base = self._slices.get(slice_index), self._base
        if entry is not None:
            return np.array(entry.voxels())
        if base is None:
            raise _not_started()
        return np.array(base.voxels()[slice_index])

    def start(self, base: np.ndarray, bundle_id: str) -> None:
        """Give the labels that are to be corrected.

        Started again, the base of the untouched slices is replaced; slices that a
        person changed or confirmed stay as they are.

        Parameters
        ----------
        base : ndarray of integers, shape (slices, rows, columns)
            A proposal; it is copied.
        bundle_id : str
            The bundle that proposed it.

        Raises
        ------
        LabelsError
            If the labels do not fit the scan or the schema.
        WorkspaceError
            If the corrections are closed or open for reading only.
        """
        labels = checked_labels(base, 3, self._schema)
        with self._lock:
            self._require_open()
            if self._shape is not None and labels.shape != self._shape:
                raise wrong_shape(labels.shape, self._shape)
            old = self._base
            same_bundle = old is not None and self.bundle_id == bundle_id
            if old is not None and same_bundle and np.array_equal(old.voxels(), labels):
                return
            self._shape = labels.shape
            self._base = journal.base_entry(labels, bundle_id)
            self._put(_BASE, self._base)

    def record(self, slice_index: int, labels: np.ndarray, state: SliceState) -> bool:
        """Take the labels of a slice as a person left them; returns at once.

        Parameters
        ----------
        slice_index : int
            Which slice.
        labels : ndarray of integers, shape (rows, columns)
            The whole slice; it is copied.
        state : {'changed', 'confirmed'}
            Whether the person drew, or found the slice right.

        Returns
        -------
        bool
            False where the slice was recorded with these labels and this state before.

        Raises
        ------
        LabelsError
            If the labels do not fit the scan or the schema.
        WorkspaceError
            If the corrections are not started, closed, or open for reading only.
        """
        copy = checked_labels(labels, 2, self._schema)
        if state not in ("changed", "confirmed"):
            raise LabelsError(f"A slice is 'changed' or 'confirmed', not {state!r}.")
        with self._lock:
            self._require_open()
            if self._base is None:
                raise _not_started()
            index = self._check_index(slice_index)
            if copy.shape != self._known_shape()[1:]:
                raise wrong_shape(copy.shape, self._known_shape()[1:])
            last = self._slices.get(index)
            same_state = last is not None and last.header["state"] == state
            if last is not None and same_state and np.array_equal(last.voxels(), copy):
                return False
            self._slices[index] = journal.slice_entry(index, copy, state)
            self._put(index, self._slices[index])
        return True

    def withdraw(self, slice_index: int) -> None:
        """Make a slice the base's again, as if no person had touched it.

        Raises
        ------
        LabelsError
            If there is no such slice.
        WorkspaceError
            If the corrections are closed or open for reading only.
        """
        with self._lock:
            self._require_open()
            index = self._check_index(slice_index)
            if self._slices.pop(index, None) is not None:
                self._put(index, journal.withdrawn_entry(index))

    def flush(self) -> None:
        """Wait until everything recorded so far is on disk.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses. Everything stays in memory and is tried again.
        """
        with self._lock:
            goal, before = self._n_changes, self._n_attempts
            while self._n_saved < goal and self._writer is not None:
                if self._last_failed > before and self._error is not None:
                    raise self._error
                if self._n_attempts == before:
                    self._writer.wake(self)
                self._lock.wait()

    def close(self, *, discard: bool = False) -> None:
        """Put everything on disk and take no more changes.

        Parameters
        ----------
        discard : bool
            Close even if the disk refuses, giving up what is not saved.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses, unless `discard`; the corrections then stay open.
        """
        try:
            self.flush()
        except WorkspaceWriteError:
            if not discard:
                raise
        with self._lock:
            self._writer = None

    def write_pending(self) -> bool:
        """Put everything recorded so far on disk; the writer thread calls this.

        Returns
        -------
        bool
            Whether it worked.
        """
        failure = None
        with self._disk:
            with self._lock:
                self._n_attempts += 1
                attempt, goal, dirty = self._n_attempts, self._n_changes, dict(self._dirty)
                entries = Replay(self._base, dict(self._slices)).entries
            try:
                self._write(dirty, entries)
            except OSError as error:
                failure = write_error(_FAILED, self.path, error)
            except Exception as error:  # noqa: BLE001  # whoever waits must hear of it
                failure = WorkspaceWriteError(
                    f"{_FAILED}: {type(error).__name__}.", path=self.path
                )
        with self._lock:
            self._error = failure
            if failure is None:
                self._n_saved = max(self._n_saved, goal)
                for index, entry in dirty.items():
                    if self._dirty.get(index) is entry:
                        del self._dirty[index]
            else:
                self._last_failed = attempt
            self._lock.notify_all()
        self._tell(failure)
        return failure is None

    def _tell(self, failure: WorkspaceWriteError | None) -> None:
        if failure is not None and self.on_error is not None:
            self.on_error(failure)
        if failure is None and self.on_saved is not None and not self.unsaved:
            self.on_saved()

    def _write(self, dirty: dict[int, Entry], entries: list[Entry]) -> None:
        if self._unmended is not None:
            self._journal.mend(self._unmended)
            self._unmended = None
        if not dirty:
            return
        # Not its parents: where a disk was taken out, nothing is to grow in its place.
        self.path.parent.mkdir(exist_ok=True)
        try:
            # The base sorts first: a slice never stands in front of what it corrects.
            self._journal.append(b"".join(dirty[index].encode() for index in sorted(dirty)))
        except JournalLostError:
            self._journal.replace(entries)
        if self._journal.n_bytes > _COMPACT_ABOVE:
            needed = sum(entry.n_bytes for entry in entries)
            if self._journal.n_bytes > _COMPACT_RATIO * needed:
                with contextlib.suppress(OSError):  # all is saved; only less compactly
                    self._journal.replace(entries)

    def _mend_early(self) -> None:
        # Not being able to is no reason to refuse to show the corrections: it is
        # tried again, and reported, with the first change.
        try:
            with self._disk:
                self._write({}, [])
        except OSError as error:
            self._error = write_error(_FAILED, self.path, error)

    def _put(self, index: int, entry: Entry) -> None:
        self._dirty[index] = entry
        self._n_changes += 1
        if self._writer is not None:
            self._writer.wake(self)

    def _require_open(self) -> None:
        if self._writer is None:
            raise WorkspaceError(
                "These corrections are closed, or open for reading only.",
                remedy="Open the site again.",
                path=self.path,
            )

    def _check_index(self, slice_index: int) -> int:
        n_slices = self._known_shape()[0]
        if not 0 <= slice_index < n_slices:
            raise LabelsError(f"There is no slice {slice_index} among {n_slices}.")
        return int(slice_index)

    def _known_shape(self) -> tuple[int, int, int]:
        if self._shape is None:
            raise _not_started()
        return self._shape


def _shape_of(base: Entry) -> tuple[int, int, int]:
    n_slices, n_rows, n_columns = base.header["shape"]
    return n_slices, n_rows, n_columns


def _not_started() -> WorkspaceError:
    return WorkspaceError(
        "Corrections of this scan have not been started.", remedy="Segment the scan first."
    )
