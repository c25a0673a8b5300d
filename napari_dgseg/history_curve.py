"""What each adaptation of a site brought: held-out Dice against the corrected slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QWidget

from dgseg.site.records import HistoryEntry
from napari_dgseg.curves import paint_ground, quiet_plot
from napari_dgseg.look import Look, Tone
from napari_dgseg.widgets import FlowLayout, clear, column, label, row

_HEIGHT = 160

_MARGIN = 0.02
"""Dice that is left free above and below the points."""

_SERIES: tuple[tuple[str, str, Tone], ...] = (
    ("old model", "○", "muted"),
    ("new, accepted", "●", "accent"),
    ("new, refused", "✕", "caution"),
)


@dataclass(frozen=True)
class Adaptation:
    """One adaptation of a site that was judged.

    Attributes
    ----------
    at : int
        Its place in the history.
    n_corrected : int
        Corrected slices when it began.
    before, after : float
        Mean Dice of the old and of the new model on the slices that judged.
    accepted : bool
    """

    at: int
    n_corrected: int
    before: float
    after: float
    accepted: bool

    @property
    def words(self) -> str:
        """What it brought, in words."""
        n = self.n_corrected
        slices = f"{n} corrected slice{'' if n == 1 else 's'}"
        decision = "accepted" if self.accepted else "refused"
        return f"{slices}: Dice {self.before:.3f} to {self.after:.3f}, {decision}"


def adaptations_of(history: Sequence[HistoryEntry]) -> tuple[list[Adaptation], int]:
    """The adaptations of a site that can be drawn, and how many cannot.

    Parameters
    ----------
    history : sequence of HistoryEntry
        Oldest first.

    Returns
    -------
    adaptations : list of Adaptation
        By corrected slices, then by time.
    n_left_out : int
        Those with nothing to judge by, or of a version that did not note how many
        slices were corrected.
    """
    found, n_left_out = [], 0
    for at, entry in enumerate(history):
        if entry.action not in ("accepted", "refused"):
            continue
        if entry.n_corrected is None or entry.dice is None:
            n_left_out += 1
            continue
        accepted = entry.action == "accepted"
        found.append(Adaptation(at, entry.n_corrected, *entry.dice, accepted))
    return sorted(found, key=lambda each: (each.n_corrected, each.at)), n_left_out


class HistoryCurve(QWidget):
    """A pair of points for each adaptation; a click or the arrow keys choose one."""

    chosen = Signal(int)
    """An adaptation was chosen: its place in the history."""

    def __init__(self) -> None:
        super().__init__()
        self.plot: Any = None
        self._points: Any = None
        self._look: Look | None = None
        self._shown: list[Adaptation] = []
        self._chosen = -1
        self._empty = label(
            "With the first adaptation that corrected slices could judge, a curve shows "
            "here what more corrections bring.",
            tone="muted",
            role="small",
        )
        self._caption = label(tone="muted", role="small")
        self._legend = FlowLayout(spacing=10)
        layout = column(self, spacing=2)
        layout.addWidget(self._empty)
        layout.addLayout(self._legend)
        layout.addWidget(self._caption)
        self.setAccessibleName("Dice against corrected slices, by adaptation")

    @property
    def shown(self) -> list[Adaptation]:
        """The adaptations that are drawn, from left to right."""
        return self._shown

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self._draw()

    def show_history(self, history: Sequence[HistoryEntry]) -> None:
        """Draw the adaptations of a site."""
        shown, n_left_out = adaptations_of(history)
        self._empty.setVisible(not shown)
        self._caption.setText(_caption(len(shown), n_left_out))
        self._caption.setVisible(bool(self._caption.text()))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if shown else Qt.FocusPolicy.NoFocus)
        if shown == self._shown:
            return
        self._shown = shown
        if shown and self.plot is None:
            self._make_plot()
        self._draw()

    def choose(self, at: int) -> None:
        """Mark an adaptation by its place in the history, or with -1 none."""
        if at != self._chosen:
            self._chosen = at
            self._draw()

    def position(self, at: int) -> tuple[float, float]:
        """Where the new model's point of an adaptation is: corrected slices and Dice."""
        found = next(each for each in self._shown if each.at == at)
        return float(found.n_corrected), found.after

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from adaptation to adaptation with the arrow keys."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key(), 0)
        if not step or not self._shown:
            super().keyPressEvent(event)
            return
        places = [each.at for each in self._shown]
        last = len(places) - 1
        now = (
            places.index(self._chosen)
            if self._chosen in places
            else -1
            if step > 0
            else last + 1
        )
        self.chosen.emit(places[min(max(now + step, 0), last)])

    def minimumSizeHint(self) -> QSize:
        """Narrow: the plot adapts to any width."""
        return QSize(120, super().minimumSizeHint().height())

    # --- drawing ------------------------------------------------------------------

    def _make_plot(self) -> None:
        import pyqtgraph

        self.plot = quiet_plot("Dice against corrected slices", _HEIGHT)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keys are this widget's
        item = self.plot.getPlotItem()
        item.setLabel("bottom", "corrected slices")
        item.setLabel("left", "Dice")
        for side in ("left", "bottom"):  # 0.7 is 0.7, not 700 thousandths
            item.getAxis(side).enableAutoSIPrefix(False)
        item.getAxis("bottom").setHeight(40)
        item.showGrid(x=False, y=True, alpha=0.15)
        self._points = pyqtgraph.ScatterPlotItem(hoverable=True, tip=_tip)
        self._points.sigClicked.connect(self._on_clicked)
        self.layout().insertWidget(0, self.plot)

    def _on_clicked(self, _item: object, points: Sequence[Any], _event: object) -> None:
        if len(points):
            self.chosen.emit(points[0].data().at)

    def _draw(self) -> None:
        if self.plot is None or self._look is None:
            return
        self.plot.setVisible(bool(self._shown))
        paint_ground(self.plot, self._look)
        item = self.plot.getPlotItem()
        item.clear()
        self._draw_lines(item)
        self._points.setData([point for each in self._shown for point in self._pair(each)])
        item.addItem(self._points)
        self._set_range(item)
        self._draw_legend()

    def _draw_lines(self, item: Any) -> None:
        """From pair to pair, and within each pair."""
        import pyqtgraph

        look = self._look
        n = [each.n_corrected for each in self._shown]
        dashed = pyqtgraph.mkPen(look.tone("muted"), width=1, style=Qt.PenStyle.DashLine)
        item.plot(n, [each.before for each in self._shown], pen=dashed)
        accepted = [each for each in self._shown if each.accepted]
        pen = pyqtgraph.mkPen(look.tone("accent"), width=2)
        item.plot([each.n_corrected for each in accepted], [e.after for e in accepted], pen=pen)
        for each in self._shown:
            tone = look.tone("good" if each.after >= each.before else "bad")
            stem = pyqtgraph.mkPen(tone, width=2)
            item.plot([each.n_corrected] * 2, [each.before, each.after], pen=stem)

    def _pair(self, each: Adaptation) -> list[dict[str, Any]]:
        """The two points of an adaptation; those of the chosen one are larger."""
        import pyqtgraph

        look = self._look
        size = 14 if each.at == self._chosen else 9
        tone = look.tone("accent" if each.accepted else "caution")
        old = {
            "pos": (each.n_corrected, each.before),
            "symbol": "o",
            "brush": pyqtgraph.mkBrush(look.raised),
            "pen": pyqtgraph.mkPen(look.tone("muted"), width=1.5),
        }
        new = {
            "pos": (each.n_corrected, each.after),
            "symbol": "o" if each.accepted else "x",
            "brush": pyqtgraph.mkBrush(tone),
            "pen": pyqtgraph.mkPen(look.text if each.at == self._chosen else tone, width=1),
        }
        return [{**point, "size": size, "data": each} for point in (old, new)]

    def _set_range(self, item: Any) -> None:
        if not self._shown:
            return
        dice = [value for each in self._shown for value in (each.before, each.after)]
        n = [each.n_corrected for each in self._shown]
        item.setYRange(min(dice) - _MARGIN, min(max(dice) + _MARGIN, 1.0), padding=0.06)
        item.setXRange(min(n) - 0.5, max(n) + 0.5, padding=0.04)
        ticks = [(each, str(each)) for each in sorted(set(n))]
        item.getAxis("bottom").setTicks([ticks])

    def _draw_legend(self) -> None:
        clear(self._legend)
        for name, symbol, tone in _SERIES if self._shown else ():
            entry = QWidget()
            mark = label(symbol, tone=tone, role="strong", wrap=False)
            entry.setLayout(row(mark, label(name, role="small", wrap=False), spacing=4))
            self._legend.addWidget(entry)


def _caption(n_shown: int, n_left_out: int) -> str:
    """What the curve does not show by itself."""
    words = []
    if n_shown:
        words.append("Each pair was judged on corrected slices of its own.")
    if n_left_out:
        are = "1 adaptation is" if n_left_out == 1 else f"{n_left_out} adaptations are"
        words.append(
            f"{are} not drawn: nothing could judge, or an older version did not note how "
            "many slices were corrected."
        )
    return " ".join(words)


def _tip(x: float, y: float, data: Adaptation) -> str:  # noqa: ARG001 - by these names
    """The tooltip of a point, as pyqtgraph asks for it."""
    return data.words
