"""A worker as seen from a Python program: calls that wait for their answer. No torch here."""

from __future__ import annotations

import itertools
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, TypeVar

from dgseg import errors
from dgseg.errors import DgsegError, JobError
from dgseg.scans.scan import ScanSource
from dgseg.worker.protocol import (
    Cancel,
    Cancelled,
    Content,
    Decode,
    DecodeResult,
    Devices,
    DevicesResult,
    Embed,
    EmbedResult,
    Error,
    Hello,
    HelloResult,
    Inspect,
    InspectResult,
    Measures,
    MeasuresResult,
    Methods,
    MethodsResult,
    Pictures,
    PicturesResult,
    Predict,
    PredictResult,
    Progress,
    ProtocolError,
    Quit,
    Release,
    Reply,
    Request,
    Sheet,
    SheetResult,
    decode_reply,
    encode,
)

_QUIT_S = 10.0

T = TypeVar("T")


class RequestCancelled(Exception):  # noqa: N818  (a wish that was granted, no error)
    """The request was stopped, as asked."""


def worker_command(
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    idle_s: float = 300.0,
) -> list[str]:
    """The command that starts a worker."""
    command = [sys.executable, "-P", "-m", "dgseg.worker", "--device", device]
    command += ["--precision", precision, "--idle-s", str(idle_s)]
    return command + (["--threads", str(threads)] if threads else [])


def error_of(reply: Error) -> DgsegError:
    """The exception that a worker's error stands for."""
    kind = getattr(errors, reply.kind, DgsegError)
    return kind(reply.message, remedy=reply.remedy)


class WorkerClient:
    """Starts a worker and asks it. Several threads may ask at once.

    Parameters
    ----------
    command : list of str, optional
        See `worker_command`.

    Examples
    --------
    >>> with WorkerClient() as worker:  # doctest: +SKIP
    ...     worker.predict(source, bundle, out)
    """

    def __init__(self, command: list[str] | None = None) -> None:
        self._process = subprocess.Popen(
            command or worker_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.Queue[Reply | None]] = {}
        self._lock = threading.Lock()
        # Its own lock: a writer that waits for the pipe must not keep the reader
        # from emptying the other one.
        self._writing = threading.Lock()
        self._ended = False
        self._reader = threading.Thread(target=self._read, name="replies", daemon=True)
        self._reader.start()

    def __enter__(self) -> WorkerClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def hello(self) -> HelloResult:
        """Version and process number of the worker."""
        return self._ask(Hello(id=self.next_id()), HelloResult)

    def methods(self) -> MethodsResult:
        """The registered methods."""
        return self._ask(Methods(id=self.next_id()), MethodsResult)

    def devices(self) -> DevicesResult:
        """The devices and their free memory."""
        return self._ask(Devices(id=self.next_id()), DevicesResult)

    def predict(
        self,
        source: ScanSource,
        bundle: Path,
        out: Path,
        *,
        progress: Callable[[float], None] | None = None,
        number: int | None = None,
    ) -> PredictResult:
        """Segment one scan; the proposal is then in `out`.

        Parameters
        ----------
        number : int, optional
            From `next_id`, for `cancel` from another thread or from `progress`.

        Raises
        ------
        DgsegError
            As the worker has it.
        RequestCancelled
            If `cancel` was called.
        """
        number = self.next_id() if number is None else number
        request = Predict(id=number, source=source, bundle=bundle, out=out)
        return self._ask(request, PredictResult, progress)

    def inspect(
        self,
        source: ScanSource,
        bundle: Path,
        out: Path,
        *,
        labels: Path | None = None,
        progress: Callable[[float], None] | None = None,
        number: int | None = None,
    ) -> InspectResult:
        """Compute the latent factors of a scan; see `predict` and `Inspect`."""
        number = self.next_id() if number is None else number
        request = Inspect(id=number, source=source, bundle=bundle, out=out, labels=labels)
        return self._ask(request, InspectResult, progress)

    def pictures(self, source: ScanSource, bundle: Path, out: Path) -> PicturesResult:
        """Paint a scan from its factors; see `Pictures`."""
        request = Pictures(id=self.next_id(), source=source, bundle=bundle, out=out)
        return self._ask(request, PicturesResult)

    def decode(
        self,
        source: ScanSource,
        index: int,
        bundle: Path,
        out: Path,
        *,
        style: Sequence[float] | None = None,
        domain: Sequence[float] | None = None,
        segment: bool = False,
    ) -> DecodeResult:
        """Paint slice `index` with given codes; see `Decode`."""
        request = Decode(
            id=self.next_id(),
            source=source,
            slice=index,
            bundle=bundle,
            out=out,
            style=None if style is None else tuple(style),
            domain=None if domain is None else tuple(domain),
            segment=segment,
        )
        return self._ask(request, DecodeResult)

    def sheet(
        self,
        source: ScanSource,
        index: int,
        bundle: Path,
        code: Literal["style", "domain"],
        out: Path,
        *,
        progress: Callable[[float], None] | None = None,
        number: int | None = None,
    ) -> SheetResult:
        """Draw slice `index` along the dimensions of a code; see `predict` and `Sheet`."""
        number = self.next_id() if number is None else number
        request = Sheet(
            id=number, source=source, slice=index, bundle=bundle, code=code, out=out
        )
        return self._ask(request, SheetResult, progress)

    def embed(
        self,
        codes: Path,
        out: Path,
        seed: int = 0,
        *,
        progress: Callable[[float], None] | None = None,
        number: int | None = None,
    ) -> EmbedResult:
        """Lay codes out on a plane; see `predict` and `Embed`."""
        number = self.next_id() if number is None else number
        request = Embed(id=number, codes=codes, out=out, seed=seed)
        return self._ask(request, EmbedResult, progress)

    def measures(
        self, sources: Sequence[ScanSource], bundle: Path, domain: str = ""
    ) -> MeasuresResult:
        """Measure how well a bundle takes scans apart; see `Measures`."""
        request = Measures(
            id=self.next_id(), sources=tuple(sources), bundle=bundle, domain=domain
        )
        return self._ask(request, MeasuresResult)

    def cancel(self, number: int) -> None:
        """Ask to stop request `number`, without waiting for it to happen."""
        self._send(Cancel(id=self.next_id(), target=number))

    def release(self) -> None:
        """Let the worker's model go."""
        self.ask(Release(id=self.next_id()))

    def next_id(self) -> int:
        """A number for a request."""
        return next(self._numbers)

    def ask(self, request: Request, progress: Callable[[float], None] | None = None) -> Content:
        """Send a request and wait for its answer.

        Raises
        ------
        DgsegError
            The worker's error; `JobError` if the worker has ended.
        RequestCancelled
            If the request was stopped.
        """
        answers: queue.Queue[Reply | None] = queue.Queue()
        with self._lock:
            self._answers[request.id] = answers
            if self._ended:
                answers.put(None)
        try:
            self._send(request)
            while isinstance(reply := answers.get(), Progress):
                if progress is not None:
                    progress(reply.fraction)
        finally:
            with self._lock:
                del self._answers[request.id]
        if reply is None:
            raise _gone()
        if isinstance(reply, Cancelled):
            raise RequestCancelled
        if isinstance(reply, Error):
            raise error_of(reply)
        return reply.unpack()

    def close(self) -> None:
        """Let the worker end, by force if it does not."""
        with suppress(DgsegError):
            self._send(Quit(id=self.next_id()))
        with suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(_QUIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _ask(
        self,
        request: Request,
        kind: type[T],
        progress: Callable[[float], None] | None = None,
    ) -> T:
        content = self.ask(request, progress)
        assert isinstance(content, kind)
        return content

    def _send(self, request: Request) -> None:
        try:
            with self._writing:
                self._stdin.write(encode(request))
                self._stdin.flush()
        except (OSError, ValueError) as error:
            raise _gone() from error

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                reply = decode_reply(line)
            except ProtocolError:
                continue
            with self._lock:
                answers = self._answers.get(-1 if reply.id is None else reply.id)
            if answers is not None:
                answers.put(reply)
        with self._lock:
            self._ended = True
            for answers in self._answers.values():
                answers.put(None)


def _gone() -> JobError:
    return JobError(
        "The program that segments has ended.",
        remedy="Ask again: it is started anew. If it ends again, memory may be short.",
    )
