"""Step 1: which scans the site has, and which of them is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from dgseg.scans.scan import Scan
from napari_dgseg.look import Look
from napari_dgseg.scan_table import ScanTable
from napari_dgseg.session import SiteSession
from napari_dgseg.widgets import Notice, button, column, row

_FILTER = "Scans (*.nii *.nii.gz *.dcm *.ima *.IMA);;All files (*)"


class ScansPanel(QWidget):
    """Adds scans, lists them, opens them.

    Parameters
    ----------
    session : SiteSession
        Whose scans.
    scans_in_viewer : callable
        The scans among the viewer's layers, and reasons for layers that are none.
    """

    def __init__(
        self, session: SiteSession, scans_in_viewer: Callable[[], tuple[list[Scan], list[str]]]
    ) -> None:
        super().__init__()
        self._session = session
        self._scans_in_viewer = scans_in_viewer
        self.add_files = button("Add files …", "Add NIfTI or DICOM files to this site")
        self.add_folder = button(
            "Add folder …", "Add all scans in a folder: NIfTI, DICOM series, BIDS"
        )
        self.use_layers = button("From viewer", "Add the images that are open in the viewer")
        self.table = ScanTable()
        self.details = Notice(action="Remove")
        layout = column(self)
        layout.addLayout(
            row(self.add_files, self.add_folder, self.use_layers, shares=(1, 1, 1))
        )
        layout.addWidget(self.table)
        layout.addWidget(self.details)
        self._connect()

    def _connect(self) -> None:
        self.add_files.clicked.connect(self._ask_files)
        self.add_folder.clicked.connect(self._ask_folder)
        self.use_layers.clicked.connect(self._add_layers)
        self.table.chosen.connect(self._choose)
        self.table.dropped.connect(self._session.add_paths)
        self.table.delete_pressed.connect(self._session.remove)
        self.table.selectionModel().currentChanged.connect(self._show_details)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.details.action.clicked.connect(self._remove_selected)
        self._session.rows_changed.connect(self.refresh)
        self._session.marked_changed.connect(self.table.mark)
        self.refresh()

    def wear(self, look: Look) -> None:
        """Take the colours of a theme."""
        self.table.wear(look)

    def refresh(self) -> None:
        """Show the rows as they are now."""
        session = self._session
        current = session.current.scan_id if session.current is not None else ""
        self.table.show_rows(session.rows, current, session.opening)
        self._show_details()

    def _ask_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Add scans", "", _FILTER)
        self._session.add_paths([Path(name) for name in names])

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Add all scans in a folder")
        if name:
            self._session.add_paths([Path(name)])

    def _add_layers(self) -> None:
        scans, problems = self._scans_in_viewer()
        self._session.add_scans(scans)
        if not scans:
            self.details.say(" ".join(problems), "caution")
            self.details.action.hide()

    def _choose(self, key: str) -> None:
        chosen = self._session.row(key)
        if chosen is not None and chosen.scan_id:
            self._session.open_scan(chosen.scan_id)

    def _show_details(self, *_: object) -> None:
        chosen = self._session.row(self.table.selected_key)
        if chosen is None:
            bad = [each for each in self._session.rows if each.error is not None]
            chosen = bad[-1] if bad else None
        error = chosen.error if chosen is not None else None
        self.details.say(
            "" if error is None else f"{chosen.title}: {error.public_message}", "bad"
        )
        self.details.action.setVisible(error is not None)
        self.details.setProperty("key", chosen.key if error is not None else "")

    def _remove_selected(self) -> None:
        self._session.remove(self.details.property("key") or self.table.selected_key)

    def _show_menu(self, at: QPoint) -> None:
        key = self.table.selected_key
        chosen = self._session.row(key)
        if chosen is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if chosen.scan_id:
            menu.addAction("Open", lambda: self._choose(key))
            done = chosen.kind == "reviewed"
            text = "Not reviewed yet" if done else "Mark as reviewed"
            menu.addAction(text, lambda: self._session.set_reviewed(key, not done))
            menu.addSeparator()
        menu.addAction("Remove from this site", lambda: self._session.remove(key))
        menu.popup(self.table.viewport().mapToGlobal(at))
