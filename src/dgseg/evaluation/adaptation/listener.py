"""The watcher of an adaptation that nobody sits in front of."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from dgseg.adaptation.watcher import Phase
from dgseg.errors import DgsegError
from dgseg.training.loop import OnStep, ShouldStop

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listener:
    """Passes on the steps of a training, and the wish to stop; problems go to the log.

    Attributes
    ----------
    on_step, wish : callable, optional
        As `on_step` and `should_stop` of `dgseg.training.loop.fit`.
    """

    on_step: OnStep | None = None
    wish: ShouldStop | None = None

    def should_stop(self) -> bool:
        """Whether to stop at the next opportunity."""
        return self.wish is not None and self.wish()

    def phase(self, name: Phase, message: str) -> None:
        """A part of the work begins."""
        _log.debug("%s: %s", name, message)

    def progress(
        self, step: int, total: int, losses: Mapping[str, float] | None = None
    ) -> None:
        """`step` of `total` of the training is done."""
        if self.on_step is not None:
            self.on_step(step, total, dict(losses or {}))

    def metrics(self, numbers: Mapping[str, object]) -> None:
        """Numbers that are no losses."""

    def warn(self, problem: str | DgsegError, *, scan_id: str | None = None) -> None:
        """Something was passed over."""
        _log.warning("%s: %s", scan_id, problem)
