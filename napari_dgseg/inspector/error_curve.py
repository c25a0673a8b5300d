"""The reconstruction error of every slice, as a curve that leads to its peaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, QPointF, Qt, Signal
from qtpy.QtWidgets import QWidget

from napari_dgseg.curves import paint_ground, quiet_plot
from napari_dgseg.look import Look
from napari_dgseg.widgets import column

HEIGHT = 120

_COLOURS = (("#7c9cff", "#2f55c8"), ("#f0a35e", "#b35b00"))
"""Of the first and of the second curve, on dark and on light."""

_MOST_PEAKS = 5
_STANDS_OUT = 1.5
"""A peak lies so many median deviations above the median."""
_LEAST_SHARE = 0.2
"""And at least this share of the way from there to the greatest value."""


def peaks(values: np.ndarray) -> list[int]:
    """The slices whose value stands out, at most five, from first to last.

    Parameters
    ----------
    values : ndarray, shape (slices,)
        Not a number where not known.

    Returns
    -------
    list of int
        No slice beside them has a greater value; the greatest of all is among them.
    """
    known = np.isfinite(values)
    if not known.any():
        return []
    filled = np.where(known, values, -np.inf)
    beside = np.pad(filled, 1, constant_values=-np.inf)
    # On a plateau the first slice stands for all of it.
    tops = (filled > beside[:-2]) & (filled >= beside[2:])
    middle = np.median(filled[known])
    spread = np.median(np.abs(filled[known] - middle))
    least = max(_STANDS_OUT * spread, _LEAST_SHARE * (filled.max() - middle))
    found = np.flatnonzero(tops & (filled > middle + least))
    best = {int(np.argmax(filled)), *(int(i) for i in found)}
    return sorted(sorted(best, key=lambda i: -filled[i])[:_MOST_PEAKS])


class ErrorCurve(QWidget):
    """Curves over the slices of a scan, with a marker at the one on display."""

    slice_chosen = Signal(int)
    """A slice was clicked; near a peak, that of the peak."""

    def __init__(self) -> None:
        super().__init__()
        self.plot: Any = None
        self._look: Look | None = None
        self._values: list[np.ndarray] = []
        self._index = 0
        self._lines: list[Any] = []
        self._dots: list[Any] = []
        self._marker: Any = None
        column(self)
        self.setFixedHeight(HEIGHT)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self._paint()

    def show_values(self, values: Sequence[np.ndarray]) -> None:
        """Draw one curve, or two to compare; shape (slices,) each, from slice 0."""
        self._values = list(values)
        if self.plot is None:
            if not any(len(each) for each in self._values):
                return  # pyqtgraph takes a while: it comes with the first curve
            self._make_plot()
        for at, (line, dots) in enumerate(zip(self._lines, self._dots, strict=True)):
            known = self._values[at] if at < len(self._values) else np.zeros(0)
            places = np.arange(len(known))
            line.setData(places, known)
            tops = peaks(known)
            dots.setData(places[tops], known[tops])
        n_slices = max((len(each) for each in self._values), default=1)
        self.plot.setXRange(-0.5, n_slices - 0.5, padding=0.02)
        self.plot.enableAutoRange("y")
        self._paint()

    def show_slice(self, index: int) -> None:
        """Mark a slice, from 0."""
        self._index = index
        if self._marker is not None:
            self._marker.setValue(index)

    def place_of(self, index: int) -> QPoint:
        """Where a slice of the first curve is on the widget `plot`, in its pixels."""
        box = self.plot.getPlotItem().getViewBox()
        at = box.mapViewToScene(QPointF(index, float(self._values[0][index])))
        return self.plot.mapFromScene(at)

    # --- within -------------------------------------------------------------------

    def _make_plot(self) -> None:
        import pyqtgraph

        self.plot = quiet_plot("Reconstruction error of each slice", HEIGHT)
        self.plot.setToolTip("Click a peak, or anywhere else, to go to the slice")
        self.plot.setCursor(Qt.CursorShape.PointingHandCursor)
        item = self.plot.getPlotItem()
        self._lines = [item.plot([], [], connect="finite") for _ in _COLOURS]
        self._dots = [pyqtgraph.ScatterPlotItem(size=9) for _ in _COLOURS]
        self._marker = pyqtgraph.InfiniteLine(self._index, angle=90)
        for each in (self._marker, *self._dots):
            item.addItem(each, ignoreBounds=True)
        self.plot.scene().sigMouseClicked.connect(self._on_click)
        self.layout().addWidget(self.plot)

    def _on_click(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._values:
            return
        box = self.plot.getPlotItem().getViewBox()
        at = box.mapSceneToView(event.scenePos()).x()
        reach = box.viewPixelSize()[0] * 8
        near = [i for each in self._values for i in peaks(each) if abs(i - at) <= reach]
        n_slices = max(len(each) for each in self._values)
        index = min(near, key=lambda i: abs(i - at)) if near else round(at)
        self.slice_chosen.emit(min(max(index, 0), n_slices - 1))

    def _paint(self) -> None:
        if self._look is None or self.plot is None:
            return
        import pyqtgraph

        paint_ground(self.plot, self._look)
        self._marker.setPen(pyqtgraph.mkPen(self._look.text, width=1.5))
        for at, colour in enumerate(curve_colours(self._look)):
            self._lines[at].setPen(pyqtgraph.mkPen(colour, width=2))
            self._dots[at].setBrush(pyqtgraph.mkBrush(colour))
            self._dots[at].setPen(pyqtgraph.mkPen(self._look.raised, width=1.5))


def curve_colours(look: Look) -> tuple[str, str]:
    """The colours of the first and the second curve in a theme."""
    first, second = (pair[0 if look.is_dark else 1] for pair in _COLOURS)
    return first, second
