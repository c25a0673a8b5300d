"""The one thread of a workspace that writes corrections to the disk."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

_log = logging.getLogger(__name__)


class Writable(Protocol):
    """Something with changes to put on disk."""

    def write_pending(self) -> bool:
        """Put them there; False where that failed and is to be tried again."""


class Writer:
    """A thread that writes what it is woken for, at once, and again after a failure.

    Parameters
    ----------
    retry_s : float
        Seconds until a failed write is tried again unasked.

    Notes
    -----
    The thread starts with the first `wake` and is a daemon: a program that
    ends does not hang on a full disk. `close` joins it.
    """

    def __init__(self, retry_s: float = 3.0) -> None:
        self._retry_s = retry_s
        self._changed = threading.Condition()
        self._due: list[Writable] = []
        self._failed: list[Writable] = []
        self._closing = False
        self._thread: threading.Thread | None = None

    def wake(self, target: Writable) -> None:
        """Have `target` written soon; returns at once."""
        with self._changed:
            if self._closing:
                return
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="dgseg-corrections", daemon=True
                )
                self._thread.start()
            if target not in self._due:
                self._due.append(target)
            self._changed.notify()

    def close(self) -> None:
        """Write what is due, try no more, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while targets := self._next():
            for target in targets:
                if not self._written(target):
                    with self._changed:
                        self._failed.append(target)

    def _next(self) -> list[Writable]:
        """Wait for something to write; nothing means the end."""
        with self._changed:
            while not self._due and not self._closing:
                waited_out = not self._changed.wait(self._retry_s if self._failed else None)
                if waited_out and not self._due:
                    self._due, self._failed = self._failed, []
            targets, self._due = self._due, []
            self._failed = [target for target in self._failed if target not in targets]
            return targets

    def _written(self, target: Writable) -> bool:
        try:
            return target.write_pending()
        except Exception as error:  # noqa: BLE001
            # The thread must live on for the other scans. The text of an unforeseen
            # error may name a file, so only its kind is logged.
            _log.error("Writing corrections failed unexpectedly: %s", type(error).__name__)
            return False
