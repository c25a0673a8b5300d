"""The small parts that the panels are made of."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPoint, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPixmap, QResizeEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_dgseg.look import IconKind, Look, Tone, icon


def label(text: str = "", *, tone: Tone = "plain", role: str = "", wrap: bool = True) -> QLabel:
    """A text label whose colour and size come from the dock's style sheet."""
    widget = QLabel(text)
    widget.setTextFormat(Qt.TextFormat.PlainText)
    widget.setWordWrap(wrap)
    widget.setProperty("tone", tone)
    if role:
        widget.setProperty("role", role)
    return widget


def set_tone(widget: QWidget, tone: Tone) -> None:
    """Change a label's or a frame's meaning, and so its colour."""
    name = "wash" if isinstance(widget, QFrame) and not isinstance(widget, QLabel) else "tone"
    if widget.property(name) == tone:
        return
    widget.setProperty(name, tone)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def button(text: str, tip: str, *, primary: bool = False) -> QPushButton:
    """A push button that remembers what it does, for when it is allowed again."""
    widget = QPushButton(text)
    widget.setToolTip(tip)
    widget.setProperty("tip", tip)
    if primary:
        widget.setProperty("role", "primary")
    return widget


def emphasise(widget: QPushButton, primary: bool = True) -> None:
    """Make a button the one that goes on, or one among others."""
    role = "primary" if primary else ""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def allow(widget: QWidget, reason: str = "") -> None:
    """Enable a control, or disable it and say in its tooltip why."""
    widget.setEnabled(not reason)
    widget.setToolTip(reason or widget.property("tip") or "")


def row(*items: QWidget | int, spacing: int = 6, shares: Sequence[int] = ()) -> QHBoxLayout:
    """A horizontal layout; a number is a stretch of that weight.

    `shares` are the weights of all items, by which they divide the width.
    """
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for item in items:
        if isinstance(item, int):
            layout.addStretch(item)
        else:
            layout.addWidget(item)
    for index, share in enumerate(shares):
        layout.setStretch(index, share)
    return layout


def column(parent: QWidget | None = None, *, spacing: int = 6) -> QVBoxLayout:
    """A vertical layout without margins."""
    layout = QVBoxLayout() if parent is None else QVBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    return layout


class ElidedLabel(QLabel):
    """One line of text that ends in an ellipsis where it does not fit."""

    def __init__(
        self,
        text: str = "",
        *,
        tone: Tone = "plain",
        role: str = "",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__()
        self._mode = mode
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("tone", tone)
        if role:
            self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show `text`; where it is cut, the tooltip has it whole."""
        self._whole = text
        self._fit()

    def text(self) -> str:
        """The whole text, cut or not."""
        return self._whole

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the text anew."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        shown = self.fontMetrics().elidedText(self._whole, self._mode, max(self.width(), 0))
        super().setText(shown)
        self.setToolTip(self._whole if shown != self._whole else "")


class Notice(QFrame):
    """A sentence on a tinted ground, for what a person must not overlook."""

    def __init__(self, *, action: str = "") -> None:
        super().__init__()
        self.setVisible(False)
        self._text = label()
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 5, 5, 5)
        layout.setSpacing(6)
        layout.addWidget(self._text, 1)
        self.action = QToolButton()
        self.action.setText(action)
        self.action.setVisible(bool(action))
        layout.addWidget(self.action, 0, Qt.AlignmentFlag.AlignTop)

    def say(self, text: str, tone: Tone = "caution") -> None:
        """Show a sentence; an empty one hides the notice."""
        # Before the style sheet has reached it, a label measures another font.
        self._text.ensurePolished()
        self.action.ensurePolished()
        self._text.setText(text)
        set_tone(self, tone)
        self.setVisible(bool(text))

    @property
    def text(self) -> str:
        """What is said."""
        return self._text.text()


class FlowLayout(QLayout):
    """Lays widgets in lines, as words in a paragraph."""

    def __init__(self, parent: QWidget | None = None, spacing: int = 4) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(spacing)

    def addItem(self, item: QLayoutItem) -> None:
        """Qt's hook."""
        self._items.append(item)

    def count(self) -> int:
        """Qt's hook."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Qt's hook."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Qt's hook."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        """Qt's hook."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Qt's hook."""
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        """Qt's hook."""
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        """Qt's hook."""
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        return size

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        x, y, line = rect.x(), rect.y(), 0
        for item in self._items:
            size = item.sizeHint()
            if x > rect.x() and x + size.width() > rect.right() + 1:
                x, y, line = rect.x(), y + line + self.spacing(), 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), size))
            x, line = x + size.width() + self.spacing(), max(line, size.height())
        return y + line - rect.y()


def swatch(color: str, size: int = 12) -> QPixmap:
    """A small square of a label's colour."""
    pixmap = QPixmap(size * 2, size * 2)
    pixmap.setDevicePixelRatio(2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(color))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawRoundedRect(QRectF(0, 0, size, size), 2, 2)
    painter.end()
    return pixmap


def swatch_label(color: str, text: str, size: int = 9) -> QWidget:
    """An entry of a legend: a square of a colour, and what it stands for."""
    patch = QLabel()
    patch.setPixmap(swatch(color, size))
    entry = QWidget()
    entry.setLayout(row(patch, label(text, role="small", wrap=False), spacing=4))
    return entry


class StatusLine(QWidget):
    """An icon and a short sentence."""

    def __init__(self) -> None:
        super().__init__()
        self._icon = QLabel()
        self._icon.setFixedWidth(16)
        self._text = label(role="small")
        self._now: tuple[str, Tone, IconKind] = ("", "muted", "dot")
        self._look: Look | None = None
        self.setLayout(row(self._icon, self._text, spacing=4))
        self.layout().setStretch(1, 1)

    def say(self, text: str, tone: Tone, kind: IconKind) -> None:
        """Show a sentence."""
        self._text.ensurePolished()
        self._now = (text, tone, kind)
        self._text.setText(text)
        set_tone(self._text, tone)
        self._draw()

    @property
    def text(self) -> str:
        """What is said."""
        return self._now[0]

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self._draw()

    def _draw(self) -> None:
        if self._look is not None:
            _, tone, kind = self._now
            self._icon.setPixmap(icon(kind, self._look.tone(tone)).pixmap(14, 14))


def clear(layout: QLayout) -> None:
    """Remove and delete all widgets of a layout."""
    while layout.count():
        widget = layout.takeAt(0).widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
