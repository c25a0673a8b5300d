"""What runs one cell of any benchmark, and what notes that it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from dgseg.evaluation.benchmark.claims import CellResult
from dgseg.training.loop import ShouldStop

Say = Callable[[str], None]


class Work(Protocol):
    """Runs one cell, and never raises a `DgsegError`."""

    def __call__(
        self, cell: Any, *, say: Say, should_stop: ShouldStop | None = None
    ) -> CellResult:
        """Run it."""
        ...


class Fail(Protocol):
    """Notes that a cell failed."""

    def __call__(self, cell: Any, *, error: BaseException) -> CellResult:
        """Note it."""
        ...
