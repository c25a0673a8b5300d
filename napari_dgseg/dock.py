"""The dock "Site adaptation": scans, segment, correct, adapt, from top to bottom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from dgseg.scans.scan import Scan
from napari_dgseg.adapting import INTERRUPTED, RUNNING
from napari_dgseg.cautioning import Cautioning
from napari_dgseg.docked import DockedWidget
from napari_dgseg.household import Household
from napari_dgseg.keys import actions_of
from napari_dgseg.look import Look, style_sheet
from napari_dgseg.panels.adapt import AdaptPanel
from napari_dgseg.panels.correct import CorrectPanel
from napari_dgseg.panels.export import ExportPanel
from napari_dgseg.panels.scans import ScansPanel
from napari_dgseg.panels.segment import SegmentPanel
from napari_dgseg.panels.site import SitePanel, default_site
from napari_dgseg.shortcuts import Shortcuts
from napari_dgseg.steps import Step
from napari_dgseg.viewer_scans import scans_in

if TYPE_CHECKING:
    import napari

WIDTH = 360

_JOB_WORDS = {"finished": "your decision", "died": "interrupted", "stopping": "stopping …"}
"""States of an adaptation as its header names them, where the name is another."""

_FOLD_FIRST = {1: (4, 3, 2), 2: (4, 3, 1), 3: (4, 2, 1), 4: (2, 3, 1)}
"""Which steps make room, in this order, when one is unfolded and the dock is too low."""


class SiteAdaptationDock(DockedWidget):
    """Four numbered steps from a new hospital's scans to an adapted model.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer that it is docked in.
    workspace : Path, optional
        The site to open; by default the one that another dock has open, else that of
        the settings, else one among the person's own data.
    household : Household, optional
        The parts behind it, for tests; by default those of the viewer.
    """

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        workspace: Path | None = None,
        *,
        household: Household | None = None,
    ) -> None:
        super().__init__(napari_viewer, household)
        self._wanted = 1
        self._room = QTimer(self)
        self._room.setSingleShot(True)
        self._room.timeout.connect(self._make_room)
        parts = self.parts
        self.site = SitePanel(parts.session)
        self.scans = ScansPanel(parts.session, self._scans_in_viewer)
        cautioning = Cautioning(parts.session)
        self.segment = SegmentPanel(parts.session, parts.segmenting, parts.stage, cautioning)
        self.correct = CorrectPanel(
            parts.session, parts.correcting, parts.suggesting, parts.stage
        )
        self.adapt = AdaptPanel(
            parts.session, parts.adapting, parts.comparison, parts.walking, cautioning
        )
        self.export = ExportPanel(parts.session, parts.exporting)
        titles = ("Scans", "Segment", "Correct", "Adapt")
        panels = (self.scans, self.segment, self.correct, self.adapt)
        self.steps = [
            Step(number, title, panel)
            for number, (title, panel) in enumerate(zip(titles, panels, strict=True), start=1)
        ]
        self._build()
        self.shortcuts = Shortcuts(napari_viewer, [])
        self._connect()
        if workspace is not None or parts.session.workspace is None:
            self.site.open(Path(workspace) if workspace is not None else default_site())
        else:
            self.site.refresh()
            self._bind_keys()
            self._show_steps()
        self._open_first()

    def _build(self) -> None:
        contents = QWidget()
        inner = QVBoxLayout(contents)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        for step in self.steps:
            inner.addWidget(step)
        inner.addStretch(1)
        self._contents = contents
        self._scroll = QScrollArea()
        self._scroll.setWidget(contents)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 6)
        layout.setSpacing(6)
        layout.addWidget(self.site)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self.export)
        self.setMinimumWidth(WIDTH - 20)
        self.setAccessibleName("Site adaptation")

    def _connect(self) -> None:
        parts = self.parts
        self.site.help.clicked.connect(self.show_keys)
        for signal in (
            parts.session.workspace_changed,
            parts.session.rows_changed,
            parts.correcting.slices_changed,
            parts.correcting.saved_changed,
            parts.segmenting.changed,
            parts.adapting.changed,
            parts.session.scan_opened,
        ):
            self.listen(signal, self._show_steps)
        self.listen(parts.session.workspace_changed, self._bind_keys)
        self.listen(parts.session.scan_opened, self._on_opened)
        self.listen(parts.session.proposal_changed, self._on_proposal)
        self.listen(parts.correcting.started, self._on_correcting)
        self.listen(parts.watcher.state_changed, self._on_job)
        self.steps[3].toggled.connect(self._ask_choices)
        self.dress(self._put_on)

    # --- Qt's hooks ---------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """As wide as the steps need, as high as there is."""
        return QSize(WIDTH, 640)

    def end(self) -> None:
        """Let go of the keys."""
        self.shortcuts.close()

    # --- steps --------------------------------------------------------------------

    def unfold(self, number: int) -> None:
        """Open a step, and fold others as far as the dock is too low for all."""
        self.steps[number - 1].unfold()
        self._wanted = number
        self._room.start()

    def bring_up(self, widget: QWidget) -> None:
        """Scroll until a part of a step is in sight."""
        self._scroll.ensureWidgetVisible(widget)

    def _make_room(self) -> None:
        number = self._wanted
        for other in _FOLD_FIRST[number]:
            if self._needed_height() <= self._scroll.viewport().height():
                return
            self.steps[other - 1].unfold(False)
        self._scroll.ensureWidgetVisible(self.steps[number - 1], 0, 0)

    def _needed_height(self) -> int:
        layout = self._contents.layout()
        layout.activate()
        width = self._scroll.viewport().width()
        if layout.hasHeightForWidth():
            return layout.totalHeightForWidth(width)
        return layout.totalSizeHint().height()

    def _open_first(self) -> None:
        adapting = self.parts.adapting
        self.unfold(1)
        if adapting.state != "idle":
            self.unfold(4)

    def _on_opened(self, _opened: object) -> None:
        current = self.parts.session.current
        if self.parts.adapting.state == "finished":
            return  # the person compares scan after scan in step 4
        has_labels = current is not None and current.proposal is not None
        self._go_on_to(3 if has_labels else 2)

    def _on_proposal(self) -> None:
        current = self.parts.session.current
        proposed = current is not None and current.proposal is not None
        if proposed and not self.parts.correcting.is_started:
            self._go_on_to(3)

    def _go_on_to(self, number: int) -> None:
        """Unfold the next step, and fold the one before: it is done."""
        self.unfold(number)
        current = self.parts.session.current
        if number == 3:  # step 2 stays where it has something to say
            self.steps[1].unfold(current is not None and current.finds_nothing)

    def _on_correcting(self, _opened: object) -> None:
        if self.parts.adapting.state != "finished":
            self.unfold(3)

    def _on_job(self, state: str) -> None:
        if state in (*RUNNING, *INTERRUPTED, "finished"):
            self.unfold(4)

    def _ask_choices(self, is_open: bool) -> None:
        if is_open and not self.parts.adapting.why_not():
            self.parts.adapting.ask_choices()

    def _show_steps(self, *_: object) -> None:
        self._show_scans()
        self._show_segment()
        self._show_correct()
        self._show_adapt()

    def _show_scans(self) -> None:
        session = self.parts.session
        n = len(session.scan_ids)
        bad = sum(row.error is not None for row in session.rows)
        summary = f"{n} scan{'' if n == 1 else 's'}" if n else "none yet"
        if bad:
            summary += f", {bad} with a problem"
        if any(row.kind == "reading" for row in session.rows):
            summary = f"reading … {n}"
        closed = "" if session.workspace is not None else "No site is open."
        self.steps[0].show_state("done" if n else "ready", summary, reason=closed)

    def _show_segment(self) -> None:
        parts = self.parts
        reason = parts.segmenting.why_not()
        rows = [row for row in parts.session.rows if row.scan_id]
        n_done = sum(row.kind != "new" for row in rows)
        summary = f"{n_done} of {len(rows)} segmented"
        if parts.segmenting.is_running:
            summary = f"{parts.segmenting.total_fraction:.0%}"
        done = bool(rows) and n_done == len(rows) and not parts.segmenting.is_running
        state = "waiting" if reason else "done" if done else "ready"
        self.steps[1].show_state(state, summary, reason=reason)

    def _show_correct(self) -> None:
        correcting, adapting = self.parts.correcting, self.parts.adapting
        reason = "" if correcting.is_started else correcting.why_not_start()
        n = adapting.n_corrected
        summary = f"{n} slice{'' if n == 1 else 's'} corrected" if n else ""
        if correcting.saved == "failed":
            summary = "not saved"
        state = "waiting" if reason else "done" if n else "ready"
        self.steps[2].show_state(state, summary, reason=reason)

    def _show_adapt(self) -> None:
        adapting = self.parts.adapting
        idle = adapting.state == "idle"
        reason = adapting.why_not() if idle else ""
        now = adapting.progress
        summary = "" if idle else _JOB_WORDS.get(adapting.state, adapting.state)
        if adapting.state == "running" and now is not None and now.total:
            summary = f"{now.phase or ''} {(now.step or 0) / now.total:.0%}"
        state = "waiting" if reason else "ready"
        self.steps[3].show_state(state, summary, reason=reason, keep_panel=True)

    def _bind_keys(self) -> None:
        """Bind the keys anew: the structures to paint are those of the site."""
        self.shortcuts.close()
        self.shortcuts = Shortcuts(
            self._viewer, actions_of(self.parts, self.correct, self.show_keys)
        )

    # --- the rest -----------------------------------------------------------------

    def show_keys(self) -> None:
        """List the keys."""
        dialog = self.shortcuts.help_dialog(self)
        dialog.setStyleSheet(self.styleSheet())
        dialog.show()

    def _scans_in_viewer(self) -> tuple[list[Scan], list[str]]:
        return scans_in(self._viewer, set(self.parts.session.scan_ids))

    def _put_on(self, look: Look) -> None:
        self.setStyleSheet(style_sheet(look))
        for step in self.steps:
            step.header.wear(look)
        for panel in (self.scans, self.segment, self.correct, self.adapt):
            panel.wear(look)
