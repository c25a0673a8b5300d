"""The curves of a running adaptation, drawn by pyqtgraph, which is imported with the first."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_dgseg.adapting import Curves
from napari_dgseg.look import Look
from napari_dgseg.widgets import FlowLayout, clear, label, swatch_label

HEIGHT = 124

_COLOURS = {
    "loss": ("#7c9cff", "#2f55c8"),
    "supervised": ("#f0a35e", "#b35b00"),
    "consistency": ("#4cc38a", "#14703f"),
}
_OTHER = (("#d58cff", "#7a2fb8"), ("#ff8fa3", "#b0304a"), ("#7fd6e8", "#0b6b7d"))


def quiet_plot(name: str, height: int = HEIGHT) -> Any:
    """A plot of pyqtgraph's that neither zooms nor offers menus.

    Parameters
    ----------
    name : str
        What it shows, for those who cannot see it.
    height : int
        Pixels.
    """
    import pyqtgraph

    plot = pyqtgraph.PlotWidget()
    plot.setFixedHeight(height)
    plot.setMenuEnabled(False)
    plot.setMouseEnabled(x=False, y=False)
    plot.hideButtons()
    plot.setAccessibleName(name)
    return plot


def paint_ground(plot: Any, look: Look) -> None:
    """Give a plot's ground and axes the colours of a theme."""
    plot.setBackground(look.raised)
    for side in ("left", "bottom"):
        axis = plot.getPlotItem().getAxis(side)
        axis.setPen(look.tone("muted"))
        axis.setTextPen(look.tone("muted"))


class CurvesView(QWidget):
    """Loss terms over steps, on a logarithmic axis where they span decades."""

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._plot: Any = None
        self._lines: dict[str, Any] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._legend = FlowLayout(spacing=10)
        self._waiting = label("The curves appear with the first steps.", tone="muted")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._waiting.setFixedHeight(HEIGHT)
        self._layout.addWidget(self._waiting)
        self._layout.addLayout(self._legend)

    @property
    def names(self) -> list[str]:
        """The loss terms that are drawn."""
        return list(self._lines)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self._paint()

    def show_curves(self, curves: Curves) -> None:
        """Draw the curves as they are now."""
        if not curves.steps:
            self._reset()
            return
        if self._plot is None:
            self._make_plot()
        if set(curves.steps) != set(self._lines):
            self._make_lines(list(curves.steps))
        for name, line in self._lines.items():
            values = np.array(curves.values[name])
            # The axis is logarithmic: a term that is nothing yet leaves a gap.
            line.setData(curves.steps[name], np.where(values > 0, values, np.nan))

    def _reset(self) -> None:
        if self._lines:
            self._make_lines([])
        if self._plot is not None:
            self._plot.hide()
        self._waiting.show()

    def _make_plot(self) -> None:
        self._plot = quiet_plot("Loss curves")
        self._plot.getPlotItem().setLogMode(x=False, y=True)
        self._layout.insertWidget(0, self._plot)

    def _make_lines(self, names: list[str]) -> None:
        item = self._plot.getPlotItem()
        for line in self._lines.values():
            item.removeItem(line)
        self._lines = {name: item.plot([], [], connect="finite") for name in names}
        self._plot.setVisible(bool(names))
        self._waiting.setVisible(not names)
        self._paint()

    def _colour(self, name: str, at: int) -> str:
        on_dark, on_light = _COLOURS.get(name) or _OTHER[at % len(_OTHER)]
        return on_dark if self._look is None or self._look.is_dark else on_light

    def _paint(self) -> None:
        if self._look is None or self._plot is None:
            return
        import pyqtgraph

        paint_ground(self._plot, self._look)
        clear(self._legend)
        for at, (name, line) in enumerate(self._lines.items()):
            color = self._colour(name, at)
            line.setPen(pyqtgraph.mkPen(color, width=2))
            self._legend.addWidget(swatch_label(color, name))
