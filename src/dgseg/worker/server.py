"""The worker's two threads: one reads requests, the other computes.

The reader answers what needs no computing (hello, cancel, quit) at once, even
while a scan is segmented, and queues the rest. The computing thread takes one
request after the other. Replies are written under a lock, one line each.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Iterator
from io import FileIO
from typing import TYPE_CHECKING

import dgseg
from dgseg.errors import DgsegError
from dgseg.worker.protocol import (
    Cancel,
    Cancelled,
    CancelResult,
    Content,
    Done,
    Error,
    Hello,
    HelloResult,
    Progress,
    ProtocolError,
    Quit,
    Reply,
    Request,
    Stage,
    decode_request,
    encode,
    request_id,
    result,
)

if TYPE_CHECKING:
    from dgseg.worker.model import Model

_log = logging.getLogger(__name__)

_PROGRESS_INTERVAL_S = 0.1
_CHUNK_BYTES = 1 << 16


class Server:
    """Answers the requests of one client until it quits or goes away.

    Parameters
    ----------
    requests, replies : FileIO
        Unbuffered: a thread that waits in a buffered one cannot be left alone
        when the program ends, and what a client that is gone did not take must
        not be written once more.
    device, precision : str
        Where and how to segment.
    idle_s : float
        After so many seconds without a request the model is let go.
    """

    def __init__(
        self,
        requests: FileIO,
        replies: FileIO,
        *,
        device: str = "auto",
        precision: str = "auto",
        idle_s: float = 300.0,
    ) -> None:
        self._requests = requests
        self._replies = replies
        self._device = device
        self._precision = precision
        self._idle_s = idle_s
        self._waiting: queue.Queue[Request | None] = queue.Queue()
        self._stops: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        self._client_is_gone = threading.Event()

    def run(self) -> None:
        """Serve until the client quits, closes its end, or can no longer be written to."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        # The heavy imports happen while the client is being greeted.
        from dgseg.worker.answers import Model

        model = Model(self._device, self._precision)
        while not self._client_is_gone.is_set():
            try:
                request = self._waiting.get(timeout=self._idle_s if model.loaded else None)
            except queue.Empty:
                model.release()
                continue
            if request is None:
                break
            self._serve(request, model)
        model.release()

    def _read(self) -> None:
        for line in _lines(self._requests):
            try:
                request = decode_request(line)
            except ProtocolError as error:
                self._fail(request_id(line), error)
                continue
            if isinstance(request, Quit):
                self._stop_all()
                self._waiting.put(request)
                return
            self._receive(request)
        self._stop_all()
        self._waiting.put(None)

    def _receive(self, request: Request) -> None:
        if isinstance(request, Hello):
            content = HelloResult(version=dgseg.__version__, pid=os.getpid())
            self._send(result(request, content))
        elif isinstance(request, Cancel):
            with self._lock:
                stop = self._stops.get(request.target)
            if stop is not None:
                stop.set()
            self._send(result(request, CancelResult(found=stop is not None)))
        else:
            with self._lock:
                self._stops[request.id] = threading.Event()
            self._waiting.put(request)

    def _stop_all(self) -> None:
        with self._lock:
            for stop in self._stops.values():
                stop.set()

    def _serve(self, request: Request, model: Model) -> None:
        from dgseg.inference.batches import SegmentationStopped
        from dgseg.inference.runner import is_out_of_memory

        if isinstance(request, Quit):
            self._send(result(request, Done()))
            self._client_is_gone.set()
            return
        stop = self._stops[request.id]
        try:
            if stop.is_set():
                raise SegmentationStopped
            reply: Reply = result(request, self._answer(request, model, stop))
        except SegmentationStopped:
            reply = Cancelled(id=request.id)
        except DgsegError as error:
            reply = _error(request.id, error)
        except Exception as error:  # noqa: BLE001 - the worker outlives any request
            _log.exception("request failed")
            reply = _unexpected(request.id, out_of_memory=is_out_of_memory(error))
        with self._lock:
            del self._stops[request.id]
        self._send(reply)

    def _answer(self, request: Request, model: Model, stop: threading.Event) -> Content:
        from dgseg.worker.answers import ANSWERS

        answer = ANSWERS[type(request)]
        return answer(model, request, _Reporter(self, request.id), stop.is_set)

    def _fail(self, number: int | None, error: DgsegError) -> None:
        self._send(_error(number, error))

    def _send(self, reply: Reply) -> None:
        line = memoryview(encode(reply))
        with self._lock:
            try:
                while line:
                    line = line[self._replies.write(line) :]
            except OSError:
                self._client_is_gone.set()


class _Reporter:
    """Sends progress, ten times a second at most, and every change of stage."""

    def __init__(self, server: Server, number: int) -> None:
        self._server = server
        self._number = number
        self._last: tuple[float, Stage | None] = (0.0, None)

    def __call__(self, fraction: float, stage: Stage) -> None:
        now = time.monotonic()
        sent, last_stage = self._last
        if stage == last_stage and now - sent < _PROGRESS_INTERVAL_S:
            return
        self._last = (now, stage)
        self._server._send(Progress(id=self._number, fraction=fraction, stage=stage))


def _lines(stream: FileIO) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(_CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())


def _error(number: int | None, error: DgsegError) -> Error:
    return Error(
        id=number, kind=type(error).__name__, message=error.problem, remedy=error.remedy
    )


def _unexpected(number: int, *, out_of_memory: bool) -> Error:
    if out_of_memory:
        return Error(
            id=number,
            kind="DeviceError",
            message="The memory does not suffice for this scan.",
            remedy="Close other programs and scans, or choose the CPU as device.",
        )
    return Error(
        id=number,
        kind="UnexpectedError",
        message="Something unexpected went wrong while answering.",
        remedy="Try again; if it happens again, report it with the worker's log.",
    )
