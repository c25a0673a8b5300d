"""What a view says while it has nothing to show."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QProgressBar, QSizePolicy, QStackedLayout, QWidget

from napari_dgseg.look import IconKind, Look, Tone, icon
from napari_dgseg.widgets import column, label, set_tone

_ICONS: dict[Tone, IconKind] = {
    "bad": "cross",
    "caution": "warning",
    "accent": "clock",
    "good": "check",
}


class Saying(QWidget):
    """An icon and a sentence in the middle; a bar below it while something is computed."""

    def __init__(self) -> None:
        super().__init__()
        self._look: Look | None = None
        self._tone: Tone = "muted"
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text = label(tone="muted")
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(160)
        layout = column(self, spacing=8)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.addStretch(1)
        layout.addWidget(self._icon)
        layout.addWidget(self._text)
        layout.addWidget(self._bar, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)

    def add(self, widget: QWidget) -> None:
        """Put a widget below the sentence."""
        layout = self.layout()
        layout.insertWidget(layout.count() - 1, widget, 0, Qt.AlignmentFlag.AlignHCenter)

    @property
    def text(self) -> str:
        """What is said."""
        return self._text.text()

    def say(self, text: str, tone: Tone = "muted", *, busy: bool = False) -> None:
        """Say a sentence."""
        self._text.ensurePolished()
        self._tone = tone
        self._text.setText(text)
        set_tone(self._text, "bad" if tone == "bad" else "muted")
        self._bar.setVisible(busy)
        self._draw()

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self._draw()

    def _draw(self) -> None:
        kind = _ICONS.get(self._tone)
        self._icon.setVisible(kind is not None and not self._bar.isVisibleTo(self))
        if kind is not None and self._look is not None:
            self._icon.setPixmap(icon(kind, self._look.tone(self._tone), 22).pixmap(22, 22))


class Stateful(QWidget):
    """A body, or what is said in its place.

    Parameters
    ----------
    body : QWidget
        What is shown where nothing is said.
    empty : str
        What is said at first.
    """

    def __init__(self, body: QWidget, empty: str) -> None:
        super().__init__()
        self.saying = Saying()
        self._body = body
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.saying)
        self._stack.addWidget(body)
        self.say(empty)

    @property
    def text(self) -> str:
        """What is said; empty where the body is shown."""
        return self.saying.text if self._stack.currentWidget() is self.saying else ""

    def say(self, text: str, tone: Tone = "muted", *, busy: bool = False) -> None:
        """Say a sentence in place of the body; an empty one shows the body."""
        if text:
            self.saying.say(text, tone, busy=busy)
        kind = QSizePolicy.Policy.Ignored if text else QSizePolicy.Policy.Preferred
        self._body.setSizePolicy(QSizePolicy.Policy.Preferred, kind)  # unseen, it needs no room
        self._stack.setCurrentWidget(self.saying if text else self._body)

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.saying.wear(look)
