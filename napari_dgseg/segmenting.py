"""Scans on their way through the worker, one at a time. No Qt, no viewer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from psygnal import Signal

from dgseg.errors import DgsegError, ScanChangedError
from dgseg.worker.protocol import Predict, PredictResult, Progress, Request
from napari_dgseg.session import SiteSession


class Worker(Protocol):
    """What answers requests; see `napari_dgseg.processes.WorkerClient`."""

    def request(
        self,
        kind: type[Request],
        *,
        on_result: Callable[[Any], None],
        on_error: Callable[[DgsegError], None],
        on_progress: Callable[[Progress], None] | None = None,
        on_cancelled: Callable[[], None] | None = None,
        **fields: Any,
    ) -> int:
        """Ask; exactly one of the callbacks for the end is called."""

    def cancel(self, number: int) -> None:
        """Ask for the end of a request."""


class Segmenting:
    """The queue of scans to segment.

    Parameters
    ----------
    session : SiteSession
        Says which model, and takes the proposals.
    worker : Worker
        Does it.
    """

    changed = Signal()

    def __init__(self, session: SiteSession, worker: Worker) -> None:
        self._session = session
        self._worker = worker
        self._waiting: deque[str] = deque()
        self._request = 0
        self.scan_id = ""
        self.fraction = 0.0
        self.stage = ""
        self.n_done = self.n_failed = self.n_total = 0
        self.last_error: DgsegError | None = None

    @property
    def is_running(self) -> bool:
        """Whether a scan is being segmented."""
        return bool(self.scan_id)

    @property
    def total_fraction(self) -> float:
        """How far all that was asked for is, 0 to 1."""
        return (self.n_done + self.n_failed + self.fraction) / max(1, self.n_total)

    def why_not(self) -> str:
        """Why nothing can be segmented; empty when it can."""
        if self._session.workspace is None:
            return "No site is open."
        if self._session.info is None:
            return "There is no model: go back to an earlier one in step 4."
        if not self._session.scan_ids:
            return "Add a scan in step 1 first."
        return ""

    def segment(self, scan_ids: Iterable[str]) -> None:
        """Put scans at the end of the queue."""
        if not self.is_running:
            self.n_done = self.n_failed = self.n_total = 0
            self.last_error = None
        for scan_id in scan_ids:
            if scan_id != self.scan_id and scan_id not in self._waiting:
                self._waiting.append(scan_id)
                self.n_total += 1
        if not self.is_running:
            self._next()

    def cancel(self) -> None:
        """Stop the scan that runs, and forget those that wait."""
        self._waiting.clear()
        if self.is_running:
            self._worker.cancel(self._request)
            self.stage = "cancelling"
        self.changed.emit()

    def _next(self) -> None:
        workspace, info = self._session.workspace, self._session.info
        self.scan_id, self.fraction, self.stage = "", 0.0, ""
        if workspace is None or info is None or not self._waiting:
            self._waiting.clear()
            self.changed.emit()
            return
        self.scan_id = scan_id = self._waiting.popleft()
        self.stage = "starting"
        try:
            source = self._session.source(scan_id)
        except DgsegError as error:
            self._failed(scan_id, error)
            return
        self._request = self._worker.request(
            Predict,
            source=source,
            bundle=workspace.accepted,
            out=workspace.proposal_folder(scan_id, info.bundle_id),
            on_result=lambda result: self._done(scan_id, result),
            on_error=lambda error: self._failed(scan_id, error),
            on_progress=self._progress,
            on_cancelled=self._next,
        )
        self.changed.emit()

    def _progress(self, progress: Progress) -> None:
        self.fraction = progress.fraction
        if self.stage != "cancelling":
            self.stage = progress.stage or self.stage
        self.changed.emit()

    def _done(self, scan_id: str, result: PredictResult) -> None:
        if result.scan_id != scan_id:
            self._failed(scan_id, another_image())
            return
        self.n_done += 1
        self._session.note_error(scan_id, None)
        current = self._session.current
        if current is not None and current.scan_id == scan_id:
            self._session.reload_proposal()
        self._next()

    def _failed(self, scan_id: str, error: DgsegError) -> None:
        self.n_failed += 1
        self.last_error = error
        self._session.note_error(scan_id, error)
        self._next()


def another_image() -> ScanChangedError:
    """What is wrong where the worker has read another scan than it was asked for."""
    return ScanChangedError(
        "The file holds another image than when it was added.",
        remedy="Bring the old file back, or add the new one as a scan of its own.",
    )
