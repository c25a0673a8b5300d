"""Which models this site has accepted and refused, what they brought, and the way back."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QFrame, QPushButton, QWidget

from dgseg.bundles.bundle import read_info
from dgseg.errors import DgsegError
from dgseg.site.records import HistoryEntry
from napari_dgseg.adapting import INTERRUPTED, RUNNING, Adapting
from napari_dgseg.history_curve import HistoryCurve
from napari_dgseg.look import Look
from napari_dgseg.session import SiteSession
from napari_dgseg.widgets import ElidedLabel, allow, button, clear, column, label, row, set_tone

_ACTIONS = {
    "initial": "Started with {}",
    "accepted": "Accepted {}",
    "refused": "Refused a new model",
    "rolled-back": "Back to {}",
}


class HistoryLine(QFrame):
    """One decision; a click chooses it."""

    clicked = Signal()

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.is_chosen = False

    def choose(self, chosen: bool) -> None:
        """Mark the line, or take the mark off."""
        self.is_chosen = chosen
        set_tone(self, "accent" if chosen else "plain")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's hook."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()
        super().mousePressEvent(event)


class HistoryPanel(QWidget):
    """A part that unfolds: the curve of what adaptations brought, and a list below it.

    The list is newest first, and each earlier model has a way back to it.
    """

    def __init__(self, session: SiteSession, adapting: Adapting) -> None:
        super().__init__()
        self._session, self._adapting = session, adapting
        self._entries: list[HistoryEntry] = []
        self._chosen = -1
        self.toggle = QPushButton()
        self.toggle.setCheckable(True)
        self.toggle.setProperty("role", "fold")
        self.curve = HistoryCurve()
        self._list = QWidget()
        self._lines = column(self._list, spacing=2)
        self._list.hide()
        self.curve.hide()
        layout = column(self, spacing=4)
        layout.addLayout(row(self.toggle, 1))
        layout.addWidget(self.curve)
        layout.addWidget(self._list)
        self.toggle.toggled.connect(self.refresh)
        self.curve.chosen.connect(self.choose)
        session.workspace_changed.connect(self.refresh)
        self.refresh()

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.curve.wear(look)

    @property
    def lines(self) -> list[HistoryLine]:
        """The lines of the list, newest first."""
        return [self._lines.itemAt(at).widget() for at in range(self._lines.count())]

    def choose(self, at: int) -> None:
        """Mark a decision, by its place in the history, in the curve and in the list."""
        self._chosen = at
        self.curve.choose(at)
        for line in self.lines:
            line.choose(line.at == at)
            if line.at == at:
                self._bring_up(line)

    def refresh(self, *_: object) -> None:
        """Show the history as it is now."""
        workspace = self._session.workspace
        entries = [] if workspace is None else workspace.history
        if entries != self._entries:
            self._entries, self._chosen = entries, -1
        is_open = self.toggle.isChecked()
        n_models = len({entry.bundle_id for entry in entries})
        self.toggle.setText(f"{'▾' if is_open else '▸'} Models of this site ({n_models})")
        self.setVisible(bool(entries))
        self._list.setVisible(is_open)
        self.curve.setVisible(is_open)
        clear(self._lines)
        if is_open and workspace is not None:
            self.curve.show_history(entries)
            self.curve.choose(self._chosen)
            self._make_lines(workspace.accepted.name)

    def _make_lines(self, accepted_id: str) -> None:
        seen: set[str] = set()
        for at in reversed(range(len(self._entries))):
            entry = self._entries[at]
            is_new = entry.action != "refused" and entry.bundle_id not in seen
            if is_new:
                seen.add(entry.bundle_id)
            is_now = is_new and entry.bundle_id == accepted_id
            line = self._line(at, entry, is_now=is_now, offered=is_new and not is_now)
            line.choose(at == self._chosen)
            self._lines.addWidget(line)

    def _line(
        self, at: int, entry: HistoryEntry, *, is_now: bool, offered: bool
    ) -> HistoryLine:
        line = HistoryLine(at)
        words = _ACTIONS[entry.action].format(self._name(entry.bundle_id))
        head = ElidedLabel(words, tone="muted" if entry.action == "refused" else "plain")
        when = label(_local(entry.time), tone="muted", role="small", wrap=False)
        first = row(head, when)
        first.setStretch(0, 1)
        if is_now:
            first.addWidget(label("in use", tone="good", wrap=False))
        elif offered:
            back = button("Roll back", "Segment with this model again")
            allow(back, self._why_not_back())
            back.clicked.connect(partial(self._adapting.roll_back, entry.bundle_id))
            first.addWidget(back)
        layout = column(line, spacing=0)
        layout.setContentsMargins(6, 2, 4, 2)
        layout.addLayout(first)
        brought = _brought(entry)
        if brought:
            layout.addWidget(ElidedLabel(brought, tone="muted", role="small"))
        line.setToolTip(entry.note)
        line.clicked.connect(partial(self.choose, at))
        return line

    def _why_not_back(self) -> str:
        """Why one cannot go back to an earlier model; empty where one can."""
        if self._adapting.is_busy or self._adapting.state in RUNNING:
            return "Wait until the adaptation has ended."
        # A verdict is about the model that the candidate comes from: it stays in use.
        if self._adapting.state in INTERRUPTED:
            return "Resume or discard the adaptation first."
        undecided = self._adapting.state == "finished"
        return "Decide on the new model first." if undecided else ""

    def _bring_up(self, line: QWidget) -> None:
        """Scroll until a line is in sight, as far as something scrolls."""
        parent = self.parentWidget()
        while parent is not None and not hasattr(parent, "ensureWidgetVisible"):
            parent = parent.parentWidget()
        if parent is not None:
            parent.ensureWidgetVisible(line)

    def _name(self, bundle_id: str) -> str:
        workspace = self._session.workspace
        if workspace is None:
            return bundle_id
        try:
            return read_info(workspace.accepted.parent / bundle_id).name
        except DgsegError:
            return f"{bundle_id[:6]} (damaged)"


def _brought(entry: HistoryEntry) -> str:
    """What an adaptation brought, on one line; the gate's sentence where that is unknown."""
    n, dice = entry.n_corrected, entry.dice
    parts = [] if n is None else [f"{n} corrected slice{'' if n == 1 else 's'}"]
    if dice is not None:
        parts.append(f"Dice {dice[0]:.3f} → {dice[1]:.3f}")
    return " · ".join(parts) or entry.note


def _local(time: str) -> str:
    return f"{datetime.fromisoformat(time).astimezone():%d %b, %H:%M}"
