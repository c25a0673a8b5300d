"""The numbered steps of the dock: header, reason why it waits, panel."""

from __future__ import annotations

import re
from typing import Literal

from qtpy.QtCore import QPoint, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QAbstractButton, QWidget

from napari_dgseg.look import Look, blend, draw_icon
from napari_dgseg.widgets import column, label

StepState = Literal["waiting", "ready", "done"]


class StepHeader(QAbstractButton):
    """Number, title and one line of summary of a step; a click folds or unfolds it."""

    HEIGHT = 34

    def __init__(self, number: int, title: str) -> None:
        super().__init__()
        self._number = number
        self._look: Look | None = None
        self.state: StepState = "waiting"
        self.summary = ""
        self.setText(title)
        self.setCheckable(True)
        self.setFixedHeight(self.HEIGHT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(f"Step {number}: {title}")

    def show_state(self, state: StepState, summary: str) -> None:
        """Set what the badge and the summary say."""
        self.state, self.summary = state, summary
        self.setToolTip(summary)
        self.setAccessibleDescription(summary)
        self.update()

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self.update()

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(200, self.HEIGHT)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Qt's hook."""
        if self._look is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look = self._look
        ground = look.control if self.underMouse() else look.raised
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(self.rect()), 3, 3)
        if self.hasFocus():
            painter.setPen(QPen(look.tone("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        self._paint_badge(painter, look)
        self._paint_text(painter, look)
        self._paint_arrow(painter, look)

    def _paint_badge(self, painter: QPainter, look: Look) -> None:
        box = QRectF(8, self.HEIGHT / 2 - 10, 20, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        if self.state == "done":
            painter.setBrush(blend(look.raised, look.tone("good"), 0.28))
            painter.drawEllipse(box)
            draw_icon(painter, "check", box.adjusted(3, 3, -3, -3), look.tone("good"))
            return
        ready = self.state == "ready"
        painter.setBrush(look.fill if ready else look.control)
        painter.drawEllipse(box)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(look.on_fill if ready else look.tone("muted"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(self._number))

    def _paint_text(self, painter: QPainter, look: Look) -> None:
        font = self.font()
        font.setPointSizeF(10)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(look.text if self.state != "waiting" else look.tone("muted"))
        title_width = painter.fontMetrics().horizontalAdvance(self.text())
        painter.drawText(
            QRect(36, 0, title_width + 4, self.HEIGHT),
            Qt.AlignmentFlag.AlignVCenter,
            self.text(),
        )
        font.setPointSizeF(8.5)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(look.tone("muted"))
        left = 36 + title_width + 12
        space = QRect(left, 1, self.width() - left - 26, self.HEIGHT)
        text = painter.fontMetrics().elidedText(
            self.summary, Qt.TextElideMode.ElideRight, space.width()
        )
        aligned = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(space, aligned, text)

    def _paint_arrow(self, painter: QPainter, look: Look) -> None:
        painter.setPen(QPen(look.tone("muted"), 1.5))
        x, y = self.width() - 14, self.HEIGHT // 2
        if self.isChecked():
            points = [QPoint(x - 4, y - 2), QPoint(x, y + 2), QPoint(x + 4, y - 2)]
        else:
            points = [QPoint(x - 2, y - 4), QPoint(x + 2, y), QPoint(x - 2, y + 4)]
        painter.drawPolyline(points)


class Step(QWidget):
    """One of the numbered steps: a header, the reason why it waits, and a panel."""

    toggled = Signal(bool)

    def __init__(self, number: int, title: str, panel: QWidget) -> None:
        super().__init__()
        self.header = StepHeader(number, title)
        self.reason = label(tone="muted")
        self.panel = panel
        self._body = QWidget()
        body = column(self._body, spacing=6)
        body.setContentsMargins(8, 6, 8, 8)
        body.addWidget(self.reason)
        body.addWidget(panel)
        layout = column(self, spacing=0)
        layout.addWidget(self.header)
        layout.addWidget(self._body)
        self.header.toggled.connect(self._show_body)
        self._show_body(False)

    def show_state(
        self,
        state: StepState,
        summary: str = "",
        *,
        reason: str = "",
        keep_panel: bool = False,
    ) -> None:
        """Say how far the step is; a `reason` says why it cannot be done yet.

        The panel is then hidden, unless it holds something that can be done all the
        same (`keep_panel`).
        """
        # The header has room for the beginning of a reason; all of it is below.
        self.header.show_state(state, re.split("[:,.]", reason)[0] or summary)
        self.header.setToolTip(reason or summary)
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        self.panel.setVisible(keep_panel or not reason)

    @property
    def is_open(self) -> bool:
        """Whether the panel is unfolded."""
        return self.header.isChecked()

    def unfold(self, is_open: bool = True) -> None:
        """Open or fold the step."""
        self.header.setChecked(is_open)

    def _show_body(self, is_open: bool) -> None:
        self._body.setVisible(is_open)
        self.toggled.emit(is_open)
