"""From point to point with the arrow keys, and what the map shows of it. With real keys."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from napari_dgseg.inspector.appearance import AppearanceView
from napari_dgseg.inspector.points import Points
from napari_dgseg.inspector.steering import WORDS, nearest_towards
from napari_dgseg.look import look_of

LEFT, RIGHT, UP, DOWN = (-1, 0), (1, 0), (0, -1), (0, 1)
KEY = Qt.Key

# --- the way ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("towards", "expected"), [(RIGHT, 1), (LEFT, 3), (UP, 4), (DOWN, 2)])
def test_the_nearest_one_in_the_direction(towards, expected):
    places = np.array([[0, 0], [10, 2], [1, 12], [-9, 3], [2, -8], [40, 0], [0, 60]], float)
    assert nearest_towards(places, 0, towards) == expected


def test_what_lies_straight_ahead_comes_before_what_is_nearer_to_the_side():
    places = np.array([[0, 0], [2, 9], [30, 5]], float)
    assert nearest_towards(places, 0, RIGHT) == 2
    assert nearest_towards(places[:2], 0, RIGHT) == 1  # where there is nothing else


def test_at_the_edge_there_is_no_further():
    places = np.array([[0, 0], [-5, 1]], float)
    assert nearest_towards(places, 0, RIGHT) == 0


def test_what_is_not_shown_is_never_reached():
    places = np.array([[0, 0], [np.nan, np.nan], [9, 0]], float)
    assert nearest_towards(places, 0, RIGHT) == 2
    assert nearest_towards(places[:2], 0, RIGHT) == 0


def test_every_point_of_a_cloud_can_be_reached(rng):
    places = rng.normal(size=(60, 2)) * 100
    reached, waiting = {0}, [0]
    while waiting:
        at = waiting.pop()
        for towards in (LEFT, RIGHT, UP, DOWN):
            to = nearest_towards(places, at, towards)
            if to not in reached:
                reached.add(to)
                waiting.append(to)
    assert reached == set(range(60))


# --- the keys --------------------------------------------------------------------------------

PLACES = np.array([[-2.0, 0], [-1, 1.5], [0.8, 1], [2, -1], [0, 0]])
"""0 left, 1 up on the left, 2 up on the right, 3 down on the right, 4 in the middle."""


@pytest.fixture
def window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    return window


@pytest.fixture(params=["dark", "light"])
def view(request, window, qtbot):
    """The map of five slices between two other widgets, in a theme of napari."""
    view = AppearanceView()
    layout = QVBoxLayout(window)
    for each in (QLineEdit(), view, QLineEdit()):
        layout.addWidget(each)
    window.resize(380, 720)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    view.wear(look_of(request.param))
    view.show_points(_points(), [])
    QApplication.processEvents()
    return view


def _points(xy=PLACES):
    n = len(xy)
    return Points(
        xy=np.array(xy, float),
        scan_ids=("a", "a", "b", "b", "c")[:n],
        slices=np.array([0, 7, 0, 1, 4])[:n],
        thumbnails=np.full((n, 48, 48), 90, np.uint8),
        series=("",) * n,
        error=np.full(n, np.nan),
        uncertainty=np.full(n, np.nan),
        titles=("scan one", "scan one", "scan two", "scan two", "scan three")[:n],
    )


@pytest.fixture
def steered(view, qtbot):
    """The map with the focus, as the Tab key gives it."""
    view.plot.plot.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(view.plot.plot.hasFocus)
    return view


def _marked(view):
    """Where the frame is drawn."""
    places = {tuple(point.pos()) for point in view.plot._items["steered"].points()}
    return places.pop() if places else None


def _place(at):
    return tuple(PLACES[at])


def test_tab_reaches_the_map_and_shows_where_it_is(view, qtbot):
    assert _marked(view) is None
    line = view.parent().findChildren(QLineEdit)[0]
    line.setFocus()
    for _ in range(20):
        qtbot.keyClick(QApplication.focusWidget(), KEY.Key_Tab)
        if view.plot.plot.hasFocus():
            break
    assert view.plot.plot.hasFocus()
    assert _marked(view) == _place(4)  # the nearest to the middle
    qtbot.keyClick(view.plot.plot, KEY.Key_Tab)
    assert not view.plot.plot.hasFocus()
    assert _marked(view) is None


def test_it_begins_at_the_slice_on_display(view, qtbot):
    view.set_current("b", 1)
    view.plot.plot.setFocus(Qt.FocusReason.TabFocusReason)
    assert _marked(view) == _place(3)


def test_arrows_lead_from_point_to_point(steered, qtbot):
    plot = steered.plot.plot
    for key, at in (
        (KEY.Key_Up, 2),
        (KEY.Key_Left, 1),
        (KEY.Key_Left, 0),
        (KEY.Key_Left, 0),  # no further
        (KEY.Key_Right, 4),
        (KEY.Key_Right, 3),
    ):
        qtbot.keyClick(plot, key)
        assert _marked(steered) == _place(at), key
    assert steered.card.isVisible()
    x, y = (round(each) for each in steered.plot.places[3])
    assert not steered.card.geometry().adjusted(-40, -40, 40, 40).contains(QPoint(x, y))
    assert steered.card.texts == ["scan two", "slice 1"]
    assert plot.accessibleDescription() == "scan two, slice 1"


def test_enter_goes_to_the_slice(steered, qtbot):
    plot = steered.plot.plot
    qtbot.keyClick(plot, KEY.Key_Left)
    for key in (KEY.Key_Return, KEY.Key_Enter):
        with qtbot.waitSignal(steered.slice_chosen) as caught:
            qtbot.keyClick(plot, key)
        assert caught.args == ["a", 0]
    assert _marked(steered) == _place(0), "the next arrow goes on from there"


def test_escape_leaves(steered, qtbot):
    plot = steered.plot.plot
    qtbot.keyClick(plot, KEY.Key_Escape)
    assert not plot.hasFocus()
    assert _marked(steered) is None
    assert not steered.card.isVisible()
    with qtbot.assertNotEmitted(steered.slice_chosen):
        qtbot.keyClick(plot, KEY.Key_Return)


def test_the_keys_are_told_while_they_work(steered, qtbot):
    assert steered.caption.text() == WORDS
    assert WORDS in steered.fit.toolTip()
    qtbot.keyClick(steered.plot.plot, KEY.Key_Escape)
    assert "two from its middle" in steered.caption.text()
    assert steered.plot.plot.accessibleDescription() == WORDS


def test_a_click_takes_the_frame_away_and_an_arrow_brings_it_back(steered, qtbot):
    canvas = steered.plot.plot.viewport()
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(6, 6))
    assert _marked(steered) is None
    steered.set_current("a", 7)
    qtbot.keyClick(steered.plot.plot, KEY.Key_Down)
    assert _marked(steered) == _place(1)


def test_a_point_that_is_out_of_sight_is_brought_into_view(steered, qtbot):
    steered.plot.plot.getViewBox().setRange(xRange=(-0.5, 0.5), yRange=(-0.5, 0.5))
    qtbot.keyClick(steered.plot.plot, KEY.Key_Right)
    at = int(np.flatnonzero((_marked(steered) == PLACES).all(axis=1))[0])
    assert at != 4
    x, y = steered.plot.places[at]
    assert steered.plot.plot.viewport().rect().contains(QPoint(round(x), round(y)))


def test_napari_s_shortcuts_do_not_have_these_keys(steered):
    def override(key, held=Qt.KeyboardModifier.NoModifier):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, held)
        event.ignore()
        QApplication.sendEvent(steered.plot.plot, event)
        return event.isAccepted()

    assert override(KEY.Key_Left)
    assert override(KEY.Key_Escape)
    assert override(KEY.Key_Up, Qt.KeyboardModifier.KeypadModifier)
    assert not override(KEY.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert not override(KEY.Key_S)


def test_slices_without_a_place_are_passed_over(view, qtbot):
    holes = PLACES.copy()
    holes[[3, 4]] = np.nan
    view.show_points(_points(holes), [])
    view.set_current("c", 4)  # has no place
    view.plot.plot.setFocus(Qt.FocusReason.TabFocusReason)
    start = _marked(view)
    assert start in {_place(at) for at in (0, 1, 2)}
    for key in (KEY.Key_Right, KEY.Key_Down, KEY.Key_Left, KEY.Key_Up):
        qtbot.keyClick(view.plot.plot, key)
        assert _marked(view) in {_place(at) for at in (0, 1, 2)}


def test_a_map_without_any_point_takes_the_keys_quietly(view, qtbot):
    view.show_points(_points(np.full((5, 2), np.nan)), [])
    view.plot.plot.setFocus(Qt.FocusReason.TabFocusReason)
    with qtbot.assertNotEmitted(view.slice_chosen):
        for key in (KEY.Key_Right, KEY.Key_Return, KEY.Key_Escape):
            qtbot.keyClick(view.plot.plot, key)
    assert _marked(view) is None


def test_new_points_begin_anew(steered):
    steered.show_points(_points(), [])
    assert _marked(steered) is None
    assert "two from its middle" in steered.caption.text()
