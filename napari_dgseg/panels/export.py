"""The foot of the dock: labels out."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_dgseg.exporting import Exporting
from napari_dgseg.session import SiteSession
from napari_dgseg.widgets import Notice, allow, button, column, label, row


class ExportPanel(QWidget):
    """Exports the labels of the open scan, or of all."""

    def __init__(self, session: SiteSession, exporting: Exporting) -> None:
        super().__init__()
        self._session, self._exporting = session, exporting
        kinds = "NIfTI on the scan's own grid, and DICOM-SEG for DICOM scans"
        self.this = button("This scan …", f"Save the labels of the open scan: {kinds}")
        self.all = button("All scans …", f"Save the labels of all scans: {kinds}")
        self.notice = Notice(action="Open folder")
        layout = column(self)
        layout.addWidget(self.notice)
        line = row(label("Export labels", role="strong", wrap=False), 1, self.this, self.all)
        layout.addLayout(line)
        self.this.clicked.connect(self._export_this)
        self.all.clicked.connect(self._export_all)
        self.notice.action.clicked.connect(self._open_folder)
        session.rows_changed.connect(self.refresh)
        exporting.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what can be exported, and what was."""
        exporting, current = self._exporting, self._session.current
        this = [] if current is None else [current.scan_id]
        closed = "" if this else "Open a scan in step 1 first."
        allow(self.this, closed or exporting.why_not(this))
        allow(self.all, exporting.why_not(self._session.scan_ids))
        outcome = exporting.outcome
        if exporting.is_running:
            count = f"{exporting.n_done} of {exporting.n_total}"
            self.notice.say(f"Exporting … {count}", "accent")
        elif outcome is not None:
            self.notice.say(outcome.sentence, "caution" if outcome.problems else "good")
        else:
            self.notice.say("")
        self.notice.action.setVisible(outcome is not None and bool(outcome.written))

    def _export_this(self) -> None:
        if self._session.current is not None:
            self._ask_folder([self._session.current.scan_id])

    def _export_all(self) -> None:
        self._ask_folder(self._session.scan_ids)

    def _ask_folder(self, scan_ids: list[str]) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder for the labels")
        if name:
            self._exporting.export(scan_ids, Path(name))

    def _open_folder(self) -> None:
        if self._exporting.outcome is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._exporting.outcome.folder)))
