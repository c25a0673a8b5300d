"""What the worker is asked and what it answers: one JSON object a line. No torch here.

Requests go to the worker's standard input, replies come from its standard
output. Every request has a number, `id`; every reply names the request that it
answers. A request is answered by any number of ``progress`` lines and then by
exactly one of ``result``, ``cancelled`` and ``error``. Arrays never pass
through the pipe: they go to files, see `Predict.out`.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from dgseg.errors import DgsegError
from dgseg.worker.requests import (
    PROTOCOL_VERSION,
    Cancel,
    Decode,
    Devices,
    Embed,
    Hello,
    Inspect,
    Measures,
    Message,
    Methods,
    Pictures,
    Predict,
    Quit,
    Release,
    Sheet,
)
from dgseg.worker.results import (
    CancelResult,
    DecodeResult,
    DeviceInfo,
    DevicesResult,
    Done,
    EmbedResult,
    HelloResult,
    InspectResult,
    MeasuresResult,
    MethodInfo,
    MethodsResult,
    PicturesResult,
    PredictResult,
    SheetResult,
)

__all__ = [
    "PROTOCOL_VERSION",
    "Cancel",
    "CancelResult",
    "Cancelled",
    "Content",
    "Decode",
    "DecodeResult",
    "DeviceInfo",
    "Devices",
    "DevicesResult",
    "Done",
    "Embed",
    "EmbedResult",
    "Error",
    "Hello",
    "HelloResult",
    "Inspect",
    "InspectResult",
    "Measures",
    "MeasuresResult",
    "MethodInfo",
    "Methods",
    "MethodsResult",
    "Pictures",
    "PicturesResult",
    "Predict",
    "PredictResult",
    "Progress",
    "ProtocolError",
    "Quit",
    "Release",
    "Reply",
    "Request",
    "Result",
    "Sheet",
    "SheetResult",
    "Stage",
    "decode_reply",
    "decode_request",
    "encode",
    "request_id",
    "result",
]

Stage = Literal["reading", "loading", "segmenting", "inspecting", "writing"]


class ProtocolError(DgsegError):
    """A line that is no message of this protocol."""


Request = (
    Hello
    | Predict
    | Inspect
    | Pictures
    | Decode
    | Sheet
    | Embed
    | Measures
    | Methods
    | Devices
    | Cancel
    | Release
    | Quit
)

Content = (
    HelloResult
    | PredictResult
    | InspectResult
    | PicturesResult
    | DecodeResult
    | SheetResult
    | EmbedResult
    | MeasuresResult
    | MethodsResult
    | DevicesResult
    | CancelResult
    | Done
)

_CONTENT: dict[str, type[BaseModel]] = {
    "hello": HelloResult,
    "predict": PredictResult,
    "inspect": InspectResult,
    "pictures": PicturesResult,
    "decode": DecodeResult,
    "sheet": SheetResult,
    "embed": EmbedResult,
    "measures": MeasuresResult,
    "methods": MethodsResult,
    "devices": DevicesResult,
    "cancel": CancelResult,
    "release": Done,
    "quit": Done,
}


class Progress(Message):
    """How far a request is, 0 to 1."""

    id: int
    type: Literal["progress"] = "progress"
    fraction: float
    stage: Stage | None = None


class Result(Message):
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


class Cancelled(Message):
    """Request `id` was stopped, as asked."""

    id: int
    type: Literal["cancelled"] = "cancelled"


class Error(Message):
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
