"""The dock in a real napari window: docking, closing, themes, keys."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
from qtpy.QtWidgets import QDialog, QDockWidget

from dgseg.site.workspace import Workspace
from napari_dgseg.dock import SiteAdaptationDock
from napari_dgseg.household import Household
from napari_dgseg.look import look_of
from napari_dgseg.shortcuts import KEYS


@pytest.fixture
def docked(make_napari_viewer_proxy, site, worker):
    """A viewer, and the dock in it."""

    def make(**options):
        viewer = make_napari_viewer_proxy(**options)
        household = Household(viewer, worker=worker)
        dock = SiteAdaptationDock(viewer, site, household=household)
        viewer.window.add_dock_widget(dock, name="Site adaptation", area="right")
        return viewer, dock

    return make


def test_importing_the_dock_imports_neither_torch_nor_pyqtgraph_nor_readers():
    heavy = {"torch", "pyqtgraph", "kornia", "monai", "nibabel", "pydicom"}
    script = f"import sys, napari_dgseg.dock\nassert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_closing_the_window_ends_everything(docked, worker, site):
    _viewer, dock = docked()
    parts = dock.parts
    assert parts.is_open
    dock.close()
    assert not parts.is_open
    assert worker.closed == 1
    with Workspace.open(site):  # the lock is free
        pass


def test_taking_the_dock_out_saves_and_unbinds(
    docked, site, scan_files, propose, qtbot, worker
):
    viewer, dock = docked()
    session = dock.parts.session
    session.add_paths(scan_files[:1])
    qtbot.waitUntil(lambda: not dock.parts.runner.waiting, timeout=20_000)
    scan_id = session.scan_ids[0]
    propose(session.workspace, scan_id)
    session.open_scan(scan_id)
    qtbot.waitUntil(lambda: session.current is not None, timeout=20_000)
    dock.correct.start.click()
    dock.parts.stage.layer("corrections").paint((2, 18, 3), 1)  # and at once:
    bound = len(viewer.keymap)
    viewer.window.remove_dock_widget(dock)
    assert not dock.parts.is_open
    assert len(viewer.keymap) < bound
    with Workspace.open(site) as workspace:
        assert workspace.corrections(scan_id).slices == {2: "changed"}
    dock.deleteLater()


def test_no_private_access(docked, recwarn):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        _, dock = docked()
        dock.close()


def test_themes_change_the_look(docked):
    viewer, dock = docked()
    dark = dock.styleSheet()
    viewer.theme = "light"
    assert dock.styleSheet() != dark
    assert look_of("dark").is_dark
    assert not look_of("light").is_dark
    dock.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_text_is_legible_on_its_ground(theme):
    """WCAG AA, 4.5 to 1, for every tone on both grounds."""
    look = look_of(theme)
    for tone in ("plain", "muted", "good", "caution", "bad", "accent"):
        for ground in (look.background, look.raised):
            assert _contrast(look.tone(tone), ground) >= 4.5, tone
    assert _contrast(look.on_fill, look.fill) >= 4.5


def _contrast(a, b):
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color):
    def linear(c):
        return c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4

    r, g, b = (linear(c) for c in color.getRgbF()[:3])
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_steps_make_room_for_each_other(docked, qtbot):
    viewer, dock = docked(show=True)
    viewer.window.resize(1280, 800)
    for number in (1, 2, 3, 4):
        dock.unfold(number)
        qtbot.wait(50)
        assert dock.steps[number - 1].is_open
        bar = dock._scroll.verticalScrollBar()
        assert bar.maximum() == 0
    assert dock.parent() is not None
    assert isinstance(dock.parent(), QDockWidget)
    assert dock.minimumSizeHint().width() <= 380
    dock.close()


def test_the_list_of_keys(docked, qtbot):
    _, dock = docked(show=True)
    dock.site.help.click()
    (dialog,) = dock.findChildren(QDialog)
    assert dialog.isVisible()
    rows = dict(dock.shortcuts.rows())
    assert rows[KEYS["next_uncertain"]]
    assert rows["Ctrl+1"] == "paint grey matter"
    assert "Ctrl+3" not in rows
    dialog.close()
    dock.close()


def test_opened_from_the_menu_as_the_manifest_says(plugin, make_napari_viewer_proxy, tmp_path):
    from napari_dgseg import settings

    viewer = make_napari_viewer_proxy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            settings,
            "get",
            lambda key, old=settings.get: (
                str(tmp_path / "menu") if key == "site.folder" else old(key)
            ),
        )
        _, dock = viewer.window.add_plugin_dock_widget("napari-dgseg", "Site adaptation")
        assert isinstance(dock, SiteAdaptationDock)
        dock.close()
