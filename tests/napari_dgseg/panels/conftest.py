"""The whole dock in a viewer without a window, with a worker that the test speaks for."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from dgseg.worker.protocol import MethodInfo
from napari_dgseg.dock import SiteAdaptationDock
from napari_dgseg.household import Household


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(qtbot, viewer, site, worker):
    """The dock, shown, with an empty site."""
    dock = SiteAdaptationDock(viewer, site, household=Household(viewer, worker=worker))
    dock.resize(345, 700)
    with qtbot.waitExposed(dock):
        dock.show()
    yield dock
    # Nothing may need more width than there is: it would be cut off at the right.
    needed = dock._contents.minimumSizeHint().width()
    room = dock._scroll.viewport().width()
    least = dock.minimumSizeHint().width()
    dock.close()
    assert needed <= room
    assert least <= 345
    dock.deleteLater()


@pytest.fixture
def idle(dock, qtbot):
    """A function that waits until all background work is done and delivered."""

    def wait() -> None:
        qtbot.waitUntil(lambda: not dock.parts.runner.waiting, timeout=20_000)

    return wait


@pytest.fixture
def filled(dock, scan_files, idle):
    """The dock with three scans in its table."""
    dock.parts.session.add_paths(scan_files[:3])
    idle()
    return dock


@pytest.fixture
def opened(filled, propose, idle):
    """The dock with the first scan open and segmented."""
    session = filled.parts.session
    propose(session.workspace, session.scan_ids[0])
    session.refresh_row(session.scan_ids[0])
    session.open_scan(session.scan_ids[0])
    idle()
    return filled


@pytest.fixture
def press(qtbot):
    """A function that clicks a button with the mouse; it must be visible and enabled."""

    def click(button) -> None:
        assert button.isVisible(), "not visible"
        assert button.isEnabled(), button.toolTip()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    return click


@pytest.fixture
def correcting(opened, press):
    """The dock while the first scan is corrected."""
    press(opened.correct.start)
    return opened


@pytest.fixture
def next_slice(dock, press, qtbot):
    """A function that presses "Next slice" and waits until it is there."""

    def go() -> None:
        press(dock.correct.next)
        qtbot.waitUntil(lambda: not dock.parts.suggesting.is_busy, timeout=20_000)

    return go


@pytest.fixture
def method_infos():
    """Methods as the worker tells of them, by their names."""
    infos = (
        MethodInfo(name="finetune", title="Fine-tuning", when="Many corrections."),
        MethodInfo(name="mean-teacher", title="Teacher", when="Odd.", needs_labels=False),
        MethodInfo(
            name="meta-disentangle",
            title="Meta",
            when="With styles.",
            needs_labels=False,
            needs_style_bank=True,
        ),
        MethodInfo(
            name="pose-search", title="Search", when="First.", needs_labels=False, learns=False
        ),
        MethodInfo(name="tent", title="Entropy", when="Odd.", needs_labels=False),
        MethodInfo(name="two-teachers", title="Two", when="Few corrections."),
    )
    return {info.name: info for info in infos}
