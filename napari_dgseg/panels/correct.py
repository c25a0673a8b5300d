"""Step 3: a person's corrections, slice by slice."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QPushButton, QToolButton, QWidget

from dgseg.site.corrections import SliceState
from dgseg.site.suggest import Suggestion
from napari_dgseg.correcting import Correcting
from napari_dgseg.look import Look, icon
from napari_dgseg.session import SiteSession
from napari_dgseg.shortcuts import label_key
from napari_dgseg.stage import Stage
from napari_dgseg.suggesting import Suggesting
from napari_dgseg.widgets import (
    ElidedLabel,
    FlowLayout,
    Notice,
    StatusLine,
    allow,
    button,
    clear,
    column,
    label,
    row,
    swatch,
)

_NOT_SAVED = "The corrections could not be saved: "
"""Beginning of the engine's message, which the saved line says in two words."""


class CorrectPanel(QWidget):
    """Starts corrections, picks labels, lists what was corrected."""

    def __init__(
        self,
        session: SiteSession,
        correcting: Correcting,
        suggesting: Suggesting,
        stage: Stage,
    ) -> None:
        super().__init__()
        self._session, self._correcting, self._stage = session, correcting, stage
        self._suggesting = suggesting
        self._look: Look | None = None
        self._suggested: tuple[str, int] | None = None
        self._listed: dict[int, SliceState] = {}
        self.start = button(
            "Start correcting",
            "Copy the proposal into a layer of your own and paint on it",
            primary=True,
        )
        self.notice = Notice(action="Reopen")
        self.confirm = button("Slice is right", "Confirm this slice as it is: it counts too")
        self.withdraw = button("Withdraw", "Take back what was done to this slice")
        self.next = button(
            "Next slice",
            "Go to the slice of all scans that teaches the model most:\n"
            "it is unsure there, and the slice is unlike those corrected so far",
        )
        self.where = ElidedLabel(role="strong")
        self.reason = label(tone="muted", role="small")
        self.reviewed = QCheckBox("Scan reviewed")
        self.reviewed.setToolTip("You are done with this scan")
        self.saved = StatusLine()
        self._painter = QButtonGroup(self)
        self._brushes = FlowLayout(spacing=4)
        self._chips = FlowLayout(spacing=4)
        self._tools = QWidget()
        self._build()
        self._connect()

    def _build(self) -> None:
        tools = column(self._tools)
        tools.addLayout(self._brushes)
        here = row(spacing=8)
        here.addWidget(self.where, 1)
        here.addWidget(self.reviewed)
        tools.addLayout(here)
        tools.addLayout(row(self.confirm, self.withdraw, self.next, shares=(1, 1, 1)))
        tools.addWidget(self.reason)
        tools.addLayout(self._chips)
        tools.addWidget(self.saved)
        layout = column(self)
        layout.addWidget(self.start)
        layout.addWidget(self.notice)
        layout.addWidget(self._tools)

    def _connect(self) -> None:
        self.start.clicked.connect(self._correcting.start)
        self.notice.action.clicked.connect(self._mend)
        self.confirm.clicked.connect(self.confirm_slice)
        self.withdraw.clicked.connect(self.withdraw_slice)
        self.next.clicked.connect(self.next_slice)
        self.reviewed.clicked.connect(self._set_reviewed)
        self._correcting.slices_changed.connect(self.refresh)
        self._correcting.started.connect(self.refresh)
        self._correcting.saved_changed.connect(self._show_saved)
        self._stage.slice_changed.connect(self._show_slice)
        self._stage.layers_changed.connect(self.refresh)
        self._suggesting.arrived.connect(self._show_suggestion)
        self._suggesting.refused.connect(self._say)
        self._suggesting.busy_changed.connect(self._show_slice)
        self._session.workspace_changed.connect(self._make_brushes)
        self._session.rows_changed.connect(self._show_reviewed)
        self._make_brushes()
        self.refresh()

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self._look = look
        self._listed = {}  # the icons of the chips have another colour
        self.saved.wear(look)
        eraser = self._painter.button(0)
        if eraser is not None:
            eraser.setIcon(icon("eraser", look.text))
        self.refresh()

    # --- what a person does -------------------------------------------------------

    def confirm_slice(self) -> None:
        """Say that the slice on display is right."""
        index = self._stage.slice_index
        self._stage.flush()
        labels = self._stage.slice_labels(index)
        if labels is not None:
            self._correcting.confirm(index, labels)

    def withdraw_slice(self) -> None:
        """Take back what was done to the slice on display."""
        index = self._stage.slice_index
        self._stage.flush()
        labels = self._correcting.withdraw(index)
        if labels is not None:
            self._stage.set_slice(index, labels)

    def next_slice(self) -> None:
        """Go to the slice of the site that is worth most, in another scan if need be."""
        self._stage.flush()
        self._suggesting.go()

    def pick_label(self, value: int) -> None:
        """Paint with a label; 0 erases."""
        brush = self._painter.button(value)
        if brush is not None:
            brush.setChecked(True)
        self._stage.choose_label(value)

    def _mend(self) -> None:
        """Do what the notice offers."""
        if self._stage.layer("corrections") is None or self._stage.problem is not None:
            self._stage.reopen_corrections()
        else:
            self._stage.flush()
            self._correcting.start()

    @property
    def chips(self) -> list[QPushButton]:
        """The buttons that lead to corrected slices, in the order of the slices."""
        return [self._chips.itemAt(at).widget() for at in range(self._chips.count())]

    def brush(self, value: int) -> QToolButton:
        """The button that paints a label; 0 for the eraser."""
        return self._painter.button(value)

    def _set_reviewed(self, reviewed: bool) -> None:
        if self._session.current is not None:
            self._session.set_reviewed(self._session.current.scan_id, reviewed)

    # --- what is shown ------------------------------------------------------------

    def refresh(self, *_: object) -> None:
        """Show how far the corrections are."""
        correcting, stage = self._correcting, self._stage
        started = correcting.is_started
        self.start.setVisible(not started)
        allow(self.start, correcting.why_not_start())
        self._tools.setVisible(started)
        gone = started and stage.layer("corrections") is None
        if stage.problem is not None:
            self.notice.say(stage.problem.public_message, "bad")
        elif gone:
            self.notice.say("The corrections layer was deleted. Nothing is lost.", "caution")
        elif correcting.is_outdated:
            self.notice.say(
                "Untouched slices show what another model proposed.",
                "accent",
            )
        else:
            self.notice.say("")
        lost = gone or stage.problem is not None
        self.notice.action.setText("Reopen" if lost else "Use the new")
        self.notice.action.setToolTip(
            "" if lost else "Untouched slices take the labels of the accepted model"
        )
        self._show_chips()
        self._show_slice()
        self._show_saved()
        self._show_reviewed()

    def _make_brushes(self) -> None:
        for brush in self._painter.buttons():
            self._painter.removeButton(brush)
        clear(self._brushes)
        choices = [(each.value, each.name, each.color) for each in self._session.structures]
        if not choices:
            return
        for value, name, color in [*choices, (0, "eraser", "")]:
            brush = QToolButton()
            brush.setText(f" {name}")
            brush.setCheckable(True)
            brush.setToolButtonStyle(brush.toolButtonStyle().ToolButtonTextBesideIcon)
            brush.setIconSize(QSize(12, 12))
            if color:
                brush.setIcon(swatch(color))
            key = label_key(value)
            brush.setToolTip(f"Paint {name}  {key}" if value else "Erase")
            brush.clicked.connect(partial(self._stage.choose_label, value))
            self._painter.addButton(brush, value)
            self._brushes.addWidget(brush)
        self._painter.button(choices[0][0]).setChecked(True)
        if self._look is not None:
            self.wear(self._look)

    @property
    def _here(self) -> tuple[str, int]:
        """The scan and the slice on display."""
        current = self._session.current
        return ("" if current is None else current.scan_id), self._stage.slice_index

    def _show_suggestion(self, suggestion: Suggestion) -> None:
        self._stage.go_to(suggestion.slice)
        self._suggested = (suggestion.scan_id, suggestion.slice)
        self._say(suggestion.reason)

    def _say(self, reason: str) -> None:
        """Say why a slice is shown, or why no other one is."""
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))

    def _show_chips(self) -> None:
        slices = self._correcting.slices
        if slices == self._listed:
            return
        self._listed = slices
        clear(self._chips)
        for index, state in slices.items():
            chip = QPushButton()
            chip.setText(f"slice {index} {state}")
            chip.setProperty("slice", index)
            chip.setToolTip(f"Go to slice {index}")
            if self._look is not None:
                changed = state == "changed"
                tone = self._look.tone("accent" if changed else "good")
                chip.setIcon(icon("pencil" if changed else "check", tone))
            chip.setProperty("role", "chip")
            chip.clicked.connect(partial(self._stage.go_to, index))
            self._chips.addWidget(chip)
        self._chips.invalidate()

    def _show_slice(self) -> None:
        if not self._correcting.is_started:
            return
        if self._suggested not in (None, self._here):
            self.reason.setText("")
            self._suggested = None
        self.reason.setVisible(bool(self.reason.text()))
        index, n_slices = self._stage.slice_index, self._stage.n_slices
        state = self._correcting.slices.get(index)
        words = {"changed": ", changed", "confirmed": ", confirmed"}
        self.where.setText(f"Slice {index} of 0–{n_slices - 1}{words.get(state or '', '')}")
        there = "" if self._stage.is_tracking else "Reopen the corrections layer first."
        done = {
            "changed": "You changed this slice: it counts as corrected already.",
            "confirmed": "This slice is confirmed already.",
        }
        allow(self.confirm, there or done.get(state or "", ""))
        allow(self.withdraw, there or ("" if state else "Nothing was done to this slice."))
        allow(self.next, there or ("Looking." if self._suggesting.is_busy else ""))

    def _show_saved(self) -> None:
        correcting = self._correcting
        if correcting.saved == "failed" and correcting.error is not None:
            why = correcting.error.public_message.removeprefix(_NOT_SAVED)
            self.saved.say(f"not saved: {why}", "bad", "warning")
        elif correcting.saved == "saving":
            self.saved.say("saving …", "muted", "clock")
        elif correcting.saved == "saved":
            at = correcting.saved_at
            time = f" {at:%H:%M:%S}" if at is not None else ""
            self.saved.say(f"all strokes saved{time}", "good", "check")
        else:
            self.saved.say("", "muted", "dot")

    def _show_reviewed(self) -> None:
        current = self._session.current
        row_ = self._session.row(current.scan_id) if current is not None else None
        self.reviewed.setChecked(row_ is not None and row_.kind == "reviewed")
        self.reviewed.setEnabled(current is not None)
