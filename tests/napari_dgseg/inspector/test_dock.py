"""The inspector as a whole: what it says, how it shares the site, how it makes way."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings

import pytest
from qtpy.QtWidgets import QDockWidget

from dgseg.errors import DgsegError
from dgseg.scans.sources import discover, read
from dgseg.site.workspace import Workspace
from dgseg.worker.protocol import Inspect, Pictures
from napari_dgseg.dock import SiteAdaptationDock
from napari_dgseg.household import Household
from napari_dgseg.inspector.dock import LatentInspectorDock
from napari_dgseg.widgets import Notice

HEAVY = ("torch", "pyqtgraph", "sklearn", "monai", "pandas", "scipy.special", "scipy.ndimage")
"""What opening the dock may not import; of scipy and scikit-image napari itself has the top."""

TABS = ("site_pages", "traversal_page", "probe_pages", "scatter")
"""Modules of tabs that are not in front."""


def test_opening_the_inspector_imports_nothing_heavy():
    script = (
        "import sys\n"
        "from qtpy.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "import napari.layers, napari.qt\n"
        "from napari.components import ViewerModel\n"
        "viewer = ViewerModel()\n"
        "before = set(sys.modules)\n"
        "from napari_dgseg.inspector.dock import LatentInspectorDock\n"
        "dock = LatentInspectorDock(viewer)\n"
        "dock.show()\n"
        "app.processEvents()\n"
        "new = set(sys.modules) - before\n"
        f"assert not new & set({HEAVY!r}), new & set({HEAVY!r})\n"
        "assert not {name for name in new if name.startswith(('scipy', 'skimage'))}\n"
        f"tabs = {{f'napari_dgseg.inspector.{{name}}' for name in {TABS!r}}}\n"
        "assert not new & tabs\n"
        "dock.close()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_the_first_tab_imports_nothing_heavy_either(tmp_path, make_telling_bundle, scan_files):
    site = tmp_path / "site"
    with Workspace.open(site, bundle=make_telling_bundle()) as workspace:
        workspace.add(read(discover(scan_files[0])[0].source))
    script = (
        "import sys\n"
        "from qtpy.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "from napari.components import ViewerModel\n"
        "from napari_dgseg.inspector.dock import LatentInspectorDock\n"
        "dock = LatentInspectorDock(ViewerModel())\n"
        f"dock.parts.session.open_workspace({str(site)!r})\n"
        "dock.show()\n"
        "dock.refresh()\n"
        "assert 'Open a scan' in dock.page.view.body.text\n"
        f"heavy = set({HEAVY!r}) & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "dock.close()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_each_tab_is_made_when_it_first_is_in_front(opened):
    assert opened.stack.count() == 1
    first = opened.page
    opened.turn_to("Measures")
    assert opened.stack.count() == 2
    assert opened.stack.currentWidget().isAncestorOf(opened.page.view)
    opened.turn_to("Reconstruction")
    assert opened.page is first
    assert opened.stack.currentWidget().isAncestorOf(first.view)
    assert [opened.tabs.tabText(at) for at in range(opened.tabs.count())] == [
        "Reconstruction",
        "Anatomy",
        "Appearance",
        "Traversal",
        "Swap",
        "Measures",
    ]


def test_the_other_tabs_are_made_while_the_window_is_idle(opened, qtbot):
    opened.foresee()
    assert opened.stack.count() == 1  # not in one go
    qtbot.waitUntil(lambda: opened.stack.count() == opened.tabs.count())
    for at in reversed(range(opened.tabs.count())):
        opened.tabs.setCurrentIndex(at)
        assert opened.page.title == opened.tabs.tabText(at)
        assert opened.stack.currentWidget().isAncestorOf(opened.page.view)


def test_what_the_other_tabs_need_is_imported_off_the_windows_thread(
    qtbot, viewer, household, monkeypatch
):
    names, threads = [], set()

    def load(name):
        names.append(name)
        threads.add(threading.current_thread())

    monkeypatch.setattr("napari_dgseg.docked.import_module", load)
    dock = LatentInspectorDock(viewer, household=household)
    qtbot.addWidget(dock)
    assert not names
    qtbot.waitUntil(lambda: dock.stack.count() == dock.tabs.count())
    assert "pyqtgraph" in names
    assert threading.main_thread() not in threads
    dock.close()


def test_a_dock_that_was_closed_meanwhile_makes_no_tabs(qtbot, viewer, household, idle):
    dock = LatentInspectorDock(viewer, household=household)
    qtbot.addWidget(dock)
    dock._import_later()
    dock.close()
    idle()  # another dock keeps the household open: the answer still comes
    assert not dock._turns.is_busy


def test_a_dock_that_was_closed_at_once_imports_nothing(qtbot, viewer, household):
    dock = LatentInspectorDock(viewer, household=household)
    qtbot.addWidget(dock)
    dock.close()
    assert not dock._later.isActive()


# --- what it says where there is nothing to look into --------------------------------------


def test_without_a_site_it_says_where_to_open_one(qtbot, viewer, worker):
    dock = LatentInspectorDock(viewer, household=Household(viewer, worker=worker))
    dock.show()
    assert "No site is open" in dock.problem.text()
    assert dock.open_site.isVisible()
    assert not dock.body.isVisible()
    dock.close()
    dock.deleteLater()


def test_a_site_without_scans(dock):
    assert "no scans yet" in dock.problem.text()


def test_a_model_that_does_not_tell(
    qtbot, viewer, worker, tmp_path, make_telling_bundle, scan_files
):
    folder = tmp_path / "other"
    bundle = make_telling_bundle("0d0d0d0d0d0d", kind="unet")
    Workspace.open(folder, bundle=bundle).close()
    household = Household(viewer, worker=worker)
    household.session.open_workspace(folder)
    dock = LatentInspectorDock(viewer, household=household)
    dock.show()
    assert "does not tell anatomy from appearance" in dock.problem.text()
    assert "dgnet-plus" in dock.remedy.text()
    assert not worker.requests
    dock.close()
    dock.deleteLater()


def test_no_scan_is_open(dock, scan_files, idle, answers):
    dock.parts.session.add_paths(scan_files[:1])
    idle()
    dock.refresh()
    assert "Open a scan" in dock.page.view.body.text
    assert dock.page.view.minimumSizeHint().height() < 200  # what is unseen needs no room


def test_pictures_that_fail_say_why(dock, scan_files, idle, worker):
    session = dock.parts.session
    session.add_paths(scan_files[:1])
    idle()
    session.open_scan(session.scan_ids[0])
    idle()
    number = next(r.id for r in worker.requests if isinstance(r, Pictures))
    error = DgsegError("Slices 2 and 3 have no finite codes.", remedy="Segment another scan.")
    worker._callbacks[number]["error"](error)
    dock.refresh()
    assert "no finite codes" in dock.page.view.body.text


# --- progress ------------------------------------------------------------------------------


def test_progress_counts_and_failures_can_be_tried_again(
    dock, scan_files, idle, answers, worker, press, qtbot
):
    session = dock.parts.session
    session.add_paths(scan_files[:3])
    idle()
    qtbot.waitUntil(dock.bar.isVisible)  # with the body, which shows a moment later
    assert dock.bar.format() == "0 of 3 scans"
    worker.fail(DgsegError("The scan is constant."))
    assert "1 scan could not be looked into" in dock.failures.text
    answers = answers(session)
    answers.done.add(1)
    answers.inspect()
    idle()
    answers.inspect()
    idle()
    assert not dock.bar.isVisible()
    press(dock.failures.action)
    answers.inspect()
    idle()
    assert not dock.failures.text
    assert dock.inspecting.gathering.n_done == 3


def test_a_job_has_the_machine(dock, scan_files, idle, worker):
    dock.parts.session.add_paths(scan_files[:2])
    idle()
    dock.parts.adapting.take_state("running")
    assert worker.cancelled
    assert "waits for the adaptation" in dock.bar.format()
    n_asked = len(worker.requests)
    dock.parts.adapting.take_state("finished")
    assert len(worker.requests) == n_asked + 1
    assert isinstance(worker.requests[-1], Inspect)


def test_closing_asks_for_nothing_more(dock, scan_files, idle, worker):
    dock.parts.session.add_paths(scan_files[:2])
    idle()
    dock.close()
    assert worker.cancelled
    assert not dock.parts.is_open


# --- models --------------------------------------------------------------------------------


def test_without_a_candidate_there_is_no_switch(opened):
    assert not opened.switch.isVisible()


def test_both_models_beside_each_other(with_candidate, press, press_and_wait, viewer):
    dock = with_candidate
    assert dock.switch.isVisible()
    press(dock.choices["both"])
    dock.settle()
    view = dock.page.view
    assert view.error.text().splitlines()[0].startswith("Model in use: slice")
    assert view.error.text().splitlines()[1].startswith("Candidate: slice")
    press_and_wait(view.show_layers)
    assert "reconstruction (model in use)" in viewer.layers
    assert "reconstruction (candidate)" in viewer.layers
    dock.turn_to("Anatomy")
    assert all(group.isVisible() for group in dock.page.view.groups)
    press(dock.page.view.groups[1].buttons[3])
    assert "anatomy, channel 4 (candidate)" in viewer.layers


def test_the_candidate_alone(with_candidate, press, worker):
    dock = with_candidate
    press(dock.choices["candidate"])
    dock.settle()
    paths = {r.bundle for r in worker.requests if isinstance(r, Pictures)}
    assert dock.parts.adapting.folder.bundle in paths
    assert dock.page.view.error.text().startswith("Slice")


def test_the_decision_ends_it(with_candidate, press):
    dock = with_candidate
    press(dock.choices["both"])
    dock.settle()
    adapting = dock.parts.adapting
    adapting.folder, adapting.state = None, "idle"
    adapting.changed.emit()
    assert not dock.switch.isVisible()
    assert [model.which for model in dock.inspecting.models.chosen] == ["accepted"]
    assert dock.inspecting.gathering.n_total == 3


# --- docking -------------------------------------------------------------------------------


@pytest.fixture
def both_docked(make_napari_viewer_proxy, site, worker):
    """A viewer with both docks."""

    def make(**options):
        viewer = make_napari_viewer_proxy(**options)
        household = Household(viewer, worker=worker)
        dock = SiteAdaptationDock(viewer, site, household=household)
        viewer.window.add_dock_widget(dock, name="Site adaptation", area="right")
        inspector = LatentInspectorDock(viewer)
        viewer.window.add_dock_widget(inspector, name="Latent inspector", area="right")
        return viewer, dock, inspector

    return make


def test_both_docks_share_a_site_and_the_last_closes_it(both_docked, worker, site):
    viewer, dock, inspector = both_docked()
    assert inspector.parts is dock.parts
    assert "St. Anna" in inspector.where.text()
    viewer.window.remove_dock_widget(dock)
    assert inspector.parts.is_open
    assert inspector.parts.session.workspace is not None
    bound = len(viewer.keymap)
    inspector.parts.session.refresh_model()
    assert len(viewer.keymap) == bound  # nobody would see what a key of that dock does
    viewer.window.remove_dock_widget(inspector)
    assert not inspector.parts.is_open
    assert worker.closed == 1
    with Workspace.open(site):  # the lock is free
        pass
    for each in (dock, inspector):
        each.deleteLater()


def test_the_inspector_may_go_first(both_docked, worker):
    viewer, dock, inspector = both_docked()
    viewer.window.remove_dock_widget(inspector)
    assert dock.parts.is_open
    assert not worker.closed
    dock.close()
    assert worker.closed == 1
    inspector.deleteLater()


def test_a_dock_that_opens_later_finds_the_site(both_docked):
    viewer, dock, inspector = both_docked()
    workspace = dock.parts.session.workspace
    viewer.window.remove_dock_widget(dock)
    again = SiteAdaptationDock(viewer)
    assert again.parts is inspector.parts
    assert again.parts.session.workspace is workspace
    assert again.site.site.text().startswith("St. Anna")
    for each in (again, inspector):
        each.close()
    dock.deleteLater()


def test_no_private_access_and_both_themes(both_docked):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        viewer, dock, inspector = both_docked(show=True)
        dark = inspector.styleSheet()
        viewer.theme = "light"
        assert inspector.styleSheet() != dark
        assert isinstance(inspector.parent(), QDockWidget)
        inspector.close()
        dock.close()


def test_the_inspector_fits_beside_the_canvas(both_docked, qtbot):
    viewer, dock, inspector = both_docked(show=True)
    viewer.window.resize(1280, 800)
    for at in range(inspector.tabs.count()):
        inspector.tabs.setCurrentIndex(at)
        assert inspector.minimumSizeHint().width() <= 420
    assert not [n for n in inspector.findChildren(Notice) if n.isVisible()]
    inspector.close()
    dock.close()


def test_from_the_menu_and_on_to_the_other_dock(
    plugin, make_napari_viewer_proxy, tmp_path, monkeypatch, press
):
    from napari_dgseg import settings

    viewer = make_napari_viewer_proxy(show=True)
    folder, get = str(tmp_path / "menu"), settings.get
    monkeypatch.setattr(
        settings, "get", lambda key: folder if key == "site.folder" else get(key)
    )
    _, inspector = viewer.window.add_plugin_dock_widget("napari-dgseg", "Latent inspector")
    assert isinstance(inspector, LatentInspectorDock)
    press(inspector.open_site)
    assert inspector.parts.session.workspace is not None
    assert "No site" not in inspector.problem.text()
    inspector.close()
    assert inspector.parts.is_open  # the other dock holds it
    viewer.window.remove_dock_widget("all")
    assert not inspector.parts.is_open
