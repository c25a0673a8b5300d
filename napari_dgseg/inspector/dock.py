"""The dock "Latent inspector": what a model sees in the scan on display, and in the site."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QFrame,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QTabBar,
    QWidget,
)

from napari_dgseg.docked import DockedWidget
from napari_dgseg.household import Household
from napari_dgseg.inspector.inspecting import Inspecting
from napari_dgseg.inspector.pages import AnatomyPage, Page, ReconstructionPage
from napari_dgseg.inspector.showing import Showing
from napari_dgseg.look import Look, style_sheet
from napari_dgseg.turns import Turns
from napari_dgseg.widgets import ElidedLabel, Notice, button, column, label, row

if TYPE_CHECKING:
    import napari

WIDTH = 420

_SOON_MS = 120
"""Records come in one after the other; what they change is shown at once for several."""

_ALONE_MS = 1500
"""So long after a question about a slice the worker has nothing else to do."""

_CHOICES = {
    "accepted": ("Model in use", "What the accepted model sees"),
    "candidate": ("Candidate", "What the newly adapted model sees"),
    "both": ("Both", "The model in use and the candidate beside each other"),
}

_WAITS = {
    "job": "waits for the adaptation",
    "segmenting": "waits for the segmentation",
    "probing": "waits for you",
}


class LatentInspectorDock(DockedWidget):
    """Shows what a model that tells anatomy from appearance sees.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer that it is docked in.
    household : Household, optional
        The parts behind it, for tests; by default those of the viewer.
    """

    later = (
        *DockedWidget.later,
        "napari_dgseg.inspector.site_pages",
        "napari_dgseg.inspector.traversal_page",
        "napari_dgseg.inspector.probe_pages",
    )

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, *, household: Household | None = None
    ) -> None:
        super().__init__(napari_viewer, household)
        parts = self.parts
        self.inspecting = Inspecting(
            parts.session, parts.worker, parts.adapting, parts.segmenting
        )
        self.showing = Showing(napari_viewer, parts.stage)
        self._pages: dict[str, Page] = {}
        self._turns = Turns()
        self._look: Look | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self.refresh)
        self._alone = QTimer(self)
        self._alone.setSingleShot(True)
        self._alone.setInterval(_ALONE_MS)
        self._alone.timeout.connect(self._share)
        self._build()
        self._connect()
        self.refresh()

    # --- made of ------------------------------------------------------------------

    def _build(self) -> None:
        self.where = ElidedLabel(role="strong")
        self.tabs = QTabBar()
        self.tabs.setDrawBase(False)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.setAccessibleName("What to look at")
        self.stack = QStackedWidget()
        for title in _MAKERS:
            self.tabs.addTab(title)
        self.body = QWidget()
        body = column(self.body)
        body.addWidget(self._build_switch())
        body.addWidget(self.tabs)
        body.addWidget(self.stack, 1)
        body.addWidget(self._build_foot())
        layout = column(self)
        layout.setContentsMargins(6, 2, 6, 6)
        layout.addWidget(self.where)
        layout.addWidget(self.body, 1)
        layout.addWidget(self._build_hindrance(), 1)
        self.setMinimumWidth(WIDTH - 40)
        self.setAccessibleName("Latent inspector")

    def _build_switch(self) -> QWidget:
        self.switch = QWidget()
        self._choices = QButtonGroup(self)
        self.choices: dict[str, QPushButton] = {}
        for choice, (text, tip) in _CHOICES.items():
            each = button(text, tip)
            each.setCheckable(True)
            each.clicked.connect(partial(self._choose, choice))
            self._choices.addButton(each)
            self.choices[choice] = each
        self.switch.setLayout(row(*self.choices.values(), spacing=2, shares=(1, 1, 1)))
        return self.switch

    def _build_foot(self) -> QWidget:
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Scans that have been looked into")
        self.failures = Notice(action="Try again")
        self.foot = QWidget()
        foot = column(self.foot)
        foot.addWidget(self.failures)
        foot.addWidget(self.bar)
        return self.foot

    def _build_hindrance(self) -> QWidget:
        self.problem = label(role="strong")
        self.remedy = label(tone="muted")
        self.open_site = button(
            "Open Site adaptation", "Open the dock that adds and lists scans", primary=True
        )
        self.hindrance = QWidget()
        layout = column(self.hindrance, spacing=8)
        layout.setContentsMargins(18, 0, 18, 0)
        layout.addStretch(2)
        for each in (self.problem, self.remedy):
            each.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(each)
        layout.addWidget(self.open_site, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
        return self.hindrance

    def _connect(self) -> None:
        inspecting, stage = self.inspecting, self.parts.stage
        for signal, slot in (
            (inspecting.changed, self.refresh),
            (inspecting.picturing.changed, self._refresh_soon),
            (inspecting.gathering.found, self._refresh_soon),
            (inspecting.gathering.changed, self._show_progress),
            (inspecting.arrived, stage.go_to),
            (inspecting.probing.asked, self._be_alone),
            (inspecting.errands.asked, self._be_alone),
            (stage.slice_changed, self._show_slice),
            (self.parts.session.rows_changed, self._refresh_soon),
        ):
            self.listen(signal, slot)
        self.tabs.currentChanged.connect(self.refresh)
        self.open_site.clicked.connect(self._open_site)
        self.failures.action.clicked.connect(self._try_again)
        self.dress(self._put_on)

    # --- Qt's hooks ---------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """As wide as the tabs need, as high as there is."""
        return QSize(WIDTH, 640)

    def foresee(self) -> None:
        """Make the other tabs before a person turns to them, one a turn of the event loop."""
        self._turns.add(*(partial(self._made, title) for title in _MAKERS))

    def end(self) -> None:
        """Stop computing, and take our layers out of the viewer."""
        self._turns.forget()
        self._soon.stop()
        self._alone.stop()
        for page in self._pages.values():
            page.close()
        self.inspecting.close()
        self.showing.close()

    # --- what is shown ------------------------------------------------------------

    @property
    def page(self) -> Page:
        """The tab in front."""
        return self._made(self.tabs.tabText(self.tabs.currentIndex()))

    def _made(self, title: str) -> Page:
        """A tab; who opens the dock waits for the first one only."""
        if title not in self._pages:
            self._make(title)
        return self._pages[title]

    def _make(self, title: str) -> None:
        page = _MAKERS[title](self)
        self._pages[title] = page
        # The map takes the room that there is; the others may need more.
        self.stack.addWidget(page.view if title == "Appearance" else _scrolling(page.view))
        if self._look is not None:
            page.wear(self._look)

    def turn_to(self, title: str) -> None:
        """Bring a tab to the front."""
        self.tabs.setCurrentIndex(list(_MAKERS).index(title))

    def refresh(self, *_: object) -> None:
        """Show everything anew."""
        self._soon.stop()
        hindrance = self.inspecting.hindrance
        self.hindrance.setVisible(hindrance is not None)
        self.body.setVisible(hindrance is None)
        self.switch.setVisible(self.inspecting.models.candidate is not None)
        self.choices[self.inspecting.models.choice].setChecked(True)
        self._show_where()
        self._show_progress()
        if hindrance is not None:
            self.problem.setText(hindrance.problem)
            self.remedy.setText(hindrance.remedy)
            self.open_site.setVisible(hindrance.lack in ("site", "scans"))
            return
        page = self.page
        self.stack.setCurrentIndex(list(self._pages).index(page.title))
        page.refresh()

    def _refresh_soon(self, *_: object) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _be_alone(self) -> None:
        """Let a person's question have the worker for itself, and the next one too."""
        self.inspecting.gathering.hold("probing")
        self._alone.start()

    def _share(self) -> None:
        if self.inspecting.probing.is_busy:
            self._alone.start()
        else:
            self.inspecting.gathering.go_on("probing")

    def _show_slice(self) -> None:
        self._show_where()
        if self.inspecting.hindrance is None:
            self.page.show_slice()

    def _show_where(self) -> None:
        session = self.parts.session
        chosen = session.row(self.inspecting.scan_id)
        parts = [] if session.workspace is None else [session.workspace.name]
        if chosen is not None:
            stage = self.parts.stage
            at = f"slice {stage.slice_index} of 0–{stage.n_slices - 1}"
            parts += [chosen.title, at]
        self.where.setText(" · ".join(parts))
        self.where.setVisible(bool(parts))

    def _show_progress(self) -> None:
        gathering = self.inspecting.gathering
        total, done = gathering.n_total, gathering.n_done
        self.bar.setVisible(gathering.is_busy)
        running = gathering.fraction if gathering.is_running else 0.0
        self.bar.setValue(round(1000 * (done + running) / max(total, 1)))
        why = next((_WAITS[each] for each in _WAITS if each in gathering.holds), "")
        self.bar.setFormat(f"{done} of {total} scans" + (f" · {why}" if why else ""))
        n_failed = len(gathering.errors)
        text = ""
        if n_failed:
            first = next(iter(gathering.errors.values()))
            scans = "scan" if n_failed == 1 else "scans"
            text = f"{n_failed} {scans} could not be looked into: {first.public_message}"
        self.failures.say(text, "caution")

    # --- what a person does -------------------------------------------------------

    def _choose(self, choice: str) -> None:
        self.inspecting.models.choose(choice)  # type: ignore[arg-type]

    def _try_again(self) -> None:
        self.inspecting.gathering.try_again()
        self.inspecting.picturing.try_again()

    def _open_site(self) -> None:
        self._viewer.window.add_plugin_dock_widget("napari-dgseg", "Site adaptation")

    def _put_on(self, look: Look) -> None:
        self.setStyleSheet(style_sheet(look) + _tab_rules(look))
        self._look = look
        for page in self._pages.values():
            page.wear(look)


def _reconstruction(dock: LatentInspectorDock) -> Page:
    return ReconstructionPage(dock.inspecting, dock.parts.stage, dock.showing)


def _anatomy(dock: LatentInspectorDock) -> Page:
    return AnatomyPage(dock.inspecting, dock.parts.stage, dock.showing)


def _appearance(dock: LatentInspectorDock) -> Page:
    from napari_dgseg.inspector.site_pages import AppearancePage

    return AppearancePage(dock.inspecting, dock.parts.stage)


def _traversal(dock: LatentInspectorDock) -> Page:
    from napari_dgseg.inspector.traversal_page import TraversalPage

    return TraversalPage(dock.inspecting, dock.parts.stage, dock.showing)


def _swap(dock: LatentInspectorDock) -> Page:
    from napari_dgseg.inspector.probe_pages import SwapPage

    return SwapPage(dock.inspecting, dock.parts.stage)


def _measures(dock: LatentInspectorDock) -> Page:
    from napari_dgseg.inspector.site_pages import MeasuresPage

    return MeasuresPage(dock.inspecting, dock.showing)


_MAKERS: dict[str, Callable[[LatentInspectorDock], Page]] = {
    "Reconstruction": _reconstruction,
    "Anatomy": _anatomy,
    "Appearance": _appearance,
    "Traversal": _traversal,
    "Swap": _swap,
    "Measures": _measures,
}
"""The tabs, from left to right. Who opens the dock waits for the first one only."""


def _scrolling(view: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(view)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def _tab_rules(look: Look) -> str:
    accent, muted = look.tones["accent"].name(), look.tones["muted"].name()
    ground, raised, text = look.background.name(), look.raised.name(), look.text.name()
    return f"""
    QTabBar::tab {{ padding: 5px 3px; font-size: 8.5pt; color: {muted};
        background: {ground}; border: 0px; border-radius: 0px;
        border-bottom: 2px solid {raised}; }}
    QTabBar::tab:hover {{ color: {text}; background: {raised}; }}
    QTabBar::tab:selected {{ color: {text}; background: {ground};
        border-bottom: 2px solid {accent}; }}
    """
