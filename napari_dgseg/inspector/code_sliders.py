"""Sliders for the dimensions of a code, in deviations of what the model has seen."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QPointF, QSize, Qt, Signal
from qtpy.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from qtpy.QtWidgets import QAbstractSlider, QPushButton, QSizePolicy, QWidget

from napari_dgseg.look import Look, blend
from napari_dgseg.widgets import label, row

REACH = 3.0
"""Deviations to either side."""

_STEPS = 100
"""Of the slider for a deviation."""

_MARGIN = 9
_HEIGHT = 24


class CodeSlider(QAbstractSlider):
    """Three deviations to either side, with a mark where the slice itself lies.

    The mouse takes the handle wherever it is pressed; a double click and Delete go back
    to the mark. The wheel moves it only while it has the focus, for it sits among things
    that scroll.
    """

    back = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._own = 0.0
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setRange(round(-REACH * _STEPS), round(REACH * _STEPS))
        self.setSingleStep(_STEPS // 10)
        self.setPageStep(_STEPS)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(_HEIGHT)
        self.setMinimumWidth(90)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Drag, or use the arrow keys. A double click goes back to the slice.")

    @property
    def deviations(self) -> float:
        """Where the handle is."""
        return self.value() / _STEPS

    def go(self, deviations: float) -> None:
        """Move the handle."""
        self.setValue(round(deviations * _STEPS))

    def put(self, deviations: float) -> None:
        """Move the handle, without a word of it."""
        self.blockSignals(True)
        self.go(deviations)
        self.blockSignals(False)
        self.update()

    def mark(self, deviations: float) -> None:
        """Say where the slice itself lies."""
        self._own = deviations
        self.update()

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self.update()

    def place(self, deviations: float) -> int:
        """The pixel at which a value is drawn; at an end for those beyond."""
        share = (min(max(deviations, -REACH), REACH) + REACH) / (2 * REACH)
        return round(_MARGIN + share * (self.width() - 2 * _MARGIN))

    # --- Qt's hooks ---------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(200, _HEIGHT)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's hook."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._follow(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's hook."""
        if self.isSliderDown():
            self._follow(event)

    def mouseReleaseEvent(self, _: QMouseEvent) -> None:
        """Qt's hook."""
        self.setSliderDown(False)

    def mouseDoubleClickEvent(self, _: QMouseEvent) -> None:
        """Qt's hook."""
        self.back.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's hook."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.back.emit()
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Qt's hook."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def sliderChange(self, change: QAbstractSlider.SliderChange) -> None:
        """Qt's hook."""
        super().sliderChange(change)
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Qt's hook."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Qt's hook."""
        super().focusOutEvent(event)
        self.update()

    def _follow(self, event: QMouseEvent) -> None:
        room = max(self.width() - 2 * _MARGIN, 1)
        share = (event.position().x() - _MARGIN) / room
        self.setValue(round((2 * share - 1) * REACH * _STEPS))

    def paintEvent(self, _: QPaintEvent) -> None:
        """Qt's hook."""
        if self._look is None:
            return
        look, middle = self._look, _HEIGHT / 2
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        faint = blend(look.background, look.text, 0.28)
        painter.setPen(QPen(faint, 1))
        for at in range(-int(REACH), int(REACH) + 1):
            half = 5 if at == 0 else 3
            x = self.place(at) + 0.5
            painter.drawLine(QPointF(x, middle - half), QPointF(x, middle + half))
        painter.setPen(QPen(faint, 2))
        painter.drawLine(
            QPointF(self.place(-REACH), middle), QPointF(self.place(REACH), middle)
        )
        accent = look.tone("accent")
        own, here = self.place(self._own), self.place(self.deviations)
        if self.isEnabled() and own != here:
            painter.setPen(QPen(accent, 3))
            painter.drawLine(QPointF(own, middle), QPointF(here, middle))
        self._paint_mark(painter, own)
        painter.setPen(QPen(accent if self.hasFocus() else look.background, 2))
        painter.setBrush(look.text)
        painter.drawEllipse(QPointF(here, middle), 6, 6)

    def _paint_mark(self, painter: QPainter, x: int) -> None:
        """A wedge from below at the slice's own value; sideways where that lies beyond."""
        if self._look is None:
            return
        y = _HEIGHT - 1.0
        corners = [QPointF(x, y - 6), QPointF(x - 4, y), QPointF(x + 4, y)]
        if abs(self._own) > REACH:
            out = 1 if self._own > 0 else -1
            corners = [QPointF(x + out * 8, y - 3), QPointF(x, y - 7), QPointF(x, y + 1)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._look.tone("accent"))
        painter.drawPolygon(corners)


class CodeRow(QWidget):
    """A dimension: its name, by which it is chosen for playing, its slider, its value."""

    moved = Signal(float)
    """The handle is at so many deviations now."""
    back = Signal()
    chosen = Signal()

    def __init__(self, code: str, dimension: int) -> None:
        super().__init__()
        self.code, self.dimension = code, dimension
        self.title = f"{code[0]} {dimension + 1}"
        self.name = QPushButton(self.title)
        self.name.setCheckable(True)
        self.name.setProperty("role", "chip")
        self.name.setFixedWidth(36)
        self.name.setToolTip("Choose this dimension for Play")
        self.slider = CodeSlider()
        self.slider.setAccessibleName(
            f"{'style' if code == 'style' else 'domain'} {self.title}"
        )
        self.value = label(role="small", tone="muted", wrap=False)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setFixedWidth(40)
        self.setLayout(row(self.name, self.slider, self.value, spacing=4, shares=(0, 1, 0)))
        self.slider.valueChanged.connect(self._tell)
        self.slider.back.connect(self.back)
        self.slider.installEventFilter(self)
        self.name.clicked.connect(self.chosen)

    def put(self, deviations: float, own: float) -> None:
        """Show a value, and the slice's own."""
        self.slider.mark(own)
        self.slider.put(deviations)
        self._write(deviations)

    def eventFilter(self, _watched: QWidget, event: QEvent) -> bool:
        """Who takes the handle has chosen the dimension."""
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.MouseButtonPress):
            self.chosen.emit()
        return False

    def _tell(self) -> None:
        self._write(self.slider.deviations)
        self.moved.emit(self.slider.deviations)

    def _write(self, deviations: float) -> None:
        shown = round(deviations, 1) + 0.0  # no minus before nought
        self.value.setText(f"{shown:+.1f} σ".replace("-", "−"))
