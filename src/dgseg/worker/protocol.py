"""What the worker is asked and what it answers: one JSON object a line. No torch here.

Requests go to the worker's standard input, replies come from its standard
output. Every request has a number, `id`; every reply names the request that it
answers. A request is answered by any number of ``progress`` lines and then by
exactly one of ``result``, ``cancelled`` and ``error``. Arrays never pass
through the pipe: they go to files, see `Predict.out`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from dgseg.errors import DgsegError
from dgseg.scans.scan import ScanSource

PROTOCOL_VERSION = 1

Stage = Literal["reading", "loading", "segmenting", "writing"]


class ProtocolError(DgsegError):
    """A line that is no message of this protocol."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: int = Field(default=PROTOCOL_VERSION, alias="schema", le=PROTOCOL_VERSION)


class _Request(_Message):
    id: int


class Hello(_Request):
    """Ask whether the worker is there; answered at once, without torch."""

    verb: Literal["hello"] = "hello"


class Predict(_Request):
    """Segment one scan.

    Attributes
    ----------
    source : ScanSource
        The scan; it must be backed by a file.
    bundle : Path
        The model; it stays loaded until another one is asked for.
    out : Path
        Folder for the proposal, as `dgseg.site.proposals.read_proposal` reads it.
    """

    verb: Literal["predict"] = "predict"
    source: ScanSource
    bundle: Path
    out: Path


class Methods(_Request):
    """Ask for the registered methods that adapt a bundle to a site."""

    verb: Literal["methods"] = "methods"


class Devices(_Request):
    """Ask for the devices and their free memory."""

    verb: Literal["devices"] = "devices"


class Cancel(_Request):
    """Stop request number `target`, whether it runs or waits."""

    verb: Literal["cancel"] = "cancel"
    target: int


class Release(_Request):
    """Let go of the model and of the device's memory."""

    verb: Literal["release"] = "release"


class Quit(_Request):
    """Stop what runs and end."""

    verb: Literal["quit"] = "quit"


Request = Hello | Predict | Methods | Devices | Cancel | Release | Quit


class HelloResult(BaseModel):
    """Answers `Hello`."""

    version: str
    pid: int


class PredictResult(BaseModel):
    """Answers `Predict`: the proposal is in `out`.

    Attributes
    ----------
    scan_id, bundle_id : str
    out : Path
        As requested.
    seconds : float
        With reading the scan, and loading the model where that was due.
    device : str
        Where it ran, such as ``"cpu"`` or ``"cuda:0"``.
    warnings : tuple of str
        What had to be given up on the way, as sentences for a person.
    """

    scan_id: str
    bundle_id: str
    out: Path
    seconds: float
    device: str
    warnings: tuple[str, ...] = ()


class MethodInfo(BaseModel):
    """A registered method that adapts a bundle to a site.

    Attributes
    ----------
    name, title : str
    when : str
        When to choose it, as a sentence.
    needs_labels : bool
        Whether it learns from corrections alone, and nothing without any.
    needs_style_bank : bool
        Whether it runs only from a bundle that has a style bank.
    """

    name: str
    title: str
    when: str
    needs_labels: bool = True
    needs_style_bank: bool = False


class MethodsResult(BaseModel):
    """Answers `Methods`."""

    methods: tuple[MethodInfo, ...]


class DeviceInfo(BaseModel):
    """A device; bytes are None where they cannot be known."""

    name: str
    title: str
    free_bytes: int | None
    total_bytes: int | None


class DevicesResult(BaseModel):
    """Answers `Devices`; the first one is what ``"auto"`` takes."""

    devices: tuple[DeviceInfo, ...]


class CancelResult(BaseModel):
    """Answers `Cancel`: whether the target was still to be answered."""

    found: bool


class Done(BaseModel):
    """Answers `Release` and `Quit`."""


Content = HelloResult | PredictResult | MethodsResult | DevicesResult | CancelResult | Done

_CONTENT: dict[str, type[BaseModel]] = {
    "hello": HelloResult,
    "predict": PredictResult,
    "methods": MethodsResult,
    "devices": DevicesResult,
    "cancel": CancelResult,
    "release": Done,
    "quit": Done,
}


class Progress(_Message):
    """How far a request is, 0 to 1."""

    id: int
    type: Literal["progress"] = "progress"
    fraction: float
    stage: Stage | None = None


class Result(_Message):
    """The answer to request `id`; `content` is of the type that belongs to `verb`."""

    id: int
    type: Literal["result"] = "result"
    verb: str
    content: dict[str, object]

    def unpack(self) -> Content:
        """The content as its own type.

        Raises
        ------
        ProtocolError
            If it does not fit the verb.
        """
        try:
            return _CONTENT[self.verb].model_validate(self.content)  # type: ignore[return-value]
        except (KeyError, ValidationError) as error:
            raise _not_a_message("The worker's answer does not fit the question.") from error


class Cancelled(_Message):
    """Request `id` was stopped, as asked."""

    id: int
    type: Literal["cancelled"] = "cancelled"


class Error(_Message):
    """Request `id` failed.

    Attributes
    ----------
    id : int or None
        None for a line in which no request could be made out.
    kind : str
        Name of the class in `dgseg.errors`; ``"UnexpectedError"`` for a
        mistake in the program.
    message, remedy : str
        What is wrong, and what to do, without any path.
    """

    id: int | None
    type: Literal["error"] = "error"
    kind: str
    message: str
    remedy: str = ""


Reply = Progress | Result | Cancelled | Error

_request: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="verb")])
_reply: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="type")])


def encode(message: Request | Reply) -> bytes:
    """A message as one line, with its line end."""
    return message.model_dump_json(by_alias=True).encode() + b"\n"


def result(request: Request, content: Content) -> Result:
    """The `Result` that answers a request."""
    return Result(id=request.id, verb=request.verb, content=content.model_dump(mode="json"))


def decode_request(line: bytes | str) -> Request:
    """The request in a line.

    Raises
    ------
    ProtocolError
        If it is none that this version knows.
    """
    try:
        return _request.validate_json(line)
    except ValidationError as error:
        raise _not_a_message("A line on standard input is no request.") from error


def request_id(line: bytes | str) -> int | None:
    """The number in a line that is no sound request, to answer it by; None if it has none."""
    try:
        number = json.loads(line)["id"]
    except (ValueError, TypeError, KeyError):
        return None
    return number if isinstance(number, int) else None


def decode_reply(line: bytes | str) -> Reply:
    """The reply in a line.

    Raises
    ------
    ProtocolError
        If it is none that this version knows.
    """
    try:
        return _reply.validate_json(line)
    except ValidationError as error:
        raise _not_a_message("A line from the worker is no reply.") from error


def _not_a_message(problem: str) -> ProtocolError:
    return ProtocolError(
        problem, remedy="Both ends must be of the same version of napari-dgseg."
    )
