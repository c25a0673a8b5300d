"""What colours and symbols of the appearance map mean, and what the mouse points at."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPoint, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QPen, QPixmap
from qtpy.QtWidgets import QFrame, QLabel, QWidget

from napari_dgseg.inspector.pictures import grey, pixmap
from napari_dgseg.inspector.points import Colours, Entry, scale_colours
from napari_dgseg.look import Look
from napari_dgseg.widgets import FlowLayout, clear, column, label, row

_MOST = 8
"""Groups that the legend names; the mouse names the others."""

_MARGIN = 6
_AWAY = 14
"""Pixels from a point to the card beside it."""


class Legend(QWidget):
    """Groups by name, or the ends of a scale."""

    def __init__(self) -> None:
        super().__init__()
        self._flow = FlowLayout(spacing=10)
        self.bar = ScaleBar()
        layout = column(self, spacing=2)
        layout.addLayout(self._flow)
        layout.addWidget(self.bar)

    @property
    def texts(self) -> list[str]:
        """What is written."""
        if self.bar.isVisibleTo(self):
            return list(self.bar.ends)
        entries = (self._flow.itemAt(at).widget() for at in range(self._flow.count()))
        return [entry.findChildren(QLabel)[-1].text() for entry in entries]

    def show_colours(self, colours: Colours, what: str, look: Look) -> None:
        """Say what the colours mean; `what` is the name of the scale."""
        clear(self._flow)
        self.bar.setVisible(colours.scale is not None)
        if colours.scale is not None:
            self.bar.show_scale(*colours.scale, what, look)
            return
        for entry in colours.entries[:_MOST]:
            self._add(entry.text, symbol_pixmap(entry))
        more = len(colours.entries) - _MOST
        if more > 0:
            self._add(f"and {more} more: point at one", None)

    def _add(self, text: str, picture: QPixmap | None) -> None:
        words = label(text, role="small", tone="plain" if picture else "muted", wrap=False)
        patch = QLabel()
        if picture is not None:
            patch.setPixmap(picture)
        entry = QWidget()
        entry.setLayout(row(patch, words, spacing=4) if picture else row(words))
        self._flow.addWidget(entry)


class ScaleBar(QWidget):
    """The colours of a scale, with the values at its ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = ("", "")
        self._what = ""
        self._look: Look | None = None
        self.setFixedHeight(28)
        self.setVisible(False)

    def show_scale(self, low: float, high: float, what: str, look: Look) -> None:
        """Say what the ends are."""
        self.ends = (f"{low:.2g}", f"{high:.2g}")
        self._what, self._look = what, look
        self.setAccessibleName(f"{what}: {self.ends[0]} to {self.ends[1]}")
        self.update()

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(200, 28)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Qt's hook."""
        if self._look is None:
            return
        painter = QPainter(self)
        steps = scale_colours(self._look.is_dark)
        gradient = QLinearGradient(0, 0, self.width(), 0)
        for at, colour in enumerate(steps):
            gradient.setColorAt(at / (len(steps) - 1), QColor(colour))
        painter.fillRect(QRectF(0, 0, self.width(), 9), gradient)
        font = self.font()
        font.setPointSizeF(8)
        painter.setFont(font)
        painter.setPen(self._look.tone("muted"))
        below = self.rect().adjusted(0, 11, 0, 0)
        sides = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight)
        for text, side in zip(self.ends, sides, strict=True):
            painter.drawText(below, side, text)
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self._what)


def symbol_pixmap(entry: Entry, size: int = 11) -> QPixmap:
    """A symbol as it is drawn on the map."""
    from pyqtgraph.functions import mkBrush, mkPen
    from pyqtgraph.graphicsItems.ScatterPlotItem import drawSymbol

    picture = QPixmap(size * 2, size * 2)
    picture.setDevicePixelRatio(2)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(size / 2, size / 2)
    drawSymbol(painter, entry.symbol, size - 2, mkPen(None), mkBrush(entry.colour))
    painter.end()
    return picture


class HoverCard(QFrame):
    """A slice's thumbnail with what is known of it, beside the mouse."""

    SIDE = 96

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._ground, self._rim = QColor(), QColor()
        self._picture = QLabel()
        self._picture.setFixedSize(self.SIDE, self.SIDE)
        self._lines = [label(role="strong", wrap=False), label(wrap=False), label(wrap=False)]
        layout = column(self, spacing=1)
        layout.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        layout.addWidget(self._picture)
        for line in self._lines:
            layout.addWidget(line)
        self.hide()

    @property
    def texts(self) -> list[str]:
        """What is written."""
        return [line.text() for line in self._lines if line.text()]

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._ground, self._rim = look.background, look.control

    def show_slice(self, thumbnail: np.ndarray, texts: list[str], at: QPoint) -> None:
        """Show a slice beside a place of the parent, within the parent."""
        scaled = pixmap(grey(thumbnail)).scaled(
            self.SIDE,
            self.SIDE,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        self._picture.setPixmap(scaled)
        # So narrow that it fits beside any place of the parent.
        room = max(self.parentWidget().width() // 2 - _AWAY - 2 * _MARGIN - 2, self.SIDE)
        for line, text in zip(self._lines, [*texts, "", "", ""], strict=False):
            line.ensurePolished()
            fitting = line.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, room)
            line.setText(fitting)
            line.setVisible(bool(text))
        self.adjustSize()
        self.move(self._place(at))
        self.raise_()
        self.show()

    def _place(self, at: QPoint) -> QPoint:
        parent = self.parentWidget()
        x = at.x() + _AWAY
        if x + self.width() > parent.width():
            x = at.x() - _AWAY - self.width()
        y = min(max(at.y() - self.height() // 2, 2), parent.height() - self.height() - 2)
        return QPoint(max(x, 2), max(y, 2))

    def paintEvent(self, _: QPaintEvent) -> None:
        """Qt's hook."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._rim, 1))
        painter.setBrush(self._ground)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
