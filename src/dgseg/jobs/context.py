"""What the work of a job can ask and tell, whatever its kind."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping

from dgseg.errors import DgsegError
from dgseg.jobs.events import EventWriter, Phase
from dgseg.jobs.folder import JobFolder
from dgseg.redaction import Redactor

_POLL_S = 0.1

_log = logging.getLogger(__name__)


class JobStopped(Exception):  # noqa: N818  (a wish that was granted, no error)
    """The job was asked to stop, and what it has is on disk."""


class JobContext:
    """Events and log outwards, the wish to stop inwards.

    Parameters
    ----------
    folder : JobFolder
    events : EventWriter
    redactor : Redactor
        Of the log; it also goes over warnings and errors among the events.
    run : int
        Number of this run.
    """

    def __init__(
        self, folder: JobFolder, events: EventWriter, redactor: Redactor, run: int
    ) -> None:
        self.folder = folder
        self.redactor = redactor
        self._events = events
        self._run = run
        self._stop = False
        self._polled = 0.0
        self._phase: Phase | None = None
        self._start = self._phase_start = time.monotonic()
        self._first_step: int | None = None

    def stop(self) -> None:
        """Stop soon; safe to call from a signal handler."""
        self._stop = True

    def should_stop(self) -> bool:
        """Whether to stop at the next opportunity; cheap enough for every step."""
        now = time.monotonic()
        if not self._stop and now - self._polled >= _POLL_S:
            self._polled = now
            if self.folder.stop_requested(self._run):
                self._stop = True
        return self._stop

    def check_stop(self) -> None:
        """Raise `JobStopped` if the job is to stop; for between large pieces of work."""
        self._polled = 0.0
        if self.should_stop():
            raise JobStopped

    def phase(self, name: Phase, message: str) -> None:
        """Begin a part of the job."""
        self._phase, self._phase_start, self._first_step = name, time.monotonic(), None
        self._events.write("message", phase=name, message=message)
        _log.info("%s: %s", name, message)
        # Who was told of the new part may have asked to stop before it begins,
        # and a short part would be over by the next poll.
        self._polled = 0.0

    def progress(
        self, step: int, total: int, losses: Mapping[str, float] | None = None
    ) -> None:
        """`step` of `total` is done; a resumed phase may begin above 0."""
        now = time.monotonic()
        elapsed = now - self._phase_start
        if self._first_step is None:
            self._first_step = step
        done = step - self._first_step
        self._events.progress(
            phase=self._phase,
            step=step,
            total=total,
            losses=None if losses is None else _finite(losses),
            elapsed_s=round(now - self._start, 2),
            remaining_s=round(elapsed / done * (total - step), 1) if done > 0 else None,
        )

    def metrics(self, numbers: Mapping[str, object]) -> None:
        """Tell numbers that are no losses."""
        self._events.write("metrics", phase=self._phase, numbers=dict(numbers))

    def warn(self, problem: str | DgsegError, *, scan_id: str | None = None) -> None:
        """Tell of something that is passed over."""
        message, remedy = self._words(problem)
        self._events.write(
            "warning", phase=self._phase, message=message, remedy=remedy, scan_id=scan_id
        )
        _log.warning("%s (scan %s)", message, scan_id)

    def error(self, problem: str | DgsegError) -> None:
        """Tell why the job fails."""
        message, remedy = self._words(problem)
        self._events.write("error", phase=self._phase, message=message, remedy=remedy)

    def _words(self, problem: str | DgsegError) -> tuple[str, str | None]:
        if isinstance(problem, DgsegError):
            return self.redactor(problem.problem), problem.remedy or None
        return self.redactor(problem), None


def _finite(losses: Mapping[str, float]) -> dict[str, float]:
    # JSON knows no NaN.
    return {name: float(value) for name, value in losses.items() if math.isfinite(value)}
