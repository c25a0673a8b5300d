"""Step 2: labels from the accepted model."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox, QLabel, QProgressBar, QWidget

from napari_dgseg.cautioning import Cautioning
from napari_dgseg.look import Look
from napari_dgseg.segmenting import Segmenting
from napari_dgseg.session import SiteSession
from napari_dgseg.stage import Stage
from napari_dgseg.widgets import (
    FlowLayout,
    Notice,
    allow,
    button,
    clear,
    column,
    label,
    row,
    swatch,
)

_STAGES = {
    "starting": "starting",
    "reading": "reading",
    "loading": "loading the model",
    "segmenting": "segmenting",
    "writing": "writing",
    "cancelling": "cancelling",
}


_NOTHING = (
    "The model finds nothing in this scan. Draw a few slices yourself in step 3; then it "
    "can be adapted."
)


class SegmentPanel(QWidget):
    """Starts segmentations and shows how far they are."""

    def __init__(
        self,
        session: SiteSession,
        segmenting: Segmenting,
        stage: Stage,
        cautioning: Cautioning,
    ) -> None:
        super().__init__()
        self._session, self._segmenting, self._stage = session, segmenting, stage
        self._cautioning = cautioning
        self.this = button(
            "Segment this scan", "Let the model propose labels for the open scan", primary=True
        )
        self.all = button("Segment all", "Let the model propose labels for all scans")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(True)
        self.cancel = button("Cancel", "Stop; scans that are done stay segmented")
        self.notice = Notice()
        self.foreign = Notice()
        self.uncertainty = QCheckBox("Uncertainty")
        self.uncertainty.setProperty("tip", "Show where the model hesitates")
        self._legend = FlowLayout(spacing=10)
        self._working = QWidget()
        self._working.setLayout(row(self.bar, self.cancel))
        layout = column(self)
        layout.addLayout(row(self.this, self.all, shares=(3, 2)))
        layout.addWidget(self._working)
        layout.addWidget(self.notice)
        layout.addWidget(self.foreign)
        foot = row(spacing=10)
        foot.addLayout(self._legend, 1)
        foot.addWidget(self.uncertainty)
        layout.addLayout(foot)
        self._connect()

    def _connect(self) -> None:
        self.this.clicked.connect(self._segment_this)
        self.all.clicked.connect(self._segment_all)
        self.cancel.clicked.connect(self._segmenting.cancel)
        self.uncertainty.clicked.connect(self._show_uncertainty)
        self._session.rows_changed.connect(self.refresh)
        self._session.scan_opened.connect(self.refresh)
        self._session.proposal_changed.connect(self.refresh)
        self._session.workspace_changed.connect(self._show_legend)
        self._segmenting.changed.connect(self.refresh)
        self._stage.layers_changed.connect(self.refresh)
        self._cautioning.changed.connect(self._show_foreign)
        self._show_legend()
        self._show_foreign()
        self.refresh()

    def wear(self, _look: Look) -> None:
        """Take the colours of a theme: nothing here has its own."""

    def refresh(self, *_: object) -> None:
        """Show what can be segmented, and how far it is."""
        session, segmenting = self._session, self._segmenting
        why = segmenting.why_not()
        busy = segmenting.is_running
        n_scans = len(session.scan_ids)
        again = session.current is not None and session.current.proposal is not None
        self.this.setText("Segment this scan again" if again else "Segment this scan")
        self.all.setText(f"Segment all ({n_scans})" if n_scans > 1 else "Segment all")
        closed = "" if session.current is not None else "Open a scan in step 1 first."
        allow(self.this, why or closed or self._queued())
        allow(self.all, why or ("Already at it." if busy else ""))
        self._working.setVisible(busy)
        if busy:
            self._show_progress()
        error = segmenting.last_error
        if error is not None:
            self.notice.say(error.public_message, "bad")
        else:
            nothing = session.current is not None and session.current.finds_nothing
            self.notice.say(_NOTHING if nothing else "", "caution")
        allow(self.uncertainty, "" if again else "Segment this scan first.")
        self.uncertainty.setChecked(self._stage.is_visible("uncertainty"))

    def _show_foreign(self) -> None:
        found = (each for each in self._cautioning.concerns if each.kind == "foreign")
        concern = next(found, None)
        self.foreign.say("" if concern is None else concern.sentence, "caution")

    def _queued(self) -> str:
        current = self._session.current
        if current is not None and current.scan_id == self._segmenting.scan_id:
            return "Already at it."
        return ""

    def _show_progress(self) -> None:
        segmenting = self._segmenting
        done = segmenting.n_done + segmenting.n_failed
        self.bar.setValue(round(1000 * segmenting.total_fraction))
        count = f"{done + 1} of {segmenting.n_total}: " if segmenting.n_total > 1 else ""
        self.bar.setFormat(f"{count}{_STAGES.get(segmenting.stage, segmenting.stage)}")
        allow(self.cancel, "Stopping." if segmenting.stage == "cancelling" else "")

    def _show_legend(self) -> None:
        clear(self._legend)
        for each in self._session.structures:
            patch = QLabel()
            patch.setPixmap(swatch(each.color))
            entry = QWidget()
            entry.setLayout(row(patch, label(each.name, wrap=False), spacing=5))
            entry.setFixedHeight(22)  # as high as the box beside it
            self._legend.addWidget(entry)

    def _segment_this(self) -> None:
        if self._session.current is not None:
            self._segmenting.segment([self._session.current.scan_id])

    def _segment_all(self) -> None:
        self._segmenting.segment(self._session.scan_ids)

    def _show_uncertainty(self, shown: bool) -> None:
        self._stage.set_visible("uncertainty", shown)
