"""The field for labelled source data beside a site's scans."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QGridLayout, QToolButton, QWidget

from napari_dgseg.sourcing import Sourcing
from napari_dgseg.widgets import ElidedLabel, Notice, button, label, row, set_tone

_TIP = (
    "Labelled scans of other centres to learn from beside this site's: a folder with\n"
    "<name>_dseg.nii.gz beside <name>.nii.gz, or as in BIDS. They stay where they are."
)


class SourceField(QWidget):
    """Which folder, and how to choose another or none; what is wrong with it is below."""

    def __init__(self, sourcing: Sourcing) -> None:
        super().__init__()
        self._sourcing = sourcing
        self.folder = ElidedLabel(mode=Qt.TextElideMode.ElideLeft)
        self.choose = button("Choose …", _TIP)
        self.choose.setAccessibleName("Choose a folder of source data")
        self.none = QToolButton()
        self.none.setText("✕")
        self.none.setToolTip("None: learn from this site alone")
        self.none.setAccessibleName("No source data")
        self.problem = Notice()
        self.setLayout(row(self.folder, self.choose, self.none))
        self.layout().setStretch(0, 1)
        self.choose.clicked.connect(self._ask)
        self.none.clicked.connect(lambda: sourcing.choose())
        sourcing.changed.connect(self.refresh)
        self.refresh()

    def put_into(self, grid: QGridLayout, at: int) -> None:
        """Take two rows of a form of three columns; the problem needs the whole width."""
        grid.addWidget(label("Source data", wrap=False), at, 0)
        grid.addWidget(self, at, 1, 1, 2)
        grid.addWidget(self.problem, at + 1, 0, 1, 3)

    def refresh(self) -> None:
        """Show what is chosen, and what is wrong with it."""
        sourcing = self._sourcing
        self.folder.setText(", ".join(sourcing.names) or "None")
        set_tone(self.folder, "plain" if sourcing.names else "muted")
        self.none.setVisible(bool(sourcing.names))
        problem = sourcing.problem
        self.problem.say("" if problem is None else problem.public_message, "bad")

    def _ask(self) -> None:
        names = self._sourcing.names
        start = str(Path(names[0]).parent) if names else ""
        name = QFileDialog.getExistingDirectory(self, "Folder of labelled source data", start)
        if name:
            self._sourcing.choose(name)
