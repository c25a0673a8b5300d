"""Who is told how an adaptation goes, and may stop it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from dgseg.errors import DgsegError

Phase = Literal["preparing", "training", "segmenting", "judging"]


class AdaptationStopped(Exception):  # noqa: N818  (a wish that was granted, no error)
    """Somebody asked the adaptation to stop; what it has is on disk."""


class Watcher(Protocol):
    """Told of everything, asked before every step."""

    def should_stop(self) -> bool:
        """Whether to stop at the next opportunity."""
        ...

    def phase(self, name: Phase, message: str) -> None:
        """A part of the work begins."""
        ...

    def progress(
        self, step: int, total: int, losses: Mapping[str, float] | None = None
    ) -> None:
        """`step` of `total` of the present part is done."""
        ...

    def metrics(self, numbers: Mapping[str, object]) -> None:
        """Numbers that are no losses."""
        ...

    def warn(self, problem: str | DgsegError, *, scan_id: str | None = None) -> None:
        """Something was passed over."""
        ...


def check_stop(watcher: Watcher) -> None:
    """Raise `AdaptationStopped` if the watcher wants it."""
    if watcher.should_stop():
        raise AdaptationStopped
