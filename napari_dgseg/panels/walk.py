"""What an adaptation changed: a walk through the slices where old and new differ most."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QToolButton, QWidget

from napari_dgseg.look import Look, icon
from napari_dgseg.shortcuts import KEYS
from napari_dgseg.walking import Walking
from napari_dgseg.widgets import FlowLayout, allow, button, clear, column, label, row

_MARK_WIDTH = 24
"""Twelve of them fit on a line of the dock beside its scroll bar."""


class WalkPanel(QWidget):
    """Leads from slice to slice, says what changed there and marks what was looked at."""

    def __init__(self, walking: Walking) -> None:
        super().__init__()
        self._walking = walking
        self._look: Look | None = None
        self.head = label("What changed", role="strong", wrap=False)
        self.where = label(tone="muted", wrap=False)
        self.previous = button("‹ Previous", f"The slice before  {KEYS['previous_change']}")
        self.next = button("Next ›", f"The next slice that changed  {KEYS['next_change']}")
        self.place = label(tone="muted", role="small")
        self.reason = label()
        self.extent = label(tone="muted", role="small")
        self._marks = FlowLayout(spacing=0)
        layout = column(self, spacing=4)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.addLayout(row(self.head, 1, self.where))
        layout.addLayout(row(self.previous, self.next, shares=(1, 1)))
        layout.addLayout(self._marks)
        layout.addWidget(self.place)
        layout.addWidget(self.reason)
        layout.addWidget(self.extent)
        self.previous.clicked.connect(walking.previous)
        self.next.clicked.connect(walking.next)
        walking.changed.connect(self.refresh)
        self.refresh()

    @property
    def marks(self) -> list[QToolButton]:
        """A button for each slice of the walk, in its order."""
        return [self._marks.itemAt(at).widget() for at in range(self._marks.count())]

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self._draw_marks()

    def refresh(self) -> None:
        """Show where the walk is."""
        walking = self._walking
        now = walking.current
        self.where.setText(self._where())
        allow(self.previous, walking.why_not(-1))
        allow(self.next, walking.why_not(1))
        self.place.setVisible(now is not None)
        self.reason.setVisible(bool(walking.changes))
        if now is None:
            self.reason.setText("Next leads to the slice that changed most.")
        else:
            self.place.setText(f"{walking.title}, slice {now.slice}")
            self.reason.setText(now.reason)
        self.extent.setText(self._extent())
        if len(self.marks) != len(walking.changes):
            self._make_marks()
        self._draw_marks()

    def _where(self) -> str:
        walking = self._walking
        n = len(walking.changes)
        if walking.is_busy:
            return f"comparing … {walking.n_compared}"
        if not n:
            return ""
        if walking.at < 0:
            return f"{n} slice{'' if n == 1 else 's'} to look at"
        return f"slice {walking.at + 1} of {n}"

    def _extent(self) -> str:
        """How many scans this is about, and why not all."""
        walking = self._walking
        n, n_all = walking.n_compared, walking.n_scans
        if walking.is_busy:
            return ""
        if not n:
            return "No scan has been segmented by both models: there is nothing to compare."
        among = f"{n} of {n_all} scans" if n < n_all else _scans(n)
        words = f"Old and new were compared in {among}"
        if not walking.changes:
            words = f"Nothing changed in the {_scans(n)} compared"
        if n == n_all:
            return f"{words}."
        return f"{words}: those that both models have segmented."

    def _make_marks(self) -> None:
        clear(self._marks)
        for at, change in enumerate(self._walking.changes):
            mark = QToolButton()
            mark.setCheckable(True)
            mark.setFixedWidth(_MARK_WIDTH)
            mark.setToolTip(change.reason)
            mark.clicked.connect(partial(self._walking.go, at))
            self._marks.addWidget(mark)
        self._marks.invalidate()

    def _draw_marks(self) -> None:
        for at, mark in enumerate(self.marks):
            seen = self._walking.is_seen(at)
            mark.setChecked(at == self._walking.at)
            words = (
                f"Slice {at + 1} of the walk, {'looked at' if seen else 'not looked at yet'}"
            )
            mark.setAccessibleName(words)
            if self._look is not None:
                tone = self._look.tone("good" if seen else "muted")
                mark.setIcon(icon("check" if seen else "ring", tone))


def _scans(n: int) -> str:
    return "one scan" if n == 1 else f"{n} scans"
