"""Which models this site has accepted, and the way back."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from qtpy.QtWidgets import QPushButton, QWidget

from dgseg.bundles.bundle import read_info
from dgseg.errors import DgsegError
from dgseg.site.records import HistoryEntry
from napari_dgseg.adapting import RUNNING, Adapting
from napari_dgseg.session import SiteSession
from napari_dgseg.widgets import ElidedLabel, allow, button, clear, column, label, row

_ACTIONS = {"initial": "Started with", "accepted": "Accepted", "rolled-back": "Back to"}


class HistoryPanel(QWidget):
    """A list that unfolds: newest first, each earlier model with a way back to it."""

    def __init__(self, session: SiteSession, adapting: Adapting) -> None:
        super().__init__()
        self._session, self._adapting = session, adapting
        self.toggle = QPushButton()
        self.toggle.setCheckable(True)
        self.toggle.setProperty("role", "fold")
        self._list = QWidget()
        self._lines = column(self._list, spacing=4)
        self._list.hide()
        layout = column(self, spacing=4)
        layout.addLayout(row(self.toggle, 1))
        layout.addWidget(self._list)
        self.toggle.toggled.connect(self.refresh)
        session.workspace_changed.connect(self.refresh)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the history as it is now."""
        workspace = self._session.workspace
        entries = [] if workspace is None else workspace.history
        is_open = self.toggle.isChecked()
        self.toggle.setText(f"{'▾' if is_open else '▸'} Models of this site ({len(entries)})")
        self.setVisible(bool(entries))
        self._list.setVisible(is_open)
        clear(self._lines)
        if is_open and workspace is not None:
            seen = {workspace.accepted.name}
            for at, entry in enumerate(reversed(entries)):
                offered = entry.bundle_id not in seen
                seen.add(entry.bundle_id)
                self._lines.addWidget(self._line(entry, is_now=at == 0, offered=offered))

    def _line(self, entry: HistoryEntry, *, is_now: bool, offered: bool) -> QWidget:
        line = QWidget()
        head = label(f"{_ACTIONS[entry.action]} {self._name(entry.bundle_id)}", wrap=False)
        head.setToolTip(f"Model {entry.bundle_id}")
        when = label(_local(entry.time), tone="muted", role="small", wrap=False)
        first = row(head, 1, when)
        if is_now:
            first.addWidget(label("in use", tone="good", wrap=False))
        elif offered:
            back = button("Roll back", "Segment with this model again")
            busy = self._adapting.is_busy or self._adapting.state in RUNNING
            allow(back, "Wait until the adaptation has ended." if busy else "")
            back.clicked.connect(partial(self._adapting.roll_back, entry.bundle_id))
            first.addWidget(back)
        layout = column(line, spacing=0)
        layout.addLayout(first)
        if entry.note:
            layout.addWidget(ElidedLabel(entry.note, tone="muted", role="small"))
        return line

    def _name(self, bundle_id: str) -> str:
        workspace = self._session.workspace
        if workspace is None:
            return bundle_id
        try:
            return read_info(workspace.accepted.parent / bundle_id).name
        except DgsegError:
            return f"{bundle_id[:6]} (damaged)"


def _local(time: str) -> str:
    return f"{datetime.fromisoformat(time).astimezone():%d %b, %H:%M}"
