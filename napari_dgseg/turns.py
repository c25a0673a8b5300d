"""Things that take a moment each, one a turn of the event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from qtpy.QtCore import QTimer

Step = Callable[[], object]


class Turns:
    """Does what it is given in order, and lets the window answer in between."""

    def __init__(self) -> None:
        self._waiting: deque[Step] = deque()
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._turn)

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be done."""
        return bool(self._waiting)

    def add(self, *steps: Step) -> None:
        """Do these too, each in a turn of its own."""
        self._waiting.extend(steps)
        if self._waiting:
            self._timer.start()

    def finish(self) -> None:
        """Do now what is still to be done."""
        while self._waiting:
            self._waiting.popleft()()
        self._timer.stop()

    def forget(self) -> None:
        """Do nothing more."""
        self._waiting.clear()
        self._timer.stop()

    def _turn(self) -> None:
        if self._waiting:
            step = self._waiting.popleft()
            if self._waiting:
                # Before the step: it may raise, and the others are still wanted.
                self._timer.start()
            step()
