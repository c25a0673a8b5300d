"""Who is told how an adaptation goes, and may stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class PartWatcher:
    """The watcher of all of several trainings, as one of them sees it.

    Attributes
    ----------
    whole : Watcher
        Told of the steps as steps of all trainings together.
    before : int
        Steps of the trainings that come before this one.
    of_all : callable
        Gives the steps of all trainings, from the number of its own.
    quiet : bool
        Tell of steps, but neither of phases nor of losses: they are of no candidate.
    loss_as : str, optional
        A name for the sum of the losses, which is told under it, alone, though the rest is
        quiet.
    """

    whole: Watcher
    before: int
    of_all: Callable[[int], int]
    quiet: bool = True
    loss_as: str | None = None

    def should_stop(self) -> bool:
        """Whether to stop at the next opportunity."""
        return self.whole.should_stop()

    def phase(self, name: Phase, message: str) -> None:
        """A part of the work begins."""
        if not self.quiet:
            self.whole.phase(name, message)

    def progress(
        self, step: int, total: int, losses: Mapping[str, float] | None = None
    ) -> None:
        """`step` of `total` of this training is done."""
        shown = None if self.quiet else losses
        if self.loss_as is not None and losses and "loss" in losses:
            shown = {self.loss_as: losses["loss"]}
        self.whole.progress(self.before + step, self.of_all(total), shown)

    def metrics(self, numbers: Mapping[str, object]) -> None:
        """Numbers that are no losses."""
        self.whole.metrics(numbers)

    def warn(self, problem: str | DgsegError, *, scan_id: str | None = None) -> None:
        """Something was passed over."""
        self.whole.warn(problem, scan_id=scan_id)
