"""Numbers on how well a model tells anatomy from appearance at this site. No Qt, no viewer."""

from __future__ import annotations

from collections.abc import Iterable

from psygnal import Signal

from dgseg.errors import DgsegError
from dgseg.worker.protocol import Measures, MeasuresResult, Progress
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.segmenting import Worker
from napari_dgseg.session import SiteSession


class Measuring:
    """Has one bundle after the other measured over all scans of the site.

    Parameters
    ----------
    session : SiteSession
        Whose scans.
    worker : Worker
        Measures.
    """

    changed = Signal()

    def __init__(self, session: SiteSession, worker: Worker) -> None:
        self._session, self._worker = session, worker
        self._waiting: list[SeenModel] = []
        self._running: SeenModel | None = None
        self._request = 0
        self._scans: tuple[str, ...] = ()
        self.fraction = 0.0
        self.error: DgsegError | None = None
        self._results: dict[str, tuple[tuple[str, ...], MeasuresResult]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether the worker measures."""
        return self._running is not None

    def result(self, bundle_id: str) -> MeasuresResult | None:
        """What was measured of a bundle, if anything was."""
        found = self._results.get(bundle_id)
        return None if found is None else found[1]

    def is_outdated(self, bundle_id: str) -> bool:
        """Whether other scans were measured than there are now."""
        found = self._results.get(bundle_id)
        return found is not None and found[0] != tuple(self._session.scan_ids)

    def measure(self, models: Iterable[SeenModel]) -> None:
        """Measure these bundles over all scans of the site."""
        if self._running is None:
            self.error = None
            self._waiting = list(models)
            self._next()

    def stop(self) -> None:
        """Measure nothing more."""
        self._waiting = []
        if self._running is not None:
            self._worker.cancel(self._request)
            self._running = None
        self.changed.emit()

    def _next(self) -> None:
        self._running = None
        self.fraction = 0.0
        workspace = self._session.workspace
        scan_ids = tuple(self._session.scan_ids)
        if not self._waiting or not scan_ids or workspace is None:
            self._waiting = []
            self.changed.emit()
            return
        self._running = model = self._waiting.pop(0)
        self._request = self._worker.request(
            Measures,
            sources=tuple(record.source for record in workspace.records),
            bundle=model.path,
            domain=workspace.name,
            on_result=lambda result: self._done(model, scan_ids, result),
            on_error=lambda error: self._failed(model, error),
            on_progress=self._progress,
            on_cancelled=lambda: None,
        )
        self.changed.emit()

    def _progress(self, progress: Progress) -> None:
        if self._running is not None:
            self.fraction = progress.fraction
            self.changed.emit()

    def _done(
        self, model: SeenModel, scan_ids: tuple[str, ...], result: MeasuresResult
    ) -> None:
        self._results[model.bundle_id] = (scan_ids, result)
        if model is self._running:
            self._next()

    def _failed(self, model: SeenModel, error: DgsegError) -> None:
        if model is self._running:
            self.error = error
            self._next()
