"""A scatter plot for mouse and keyboard; pyqtgraph comes with the first points at the latest."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QObject, QPointF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QWidget

from napari_dgseg.inspector.lasso import Lasso
from napari_dgseg.inspector.outlines import DrawnOutlines
from napari_dgseg.inspector.points import Colours, Outline
from napari_dgseg.inspector.steering import WORDS, Steering
from napari_dgseg.look import Look, blend
from napari_dgseg.widgets import column

_REACH = 9.0
"""Pixels from a point within which the mouse points at it."""

_STILL = 4
"""Pixels that the mouse may move between press and release of a click."""

_SIZE, _SMALL_SIZE = 9, 7
_MANY = 300
"""So many points are drawn smaller."""

_RING, _FRAME = 17, 22
"""Pixels of the marks around points; the one has room within the other."""

_LEAST_HEIGHT = 250


class ScatterPlot(QWidget):
    """Points among outlines; all indices are those of the points that were given."""

    pointed = Signal(int)
    """The mouse is over a point, or the keys led to it; -1 where there is none any more."""
    clicked = Signal(int)
    """Or chosen with Enter."""
    steered = Signal(bool)
    """Whether the keys are at a point."""
    lassoed = Signal(list)
    """Indices of the points that the line goes round."""

    def __init__(self) -> None:
        super().__init__()
        self.plot: Any = None
        self.is_lassoing = False
        self._look: Look | None = None
        self._xy = np.zeros((0, 2))
        self._after: np.ndarray | None = None
        self._colours = Colours([], [], [])
        self._outlines: list[Outline] = []
        self._chosen: np.ndarray | None = None
        self._emphasised = ""
        self._current: int | None = None
        self._items: dict[str, Any] = {}
        self._drawn_outlines: DrawnOutlines | None = None
        self._steering: Steering | None = None
        self._lasso = Lasso()
        self._pressed: QPointF | None = None
        self._pointed = -1
        self.setMinimumHeight(_LEAST_HEIGHT)
        column(self)
        if "pyqtgraph" in sys.modules:
            self._make_plot()

    # --- what is shown ------------------------------------------------------------

    def show_points(
        self, xy: np.ndarray, outlines: list[Outline], after: np.ndarray | None
    ) -> None:
        """Take points (N, 2), with where they went (N, 2), among outlines; fit all of it.

        The points are drawn with the `colour` that they are given next.
        """
        if self.plot is None:
            self._make_plot()
        self._xy, self._after, self._outlines = xy, after, outlines
        self._chosen, self._current = None, None
        self._steering.stop()
        self._point_at(-1)
        self._draw_outlines()
        self.fit()

    def colour(self, colours: Colours) -> None:
        """Colour the points."""
        self._colours = colours
        self._draw_points()

    def choose(self, chosen: np.ndarray | None) -> None:
        """Dim all points but those (N,) of bool; None dims nothing."""
        if chosen is None and self._chosen is None:
            return
        self._chosen = chosen
        self._draw_points()

    def emphasise(self, name: str) -> None:
        """Draw the outline of one domain stronger."""
        if name != self._emphasised:
            self._emphasised = name
            self._draw_outlines()

    def mark(self, at: int | None) -> None:
        """Ring the point of the current slice."""
        self._current = at
        self._draw_marks()

    def describe(self, text: str) -> None:
        """Tell a screen reader what is pointed at; nothing tells the keys."""
        self.plot.setAccessibleDescription(text or WORDS)

    def fit(self) -> None:
        """Show everything."""
        if self.plot is None:
            return
        parts = [self._xy, *(each.xy for each in self._outlines)]
        if self._after is not None:
            parts.append(self._after)
        all_of_it = np.concatenate(parts)
        all_of_it = all_of_it[np.isfinite(all_of_it).all(axis=1)]
        if len(all_of_it):
            low, high = all_of_it.min(axis=0), all_of_it.max(axis=0)
            middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-6)
            x, y = (middle[i] + np.array([-1.08, 1.08]) * half[i] for i in (0, 1))
            self.plot.getViewBox().setRange(xRange=tuple(x), yRange=tuple(y), padding=0)

    def set_lassoing(self, wanted: bool) -> None:
        """Draw a line with the mouse from now on, or pan."""
        self.is_lassoing = wanted
        shape = Qt.CursorShape.CrossCursor if wanted else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme; those of the points come with `colour`."""
        self._look = look
        if self.plot is not None:
            self._paint_ground()
            self._draw_outlines()

    # --- places -------------------------------------------------------------------

    @property
    def _shown(self) -> np.ndarray:
        """Where each slice is now: where it went, if that is known."""
        if self._after is None:
            return self._xy
        went = np.isfinite(self._after).all(axis=1, keepdims=True)
        return np.where(went, self._after, self._xy)

    @property
    def places(self) -> np.ndarray:
        """Where the points are drawn, in pixels of the plot's viewport, shape (N, 2)."""
        box = self.plot.getViewBox()
        shown = self._shown
        (left, right), (bottom, top) = box.viewRange()
        frame = self.plot.mapFromScene(box.sceneBoundingRect()).boundingRect()
        x = frame.left() + (shown[:, 0] - left) / (right - left) * frame.width()
        y = frame.bottom() - (shown[:, 1] - bottom) / (top - bottom) * frame.height()
        return np.stack([x, y], axis=1)

    def _nearest(self, at: QPointF) -> int:
        if not len(self._xy):
            return -1
        apart = np.hypot(*(self.places - (at.x(), at.y())).T)
        apart = np.where(np.isfinite(apart), apart, np.inf)
        nearest = int(apart.argmin())
        return nearest if apart[nearest] <= _REACH else -1

    @property
    def is_steered(self) -> bool:
        """Whether the keys are at a point."""
        return self._steering is not None and self._steering.at >= 0

    # --- the mouse ----------------------------------------------------------------

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """See the mouse before the plot does."""
        kind = event.type()
        if kind == QEvent.Type.Leave:
            self._point_at(-1)
        elif kind == QEvent.Type.Wheel:
            return self._ignores(event)
        elif isinstance(event, QMouseEvent):
            handlers = {
                QEvent.Type.MouseButtonPress: self._press,
                QEvent.Type.MouseMove: self._move,
                QEvent.Type.MouseButtonRelease: self._release,
                QEvent.Type.MouseButtonDblClick: self._double_click,
            }
            if kind in handlers:
                return handlers[kind](event)
        return False

    def _ignores(self, event: QWheelEvent) -> bool:
        """Let the wheel scroll the dock, unless Ctrl is held or the plot was clicked."""
        held = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if held or self.plot.hasFocus():
            return False
        event.ignore()
        return True

    def _press(self, event: QMouseEvent) -> bool:
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        self._steering.stop()
        self._pressed = event.position()
        if self.is_lassoing:
            self._lasso.begin(event.position().x(), event.position().y())
        return self.is_lassoing

    def _move(self, event: QMouseEvent) -> bool:
        if self._pressed is None:
            self._point_at(self._nearest(event.position()))
            return False
        self._point_at(-1)
        if self.is_lassoing:
            self._lasso.extend(event.position().x(), event.position().y())
            self._draw_lasso()
            return True
        return False

    def _release(self, event: QMouseEvent) -> bool:
        pressed, self._pressed = self._pressed, None
        if event.button() != Qt.MouseButton.LeftButton or pressed is None:
            return False
        moved = (event.position() - pressed).manhattanLength()
        if moved <= _STILL:
            at = self._nearest(event.position())
            if at >= 0:
                self.clicked.emit(at)
        elif self.is_lassoing:
            self._close_lasso()
        return self.is_lassoing

    def _double_click(self, _event: QMouseEvent) -> bool:
        self.fit()
        return True

    def _close_lasso(self) -> None:
        if self._lasso.is_drawn:
            inside = np.isfinite(self._xy).all(axis=1)
            inside[inside] = self._lasso.inside(self.places[inside])
            self.lassoed.emit(np.flatnonzero(inside).tolist())
        self._items["lasso"].setData([], [])

    def _point_at(self, at: int) -> None:
        if at != self._pointed:
            self._pointed = at
            self.pointed.emit(at)

    def _steer(self, at: int) -> None:
        """Mark the point that the keys led to, and bring it into view."""
        if at >= 0:
            x, y = self._shown[at]
            box = self.plot.getViewBox()
            (left, right), (bottom, top) = box.viewRange()
            if not (left < x < right and bottom < y < top):
                box.translateBy(x=x - (left + right) / 2, y=y - (bottom + top) / 2)
        self._draw_marks()
        self._point_at(at)
        self.steered.emit(at >= 0)

    # --- drawing ------------------------------------------------------------------

    def _make_plot(self) -> None:
        import pyqtgraph

        self.plot = pyqtgraph.PlotWidget()
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setAspectLocked(True)
        self.plot.hideAxis("left")
        self.plot.hideAxis("bottom")
        self.plot.setAccessibleName("Appearance map")
        self.plot.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._steering = Steering(self.plot, lambda: self.places, lambda: self._current)
        self._steering.moved.connect(self._steer)
        self._steering.entered.connect(self.clicked)
        self.describe("")
        item = self.plot.getPlotItem()
        item.showGrid(x=False, y=False)
        self._items = {
            "arrows": item.plot([], [], connect="pairs"),
            "before": pyqtgraph.ScatterPlotItem(pxMode=True),
            "points": pyqtgraph.ScatterPlotItem(pxMode=True),
            "current": pyqtgraph.ScatterPlotItem(pxMode=True),
            "steered": pyqtgraph.ScatterPlotItem(pxMode=True),
            "lasso": item.plot([], []),
        }
        for name in ("before", "points", "current", "steered"):
            item.addItem(self._items[name])
        self._drawn_outlines = DrawnOutlines(self.plot)
        for height, name in enumerate(self._items, start=10):
            self._items[name].setZValue(height)
        self.plot.viewport().installEventFilter(self)
        self.plot.viewport().setMouseTracking(True)
        self.layout().addWidget(self.plot)
        self._paint_ground()

    def _paint_ground(self) -> None:
        if self._look is None:
            return
        import pyqtgraph

        self.plot.setBackground(self._look.raised)
        line = pyqtgraph.mkPen(self._look.tone("accent"), width=1.5, style=Qt.PenStyle.DashLine)
        self._items["lasso"].setPen(line)
        faint = blend(self._look.raised, self._look.text, 0.45)
        self._items["arrows"].setPen(pyqtgraph.mkPen(faint, width=1))

    def _draw_outlines(self) -> None:
        if self._look is not None and self._drawn_outlines is not None:
            self._drawn_outlines.draw(self._outlines, self._emphasised, self._look)

    def _draw_points(self) -> None:
        if self._look is None or self.plot is None:
            return
        import pyqtgraph

        known = np.flatnonzero(np.isfinite(self._xy).all(axis=1))
        pens, brushes = self._inks()
        size = _SIZE if len(known) < _MANY else _SMALL_SIZE

        def draw(item: Any, xy: np.ndarray, which: np.ndarray, *, filled: bool) -> None:
            nothing, edge = pyqtgraph.mkBrush(None), pyqtgraph.mkPen(self._look.raised)
            item.setData(
                pos=xy[which],
                size=size,
                symbol=[self._colours.symbols[at] for at in which],
                brush=[brushes[at] if filled else nothing for at in which],
                pen=[
                    edge if filled and self._colours.colours[at] else pens[at] for at in which
                ],
            )

        joined = known[:0]
        if self._after is not None:
            joined = known[np.isfinite(self._after[known]).all(axis=1)]
            draw(self._items["points"], self._after, joined, filled=True)
            draw(self._items["before"], self._xy, known, filled=False)
        else:
            self._items["before"].clear()
            draw(self._items["points"], self._xy, known, filled=True)
        ends = np.stack([self._xy[joined], self._shown[joined]], axis=1).reshape(-1, 2)
        self._items["arrows"].setData(ends[:, 0], ends[:, 1])
        self._draw_marks()

    def _inks(self) -> tuple[list[Any], list[Any]]:
        """A pen and a brush for each point; one that is dim or unknown is faint."""
        import pyqtgraph

        faint = blend(self._look.raised, self._look.text, 0.30).name()
        shades = [
            colour if colour and (self._chosen is None or self._chosen[at]) else faint
            for at, colour in enumerate(self._colours.colours)
        ]
        inks = {
            shade: (pyqtgraph.mkPen(shade, width=1.2), pyqtgraph.mkBrush(shade))
            for shade in set(shades)
        }
        empty = pyqtgraph.mkBrush(None)
        brushes = [
            inks[shade][1] if colour else empty
            for shade, colour in zip(shades, self._colours.colours, strict=True)
        ]
        return [inks[shade][0] for shade in shades], brushes

    def _draw_marks(self) -> None:
        """A ring around the current slice, and a frame around what the keys led to."""
        if self._look is None or self.plot is None:
            return
        self._draw_mark("current", self._current, "o", self._look.text)
        steered = self._steering.at if self.is_steered else None
        self._draw_mark("steered", steered, "s", self._look.tone("accent"))

    def _draw_mark(self, name: str, at: int | None, symbol: str, colour: QColor) -> None:
        import pyqtgraph

        item, shown = self._items[name], self._shown
        if at is None or not np.isfinite(shown[at]).all():
            item.clear()
            return
        ring = [pyqtgraph.mkPen(self._look.raised, width=5), pyqtgraph.mkPen(colour, width=2)]
        size = _RING if symbol == "o" else _FRAME
        nothing = pyqtgraph.mkBrush(None)
        item.setData(pos=shown[[at, at]], size=size, symbol=symbol, pen=ring, brush=nothing)

    def _draw_lasso(self) -> None:
        box = self.plot.getViewBox()
        corners = [
            box.mapSceneToView(self.plot.mapToScene(round(x), round(y)))
            for x, y in self._lasso.corners
        ]
        corners.append(corners[0])
        self._items["lasso"].setData([c.x() for c in corners], [c.y() for c in corners])
