"""Work that takes longer than a blink, off the GUI's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from qtpy.QtCore import QObject, QRunnable, Qt, QThreadPool, Signal

Report = Callable[[object], None]
"""What a piece of work calls with each partial result."""

Work = Callable[[Report], Any]


class Runner(Protocol):
    """Runs a piece of work and calls back on the thread that submitted it."""

    def submit(
        self,
        work: Work,
        *,
        on_result: Callable[[Any], None],
        on_error: Callable[[BaseException], None],
        on_item: Callable[[Any], None] | None = None,
    ) -> None:
        """Run `work(report)`; each reported item goes to `on_item`."""

    def post(self, callback: Callable[[], None]) -> None:
        """Call `callback` soon on the thread of the runner; safe from any thread."""


class TaskRunner(QObject):
    """A `Runner` on one background thread: pieces of work run one after the other."""

    idle = Signal()
    """All submitted work is done, and its results are delivered."""

    _deliver = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._open = True
        self.waiting = 0
        # Queued: the slot runs on the thread of this object, whoever emits.
        self._deliver.connect(self._call, Qt.ConnectionType.QueuedConnection)

    def submit(
        self,
        work: Work,
        *,
        on_result: Callable[[Any], None],
        on_error: Callable[[BaseException], None],
        on_item: Callable[[Any], None] | None = None,
    ) -> None:
        """Run `work(report)` on the background thread."""
        if not self._open:
            return
        self.waiting += 1
        self._pool.start(_Job(self, work, on_result, on_error, on_item))

    def close(self) -> None:
        """Drop what has not begun, wait for what has; deliver nothing more."""
        self._open = False
        self._pool.clear()
        self._pool.waitForDone()

    def post(self, callback: Callable[[], None]) -> None:
        """Call `callback` on this object's thread; safe from any thread."""
        if self._open:
            self._deliver.emit(callback)

    def finish(self, callback: Callable[[], None]) -> None:
        """Deliver the last word of a piece of work."""

        def last() -> None:
            self.waiting -= 1
            try:
                callback()
            finally:
                if not self.waiting:
                    self.idle.emit()

        self.post(last)

    def _call(self, callback: Callable[[], None]) -> None:
        if self._open:
            callback()


class _Job(QRunnable):
    """One piece of work on its way through the pool."""

    def __init__(
        self,
        runner: TaskRunner,
        work: Work,
        on_result: Callable[[Any], None],
        on_error: Callable[[BaseException], None],
        on_item: Callable[[Any], None] | None,
    ) -> None:
        super().__init__()
        self._runner, self._work = runner, work
        self._on_result, self._on_error, self._on_item = on_result, on_error, on_item

    def run(self) -> None:
        """Qt's hook, on the background thread."""
        try:
            result = self._work(self._report)
        except Exception as error:  # noqa: BLE001 - a thread has no caller: it is handed on
            self._runner.finish(lambda error=error: self._on_error(error))
        else:
            self._runner.finish(lambda: self._on_result(result))

    def _report(self, item: object) -> None:
        if self._on_item is not None:
            on_item = self._on_item
            self._runner.post(lambda: on_item(item))
