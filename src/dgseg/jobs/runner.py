"""Runs one job from its first event to its last."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import signal
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dgseg.errors import DeviceError, DgsegError, JobError
from dgseg.files import write_json
from dgseg.jobs.context import JobContext, JobStopped
from dgseg.jobs.events import EventWriter, JobEvent, RunState
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.log import JobLog
from dgseg.jobs.priority import lower_priority

_WORK = {
    "adapt": "dgseg.jobs.adapt",
    "predict": "dgseg.jobs.predict",
    "train": "dgseg.jobs.train",
}
"""Where the work of each kind is; imported only once the job has said that it runs."""

_LOCK_S = 5.0
"""Longer than anyone who looks whether the job is alive holds its lock."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_log = logging.getLogger(__name__)


def run_job(
    path: str | Path,
    *,
    listener: Callable[[JobEvent], None] | None = None,
    heed_earlier_stop: bool = True,
) -> int:
    """Run or resume the job of a folder in this process.

    Parameters
    ----------
    path : path-like
        See `JobFolder`.
    listener : callable, optional
        Called with each event, after it is on disk.
    heed_earlier_stop : bool
        Whether a request to stop that came before the run holds for it. Without, it is
        taken back, once no other process can be running the job.

    Returns
    -------
    int
        0 if it finished, was finished before, or stopped as asked; 1 if it failed.

    Raises
    ------
    JobError
        If this is no job, another process runs it, or its folder cannot be
        written: what cannot be told through the folder.
    """
    folder = JobFolder(path)
    spec = folder.spec
    try:
        with _held(folder.lock()):
            if folder.result is not None:
                return 0
            if not heed_earlier_stop:
                folder.clear_stop()
            return _run(folder, spec.kind, listener)
    except OSError as error:
        raise _disk_error(error, folder.path) from error


def _run(folder: JobFolder, kind: str, listener: Callable[[JobEvent], None] | None) -> int:
    run = folder.runs + 1
    with (
        JobLog(folder.log) as log,
        contextlib.closing(EventWriter(folder.path / "events.jsonl", run, listener)) as events,
    ):
        log.redactor.hide(folder.path)
        context = JobContext(folder, events, log.redactor, run)
        if not folder.stop_requested(run):
            folder.clear_stop()
        with _soft_stop(context):
            lower_priority()
            events.write("state", state="running")
            state = _work(kind, context, events)
        if state == "stopped":
            folder.clear_stop()
        events.write("state", state=state)
    return 1 if state == "failed" else 0


def _work(kind: str, context: JobContext, events: EventWriter) -> RunState:
    try:
        context.check_stop()
        work = import_module(_WORK[kind])
        result: dict[str, Any] = work.run(context.folder.spec, context)
        write_json(context.folder.path / "result.json", result)
        events.write("result", message="The result is there.")
        shutil.rmtree(context.folder.checkpoint, ignore_errors=True)
    except JobStopped:
        return "stopped"
    except DgsegError as error:
        _log.exception("the job failed")
        context.error(error)
    except OSError as error:
        _log.exception("the job failed")
        context.error(_disk_error(error, context.folder.path))
    except Exception as error:  # noqa: BLE001 - whatever it is, the folder must say so
        _log.exception("the job failed")
        context.error(_sentence(error))
    else:
        return "finished"
    return "failed"


def _sentence(error: Exception) -> DgsegError:
    from dgseg.inference.runner import is_out_of_memory

    if is_out_of_memory(error):
        return DeviceError(
            "The memory of the device does not suffice.",
            remedy="Lower the batch size or the patch size, close other programs, "
            "or choose the CPU.",
        )
    return JobError(
        f"Something unexpected went wrong ({type(error).__name__}).",
        remedy="The job's log tells more; please report it with the log.",
    )


def _disk_error(error: OSError, path: Path) -> JobError:
    if error.errno in _FULL:
        return JobError(
            "The disk is full.", remedy="Free some space and resume the job.", path=path
        )
    return JobError(
        f"A file could not be read or written ({error.strerror or type(error).__name__}).",
        remedy="Check that the disk is there and that you may write to it, then resume the job.",
        path=path,
    )


@contextlib.contextmanager
def _held(lock: FileLock) -> Iterator[None]:
    try:
        lock.acquire(timeout=_LOCK_S)
    except Timeout as error:
        raise JobError(
            "Another process already runs this job.",
            remedy="Wait for it to end, or stop it.",
            path=Path(lock.lock_file).parent,
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _soft_stop(context: JobContext) -> Iterator[None]:
    """Take SIGTERM, and the first Ctrl+C, for the wish to stop and keep what there is."""

    def ask(number: int, _frame: object) -> None:
        context.stop()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {}
    # Signals belong to the main thread; in any other the sentinel has to do.
    with contextlib.suppress(ValueError):
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
