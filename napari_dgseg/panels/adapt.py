"""Step 4: the model learns from the corrections, in the background."""

from __future__ import annotations

from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QPlainTextEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_dgseg.adapting import INTERRUPTED, RUNNING, Adapting, log_text
from napari_dgseg.cautioning import Cautioning
from napari_dgseg.compare import Comparison
from napari_dgseg.curves import CurvesView
from napari_dgseg.look import Look
from napari_dgseg.panels.adapt_form import AdaptForm
from napari_dgseg.panels.history import HistoryPanel
from napari_dgseg.panels.verdict import VerdictPanel
from napari_dgseg.session import SiteSession
from napari_dgseg.sourcing import Sourcing
from napari_dgseg.walking import Walking
from napari_dgseg.widgets import Notice, allow, button, column, label, row

_PHASES = {
    "preparing": "Preparing the scans",
    "training": "Learning from this site",
    "segmenting": "Segmenting with the new model",
    "judging": "Comparing with the model in use",
}


class AdaptPanel(QWidget):
    """Shows the one of form, progress, interruption and verdict that applies."""

    def __init__(
        self,
        session: SiteSession,
        adapting: Adapting,
        comparison: Comparison,
        walking: Walking,
        cautioning: Cautioning,
    ) -> None:
        super().__init__()
        self._adapting = adapting
        self.form = AdaptForm(adapting, cautioning, Sourcing(session))
        self.verdict = VerdictPanel(adapting, comparison, walking)
        self.history = HistoryPanel(session, adapting)
        self.curves = CurvesView()
        self.phase = label(role="strong")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.times = label(tone="muted", role="small", wrap=False)
        self.note = label(tone="muted", role="small")
        self.stop = button("Stop", "Stop at the next step; what was learnt is kept")
        self.problem = Notice()
        self.resume = button("Resume", "Go on where it was interrupted", primary=True)
        self.discard = button("Discard", "Give this adaptation up")
        self.open_log = button("Open log", "What the job wrote, without names of files")
        self._running = self._build_running()
        self._interrupted = self._build_interrupted()
        layout = column(self, spacing=8)
        for part in (self.form, self._running, self._interrupted, self.verdict, self.history):
            layout.addWidget(part)
        self._connect(session)

    def _build_running(self) -> QWidget:
        part = QWidget()
        layout = column(part)
        layout.addWidget(self.phase)
        layout.addLayout(row(self.bar, self.stop))
        layout.addWidget(self.times)
        layout.addWidget(self.note)
        layout.addWidget(self.curves)
        return part

    def _build_interrupted(self) -> QWidget:
        part = QWidget()
        layout = column(part)
        layout.addWidget(self.problem)
        layout.addLayout(row(self.resume, self.discard, self.open_log))
        return part

    def _connect(self, session: SiteSession) -> None:
        self.stop.clicked.connect(self._adapting.stop)
        self.resume.clicked.connect(self._adapting.resume)
        self.discard.clicked.connect(self._adapting.discard)
        self.open_log.clicked.connect(self._show_log)
        self._adapting.changed.connect(self.refresh)
        self._adapting.curves_changed.connect(self._draw)
        session.rows_changed.connect(self.form.refresh)
        self.refresh()

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.curves.wear(look)
        self.verdict.wear(look)
        self.history.wear(look)

    def refresh(self) -> None:
        """Show the state of the adaptation."""
        state = self._adapting.state
        running, interrupted = state in RUNNING, state in INTERRUPTED
        self.form.setVisible(state == "idle")
        self._running.setVisible(running)
        self._interrupted.setVisible(interrupted)
        self.verdict.setVisible(state == "finished")
        if running:
            self._show_progress()
        elif interrupted:
            self._show_problem()
        elif state == "finished":
            self.verdict.refresh()
        else:
            self.form.refresh()
            self.curves.show_curves(self._adapting.curves)
        self.history.refresh()

    def _draw(self) -> None:
        self.curves.show_curves(self._adapting.curves)

    def _show_progress(self) -> None:
        adapting, now = self._adapting, self._adapting.progress
        stopping = adapting.state == "stopping"
        phase = "" if now is None or now.phase is None else _PHASES[now.phase]
        self.phase.setText("Stopping …" if stopping else f"{phase or 'Starting'} …")
        allow(self.stop, "It stops at the next step." if stopping else "")
        self.note.setText(adapting.message)
        self.note.setVisible(bool(adapting.message))
        known = now is not None and bool(now.total)
        self.bar.setRange(0, 1000 if known else 0)
        if now is None or not known:
            self.times.setText("The process is starting.")
            return
        step, total = now.step or 0, now.total or 1
        self.bar.setValue(round(1000 * step / total))
        parts = [f"{step} of {total}"]
        if now.elapsed_s is not None:
            parts.append(f"{_clock(now.elapsed_s)} elapsed")
        if now.remaining_s is not None:
            parts.append(f"{_clock(now.remaining_s)} to go")
        self.times.setText(" · ".join(parts))

    def _show_problem(self) -> None:
        error, state = self._adapting.error, self._adapting.state
        if state == "died" and error is not None:
            state = "failed"  # it could say why, and no more
        words = {
            "stopped": "The adaptation was stopped. It can go on where it was.",
            "failed": "The adaptation failed.",
            "died": "The adaptation's process ended without a word: it was killed, or the "
            "computer was short of memory or switched off. It can go on from its last "
            "checkpoint.",
        }[state]
        if error is not None and state == "failed":
            words = f"{words} {error.public_message}"
        kept = "" if state == "stopped" else " Your corrections are safe."
        tone = "caution" if state == "stopped" else "bad"
        self.problem.say(words + kept, tone)
        self.resume.setText("Try again" if state == "failed" else "Resume")

    def _show_log(self) -> None:
        folder = self._adapting.folder
        if folder is None:
            return
        dialog = LogDialog(log_text(folder), self)
        dialog.open()


class LogDialog(QDialog):
    """A job's log, to read and to copy."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Log of the adaptation")
        self.resize(720, 420)
        self.text = QPlainTextEdit(text)
        self.text.setReadOnly(True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(buttons)
        self.finished.connect(self.deleteLater)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
