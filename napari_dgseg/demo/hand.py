"""A hand for scripts: real mouse and key events on the canvas and on widgets.

The demo, the whole-session test and the pictures of the documentation all go
through it, so that what they show is what a person would get.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QCoreApplication, QEvent, QEventLoop, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

if TYPE_CHECKING:
    import napari


_MOVE_MS = 12
"""VisPy drops moves that follow an event within 10 ms."""


class Hand:
    """Moves the mouse and presses keys in a napari window.

    Parameters
    ----------
    viewer : napari.Viewer
        A shown viewer in its 2-D view.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer

    @property
    def canvas(self) -> QWidget:
        """The widget on which napari draws."""
        for window in QApplication.topLevelWidgets():
            for widget in window.findChildren(QWidget):
                if type(widget).__name__.startswith("CanvasBackend") and widget.isVisible():
                    return widget
        raise LookupError("no napari canvas is visible")

    def pixel_of(self, position: Sequence[float]) -> QPoint:
        """Where a world position lies on the canvas, in its pixels.

        Parameters
        ----------
        position : sequence of float
            World coordinates (mm) of the displayed axes: row, column.

        Raises
        ------
        LookupError
            If the position lies outside the visible part of the canvas.
        """
        canvas = self.canvas
        camera = self._viewer.camera
        centre = np.asarray(camera.center)[-2:]
        row, column = (np.asarray(position, float) - centre) * camera.zoom
        point = QPoint(round(column + canvas.width() / 2), round(row + canvas.height() / 2))
        if not canvas.rect().contains(point):
            raise LookupError(f"{position} is outside the view")
        return point

    def stroke(self, positions: Sequence[Sequence[float]]) -> None:
        """Press the left button at the first position, drag along, release at the last."""
        canvas = self.canvas
        points = [self.pixel_of(position) for position in positions]
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mouseMove(canvas, points[0])
        QTest.qWait(_MOVE_MS)
        QTest.mousePress(canvas, left, none, points[0])
        for point in points[1:]:
            QTest.qWait(_MOVE_MS)
            _drag(canvas, point)
        QTest.mouseRelease(canvas, left, none, points[-1])
        settle()

    def key(self, sequence: str) -> None:
        """Press a key on the canvas, such as ``"Ctrl+Z"`` or ``"P"``."""
        *modifiers, key = sequence.split("+")
        flags = Qt.KeyboardModifier.NoModifier
        for name in modifiers:
            flags |= _MODIFIERS[name]
        canvas = self.canvas
        canvas.setFocus()
        QTest.keyClick(canvas, getattr(Qt.Key, f"Key_{key}"), flags)
        settle()

    def click(self, widget: QWidget, point: QPoint | None = None) -> None:
        """Click a widget in its middle, or at a point of it.

        Raises
        ------
        LookupError
            If the widget is hidden or disabled: a person could not click it.
        """
        if not (widget.isVisible() and widget.isEnabled()):
            state = "hidden" if not widget.isVisible() else "disabled"
            raise LookupError(f"{widget.objectName() or widget} is {state}")
        at = point if point is not None else widget.rect().center()
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        settle()


_MODIFIERS = {
    "Ctrl": Qt.KeyboardModifier.ControlModifier,
    "Shift": Qt.KeyboardModifier.ShiftModifier,
    "Alt": Qt.KeyboardModifier.AltModifier,
}


def _drag(canvas: QWidget, point: QPoint) -> None:
    # QTest.mouseMove carries no pressed button, so a drag is sent as an event.
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(point),
        QPointF(canvas.mapToGlobal(point)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas, event)


def settle(milliseconds: int = 20) -> None:
    """Let the program handle what is waiting."""
    QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, milliseconds)


def wait_until(
    condition: Callable[[], bool], timeout_s: float, what: str, poll_s: float = 0.05
) -> float:
    """Run the event loop until a condition holds; returns the seconds it took.

    Raises
    ------
    TimeoutError
        Naming `what` did not happen.
    """
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout_s:
            raise TimeoutError(f"{what} did not happen within {timeout_s:g} s")
        QTest.qWait(round(1000 * poll_s))
    return time.monotonic() - start
