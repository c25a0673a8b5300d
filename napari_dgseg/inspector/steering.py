"""From point to point of a plot with the arrow keys."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QFocusEvent, QKeyEvent
from qtpy.QtWidgets import QWidget

WORDS = "Arrow keys lead from point to point, Enter shows the slice, Escape leaves."

_TOWARDS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)

_BY_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)

_LEAST = 0.5
"""Pixels: what is nearer than this along a direction does not lie in it."""


def nearest_towards(places: np.ndarray, at: int, towards: tuple[int, int]) -> int:
    """The point that an arrow key leads to.

    That is the nearest one within 45 degrees of the direction. Where there is none, one
    farther to the side counts, twice as far as it lies beside: so each point that has a
    place of its own can be reached.

    Parameters
    ----------
    places : ndarray of float, shape (N, 2)
        In pixels, y downwards; not a number for points that are not shown.
    at : int
        Where the way begins.
    towards : (int, int)
        Unit vector of the direction.

    Returns
    -------
    int
        `at` itself where nothing lies in that direction.
    """
    apart = places - places[at]
    along = apart @ np.array(towards, float)
    across = np.abs(apart @ np.array([-towards[1], towards[0]], float))
    ahead = along > _LEAST  # False for what is not a number
    straight = ahead & (across <= along)
    if straight.any():
        ways = np.where(straight, np.hypot(along, across), np.inf)
    else:
        ways = np.where(ahead, along + 2 * across, np.inf)
    return int(ways.argmin()) if ahead.any() else at


class Steering(QObject):
    """Hears the keys of a plot that has the focus, and remembers which point they led to.

    Parameters
    ----------
    plot : QWidget
        What has the focus; owns this object.
    places : callable
        Where the points are, as `nearest_towards` takes them.
    current : callable
        The point to begin with, or None.
    """

    moved = Signal(int)
    """Another point; -1 for none any more."""
    entered = Signal(int)

    def __init__(
        self,
        plot: QWidget,
        places: Callable[[], np.ndarray],
        current: Callable[[], int | None],
    ) -> None:
        super().__init__(plot)
        self._plot, self._places, self._current = plot, places, current
        self.at = -1
        plot.installEventFilter(self)

    def stop(self) -> None:
        """Be at no point any more."""
        self._go(-1)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """See keys and focus before the plot does."""
        kind = event.type()
        if isinstance(event, QFocusEvent):
            self._on_focus(event)
        elif isinstance(event, QKeyEvent) and self._knows(event):
            if kind == QEvent.Type.ShortcutOverride:
                event.accept()  # else napari's own shortcut would have the key
                return True
            if kind == QEvent.Type.KeyPress:
                self._press(event.key())
                return True
        return False

    def _knows(self, event: QKeyEvent) -> bool:
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if held != Qt.KeyboardModifier.NoModifier:
            return False
        return event.key() in (*_TOWARDS, *_ENTER, Qt.Key.Key_Escape)

    def _on_focus(self, event: QFocusEvent) -> None:
        if event.lostFocus():
            self.stop()
        elif event.reason() in _BY_KEYBOARD:
            self._go(self._first())

    def _press(self, key: int) -> None:
        if key == Qt.Key.Key_Escape:
            self._plot.clearFocus()
            self.stop()
        elif key in _ENTER:
            if self.at >= 0:
                self.entered.emit(self.at)
        elif self.at < 0:
            self._go(self._first())
        else:
            self._go(nearest_towards(self._places(), self.at, _TOWARDS[key]))

    def _first(self) -> int:
        """The current point, else the one nearest the middle of the plot; -1 without any."""
        places = self._places()
        known = np.isfinite(places).all(axis=1)
        current = self._current()
        if current is not None and known[current]:
            return current
        if not known.any():
            return -1
        middle = (self._plot.width() / 2, self._plot.height() / 2)
        apart = np.hypot(*(places - middle).T)
        return int(np.where(known, apart, np.inf).argmin())

    def _go(self, at: int) -> None:
        if at != self.at:
            self.at = at
            self.moved.emit(at)
