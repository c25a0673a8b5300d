"""What a running job tells: one JSON object a line in ``events.jsonl``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

EVENT_VERSION = 1

EventType = Literal["state", "progress", "metrics", "message", "warning", "result", "error"]
RunState = Literal["running", "stopped", "finished", "failed"]
Phase = Literal["preparing", "training", "segmenting", "judging"]

_MIN_INTERVAL_S = 0.2
_FULL_RATE_S = 400.0


class JobEvent(BaseModel):
    """One line of ``events.jsonl``. What does not apply is None and not written.

    Attributes
    ----------
    schema_version : int
        ``"schema"`` in the file.
    time : str
        UTC, ISO 8601.
    run : int
        1 for the first run of the job, 2 for its first resumption, and so on.
    type : str
        ``"state"``: the run begins or ends, see `state`. ``"progress"``: `step`
        of `total`, with `losses` while training. ``"metrics"``: `numbers`.
        ``"message"``, ``"warning"``, ``"error"``: a sentence in `message`, with
        what to do in `remedy`. ``"result"``: ``result.json`` is there.
    phase : str or None
        Which part of the job: preparing, training, segmenting, judging.
    step, total : int or None
        Steps done and steps there will be, within the phase.
    losses : dict or None
        Loss terms by name; ``"loss"`` is their sum.
    elapsed_s, remaining_s : float or None
        Seconds of the run so far, and an estimate of those that the steps take.
    scan_id : str or None
        The scan that the event is about.
    numbers : dict or None
        Anything else that can be counted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    schema_version: int = Field(default=EVENT_VERSION, alias="schema")
    time: str
    run: int = 1
    type: EventType
    state: RunState | None = None
    phase: Phase | None = None
    step: int | None = None
    total: int | None = None
    losses: dict[str, float] | None = None
    elapsed_s: float | None = None
    remaining_s: float | None = None
    message: str | None = None
    remedy: str | None = None
    scan_id: str | None = None
    numbers: dict[str, Any] | None = None


def read_events(path: Path, after: int = 0) -> tuple[list[JobEvent], int]:
    """Whole lines from byte `after` on, and where to go on next time.

    A line that is still being written is left for the next call; one that is
    no event (torn by a crash, or of a newer version) is passed over.
    """
    try:
        with open(path, "rb") as file:
            file.seek(after)
            content = file.read()
    except FileNotFoundError:
        return [], after
    end = content.rfind(b"\n") + 1
    events = []
    for line in content[:end].splitlines():
        try:
            events.append(JobEvent.model_validate_json(line))
        except ValidationError:
            continue
    return events, after + end


def last_event(path: Path, tail_bytes: int = 1 << 16) -> JobEvent | None:
    """The last whole event of a file; None where there is none."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    events, _ = read_events(path, max(0, size - tail_bytes))
    return events[-1] if events else None


class EventWriter:
    """Appends events, each flushed as a whole line.

    Progress is thinned out: five a second at most, and ever fewer in a long
    job, so that a training of a day leaves some ten thousand lines.

    Parameters
    ----------
    path : Path
        ``events.jsonl``; created if absent.
    run : int
        Number of this run.
    listener : callable, optional
        Called with each event written, such as the printer of a command line.
    """

    def __init__(
        self, path: Path, run: int, listener: Callable[[JobEvent], None] | None = None
    ) -> None:
        self._file = open(path, "ab")  # noqa: SIM115 - closed by close()
        self._run = run
        self._listener = listener
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._last_progress = -_FULL_RATE_S
        if _ends_in_torn_line(path):
            self._file.write(b"\n")

    def write(self, type: EventType, **fields: Any) -> JobEvent:  # noqa: A002
        """Append one event and flush it.

        Raises
        ------
        OSError
            When the disk is full or the folder is gone.
        """
        event = JobEvent(time=datetime.now(UTC).isoformat(), run=self._run, type=type, **fields)
        line = event.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
        if self._listener is not None:
            self._listener(event)
        return event

    def progress(self, **fields: Any) -> None:
        """Append a progress event, unless the last one is too fresh.

        The last step of a phase (``step == total``) is always written.
        """
        now = time.monotonic()
        interval = max(_MIN_INTERVAL_S, (now - self._start) / _FULL_RATE_S * _MIN_INTERVAL_S)
        at_the_end = fields.get("total") is not None and fields["step"] == fields["total"]
        if now - self._last_progress < interval and not at_the_end:
            return
        self._last_progress = now
        self.write("progress", **fields)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _ends_in_torn_line(path: Path) -> bool:
    with open(path, "rb") as file:
        if file.seek(0, 2) == 0:
            return False
        file.seek(-1, 2)
        return file.read(1) != b"\n"
