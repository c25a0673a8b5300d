"""Ellipses of domains on a plot of pyqtgraph, each with its name where it parts from others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_dgseg.inspector.points import Outline
from napari_dgseg.look import Look, blend

_SPREAD = 0.1
"""How much the order of outlines counts for the side at which their names are."""


class DrawnOutlines:
    """The items of a plot for outlines; they are made once and moved from then on.

    Parameters
    ----------
    plot : pyqtgraph.PlotWidget
    """

    def __init__(self, plot: Any) -> None:
        self._plot = plot
        self.items: list[tuple[Any, Any]] = []

    def draw(self, outlines: Sequence[Outline], emphasised: str, look: Look) -> None:
        """Draw outlines, the one of a name stronger than the others."""
        import pyqtgraph

        if len(self.items) != len(outlines):
            self._make(len(outlines))
        faint, muted = blend(look.raised, look.text, 0.45), look.tone("muted")
        for at, (outline, (curve, name)) in enumerate(zip(outlines, self.items, strict=True)):
            strong = outline.name == emphasised
            pen = pyqtgraph.mkPen(look.text if strong else faint, width=1 + strong)
            curve.setData(*outline.xy.T, pen=pen)
            name.setText(outline.name, look.text if strong else muted)
            name.fill = pyqtgraph.mkBrush(look.raised)
            away = outwards(outlines, at)
            # The name lies within the outline, so that it stays within the plot.
            name.setAnchor(((1 + away[0]) / 2, (1 - away[1]) / 2))
            name.setPos(*outline.xy[int(((outline.xy - outline.middle) @ away).argmax())])

    def _make(self, n: int) -> None:
        import pyqtgraph

        for item in (item for items in self.items for item in items):
            self._plot.removeItem(item)
        self.items = []
        for _ in range(n):
            curve, name = pyqtgraph.PlotCurveItem(antialias=True), pyqtgraph.TextItem()
            font = name.textItem.font()
            font.setPointSizeF(7.5)
            name.setFont(font)
            for item in (curve, name):
                self._plot.addItem(item, ignoreBounds=True)
            self.items.append((curve, name))


def outwards(outlines: Sequence[Outline], at: int) -> np.ndarray:
    """The direction (2,) away from the other outlines, of length 1.

    Outlines may coincide, so each is drawn a little to a side of its own.
    """
    outline = outlines[at]
    middle = np.mean([each.middle for each in outlines], axis=0)
    radius = np.ptp(outline.xy, axis=0).mean() / 2 or 1.0
    angle = np.pi * (0.5 + 2 * at / len(outlines))
    away = (outline.middle - middle) / radius
    away = away + _SPREAD * np.array([np.cos(angle), np.sin(angle)])
    unit: np.ndarray = away / (np.hypot(*away) or 1.0)
    return unit
