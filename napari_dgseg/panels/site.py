"""The head of the dock: which site, which model, help."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from platformdirs import user_data_path
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QMenu, QSizePolicy, QToolButton, QWidget

from dgseg.bundles.bundle import BundleInfo, packaged_bundles, read_info
from dgseg.errors import BundleError
from dgseg.scans.appearance import without_group
from napari_dgseg import settings
from napari_dgseg.session import SiteSession
from napari_dgseg.widgets import ElidedLabel, Notice, column, row


def default_site() -> Path:
    """The folder of the site that is opened first: a person's choice, or among their data."""
    chosen = str(settings.get("site.folder"))
    if chosen:
        return Path(chosen).expanduser()
    return user_data_path(settings.PLUGIN, appauthor=False) / "sites" / "my-site"


class SitePanel(QWidget):
    """Name of the site with a menu, name of the model, and problems of either."""

    def __init__(self, session: SiteSession) -> None:
        super().__init__()
        self._session = session
        self.site = QToolButton()
        self.site.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.site.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.site.setProperty("role", "title")
        # A long name is cut, and does not make the dock wider.
        self.site.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.site.setMinimumWidth(80)
        self.model = ElidedLabel(tone="muted", role="small")
        self.help = QToolButton()
        self.help.setText("?")
        self.help.setProperty("role", "title")
        self.help.setToolTip("Keys for site adaptation")
        self.help.setAccessibleName("List of keys")
        self.problem = Notice(action="Try again")
        self.failure = Notice(action="Dismiss")
        self._make_menu()
        layout = column(self, spacing=2)
        layout.addLayout(row(self.site, 1, self.help))
        self.model.setIndent(4)
        layout.addWidget(self.model)
        layout.addWidget(self.problem)
        layout.addWidget(self.failure)
        self.problem.action.clicked.connect(self._try_again)
        self.failure.action.clicked.connect(self._dismiss)
        session.workspace_changed.connect(self.refresh)
        session.failed.connect(self._show_failure)
        self._last = default_site()

    def open(self, path: Path, *, name: str = "", bundle: Path | None = None) -> None:
        """Open a site; a new one starts with `bundle`, or with the packaged model."""
        self._last = path
        self._session.open_workspace(path, name=name, bundle=bundle)

    def refresh(self) -> None:
        """Show the site and its model."""
        session = self._session
        workspace, info = session.workspace, session.info
        name = "No site is open" if workspace is None else workspace.name
        self.site.setText(f"{name}  ▾")
        place = self._last if workspace is None else workspace.path
        self.site.setToolTip(f"{place}\nCorrections and models of this site are kept here.")
        if info is None:
            self.model.setText("no model")
        else:
            self.model.setText(f"Model {_title(info)}")
        problem = session.problem
        self.problem.say("" if problem is None else str(problem), "bad")

    def _make_menu(self) -> None:
        menu = QMenu(self.site)
        menu.addAction("Open another site …", self._ask_site)
        self.new = menu.addMenu("New site with the model")
        self.new.setToolTipsVisible(True)
        self.new.aboutToShow.connect(self._list_models)
        menu.addSeparator()
        menu.addAction("Show its folder", self._show_folder)
        self.site.setMenu(menu)

    def _ask_site(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Open a site", str(self._last.parent))
        if name:
            self.open(Path(name))

    def _list_models(self) -> None:
        self.new.clear()
        for folder in packaged_bundles():
            try:
                info = read_info(folder)
            except BundleError:
                continue  # a damaged installation still has its other models
            action = self.new.addAction(f"{_title(info)} …", partial(self._ask_new, folder))
            action.setToolTip(_remark(info))
        self.new.addSeparator()
        self.new.addAction("In another folder …", self._ask_model)

    def _ask_model(self) -> None:
        name = QFileDialog.getExistingDirectory(
            self, "The model for the new site", str(self._last.parent)
        )
        if not name:
            return
        try:
            read_info(Path(name))
        except BundleError as error:
            self._show_failure(error)
        else:
            self._ask_new(Path(name))

    def _ask_new(self, bundle: Path) -> None:
        start = str(self._last.parent / "new-site")
        name, _ = QFileDialog.getSaveFileName(self, "Name and place of the new site", start)
        if name:
            self.open(Path(name), name=Path(name).name, bundle=bundle)

    def _show_folder(self) -> None:
        if self._session.workspace is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._session.workspace.path)))

    def _try_again(self) -> None:
        self.open(self._last)

    def _show_failure(self, error: Exception) -> None:
        self.failure.say(str(error), "bad")

    def _dismiss(self) -> None:
        self.failure.say("")


def _title(info: BundleInfo) -> str:
    names = ", ".join(label.short_name for label in info.labels.labels)
    return f"{info.name} · {info.method} · {names}"


def _remark(info: BundleInfo) -> str:
    """What tells a model from others that do the same."""
    if info.style_bank is None:
        return "Segments only: the latent inspector has nothing to show of it."
    centres = len(set(map(without_group, info.style_bank.domains)))
    return f"Tells anatomy from the look of {centres} centres: the latent inspector shows it."
