"""The two kinds of processes behind the dock: the warm worker, and jobs that outlive it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
from qtpy.QtCore import QObject, QProcess, QTimer, Signal

from dgseg.errors import DgsegError, JobError
from dgseg.jobs.events import JobEvent
from dgseg.jobs.folder import JobFolder
from dgseg.worker.protocol import (
    Cancel,
    Error,
    Progress,
    ProtocolError,
    Release,
    Reply,
    Request,
    Result,
    decode_reply,
    encode,
)

WORKER_COMMAND = [sys.executable, "-m", "dgseg.worker"]

OnResult = Callable[[Any], None]
OnProgress = Callable[[Progress], None]
OnError = Callable[[DgsegError], None]


class WorkerError(DgsegError):
    """What the worker said went wrong, or that it is gone."""


@dataclass(frozen=True)
class _Open:
    on_result: OnResult
    on_error: OnError
    on_progress: OnProgress | None
    on_cancelled: Callable[[], None] | None


class WorkerClient(QObject):
    """The warm process that answers quick questions; started by the first of them.

    A worker that dies takes its open requests with it: each gets one error. The
    next request starts a new worker.

    Parameters
    ----------
    command : list of str, optional
        Program and arguments.
    """

    stopped = Signal()
    """The process is gone, though nobody closed it."""

    def __init__(self, command: list[str] | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._command = command or WORKER_COMMAND
        self._process: QProcess | None = None
        self._requests: dict[int, _Open] = {}
        self._next = 1
        self._tail = ""
        self._closing = False

    @property
    def is_running(self) -> bool:
        """Whether there is a worker process."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Process id of the worker; 0 where there is none."""
        return int(self._process.processId()) if self._process is not None else 0

    def request(
        self,
        kind: type[Request],
        *,
        on_result: OnResult,
        on_error: OnError,
        on_progress: OnProgress | None = None,
        on_cancelled: Callable[[], None] | None = None,
        **fields: Any,
    ) -> int:
        """Ask the worker; answers arrive on the GUI's thread.

        Parameters
        ----------
        kind : type
            A request of `dgseg.worker.protocol`, such as `Predict`.
        on_result, on_error, on_cancelled : callable
            Exactly one of them is called, once; the result is unpacked.
        on_progress : callable, optional
            Called with each `Progress`.
        **fields
            The fields of `kind`.

        Returns
        -------
        int
            The request's number, for `cancel`.
        """
        number = self._take_number()
        self._requests[number] = _Open(on_result, on_error, on_progress, on_cancelled)
        self._send(kind(id=number, **fields))
        return number

    def cancel(self, number: int) -> None:
        """Ask for the end of a request."""
        if number in self._requests and self._process is not None:
            self._send(Cancel(id=self._take_number(), target=number))

    def release(self) -> None:
        """Let the worker drop its model and the device's memory, for a job to have."""
        if self._process is not None:
            self._send(Release(id=self._take_number()))

    def close(self, wait_ms: int = 1500) -> None:
        """End the worker: politely, then by force. Open requests get no answer."""
        self._closing = True
        self._requests.clear()
        process, self._process = self._process, None
        if process is None:
            return
        process.readyReadStandardOutput.disconnect(self._read)
        process.finished.disconnect(self._on_finished)
        process.errorOccurred.disconnect(self._on_failed)
        process.closeWriteChannel()
        if not process.waitForFinished(wait_ms):
            process.kill()
            process.waitForFinished(wait_ms)
        process.deleteLater()

    # --- the process --------------------------------------------------------------

    def _take_number(self) -> int:
        number, self._next = self._next, self._next + 1
        return number

    def _send(self, message: Request) -> None:
        if self._closing:
            return
        if self._process is None:
            self._start()
        if self._process is not None:
            self._process.write(encode(message))

    def _start(self) -> None:
        process = QProcess(self)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_failed)
        # Nobody reads its stderr: a full pipe would stop it.
        process.setStandardErrorFile(QProcess.nullDevice())
        self._process = process
        process.start(self._command[0], self._command[1:])

    def _read(self) -> None:
        if self._process is None:
            return
        self._tail += bytes(self._process.readAllStandardOutput()).decode("utf-8", "replace")
        *lines, self._tail = self._tail.split("\n")
        for line in lines:
            self._take(line)

    def _take(self, line: str) -> None:
        try:
            reply = decode_reply(line)
        except ProtocolError:
            return  # a library that prints is no answer
        if isinstance(reply, Progress):
            request = self._requests.get(reply.id)
            if request is not None and request.on_progress is not None:
                request.on_progress(reply)
            return
        request = self._requests.pop(reply.id, None) if reply.id is not None else None
        if request is not None:
            self._answer(request, reply)

    @staticmethod
    def _answer(request: _Open, reply: Reply) -> None:
        if isinstance(reply, Result):
            try:
                content = reply.unpack()
            except ProtocolError as error:
                request.on_error(error)
            else:
                request.on_result(content)
        elif isinstance(reply, Error):
            request.on_error(WorkerError(reply.message, remedy=reply.remedy))
        elif request.on_cancelled is not None:
            request.on_cancelled()

    def _on_failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._fail("The background process could not be started.", "Install dgseg again.")

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        killed = status == QProcess.ExitStatus.CrashExit
        how = "was killed, perhaps for want of memory" if killed else f"ended (code {code})"
        self._fail(
            f"The background process {how}.",
            "Try again: it starts anew. Close other programs if memory is short.",
        )

    def _fail(self, problem: str, remedy: str) -> None:
        process, self._process = self._process, None
        self._tail = ""
        open_requests, self._requests = self._requests, {}
        if process is not None:
            process.deleteLater()
        self.stopped.emit()
        for request in open_requests.values():
            request.on_error(WorkerError(problem, remedy=remedy))


class JobWatcher(QObject):
    """Starts a job and follows what it writes, four times a second.

    The job is a process of its own, known by its folder alone: closing the dock
    ends the watching and not the job.
    """

    told = Signal(list)
    """New events, a list of `JobEvent`."""

    state_changed = Signal(str)
    """A state of `JobFolder.state`, or ``"starting"``."""

    INTERVAL_MS = 250

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder: JobFolder | None = None
        self.state = ""
        self._offset = 0
        self._pid = 0
        self._runs_before = 0
        self._timer = QTimer(self)
        self._timer.setInterval(self.INTERVAL_MS)
        self._timer.timeout.connect(self.poll)

    def launch(self, folder: JobFolder) -> None:
        """Start or resume a job in a process of its own, and follow it.

        Raises
        ------
        JobError
            If the process cannot be started.
        """
        runs = folder.runs
        folder.clear_stop()
        program, *arguments = folder.command()
        started, pid = QProcess.startDetached(program, arguments, str(folder.path))
        if not started:
            raise JobError(
                "The job's process could not be started.",
                remedy="Check that Python can still be run on this machine.",
                path=folder.path,
            )
        self._pid, self._runs_before = int(pid), runs
        self.follow(folder, starting=True)

    def follow(self, folder: JobFolder, *, starting: bool = False) -> None:
        """Follow a job from its first event on."""
        if not starting:
            self._pid = 0
        self.folder, self._offset, self.state = folder, 0, ""
        self.poll()
        self._timer.start()

    def unfollow(self) -> None:
        """Stop watching; the job goes on."""
        self._timer.stop()
        self.folder, self.state = None, ""

    def poll(self) -> None:
        """Look once; called by the timer."""
        if self.folder is None:
            return
        # The state first: what is told before the last state is then all read.
        state = self._state(self.folder)
        events: list[JobEvent]
        events, self._offset = self.folder.events(self._offset)
        if events:
            self.told.emit(events)
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)
        if state not in ("starting", "waiting", "running", "stopping"):
            self._timer.stop()

    def _state(self, folder: JobFolder) -> str:
        state = folder.state
        if not self._pid:
            return state
        if state in ("running", "stopping") or folder.runs > self._runs_before:
            self._pid = 0
            return state
        if _is_alive(self._pid):
            return "starting"
        self._pid = 0
        return "died" if state == "waiting" else state


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
