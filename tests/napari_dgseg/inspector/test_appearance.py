"""The appearance map by mouse: point, click, lasso, choose."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from dgseg.factors.distance import Distance
from napari_dgseg.inspector.appearance import AppearanceView
from napari_dgseg.inspector.points import Outline, Points

LEFT = Qt.MouseButton.LeftButton
PLACES = np.array([[-2.0, 0], [-1, 1], [1, 1], [2, -1], [0, 0]])


def _points(xy=PLACES, **changes):
    n = len(xy)
    given = {
        "xy": np.array(xy, float),
        "scan_ids": ("a", "a", "b", "b", "c")[:n],
        "slices": np.array([0, 7, 0, 1, 4])[:n],
        "thumbnails": np.full((n, 48, 48), 90, np.uint8),
        "series": ("T2*",) * n,
        "error": np.linspace(0.01, 0.05, n),
        "uncertainty": np.full(n, np.nan),
        "titles": ("scan one", "scan one", "scan two", "scan two", "scan three")[:n],
    }
    return Points(**{**given, **changes})


def _outlines(*names):
    angles = np.linspace(0, 2 * np.pi, 64)
    circle = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return [Outline(name, circle + at, np.array([at, at])) for at, name in enumerate(names)]


@pytest.fixture
def view(show_dressed):
    """The view, shown, in a theme of napari."""
    return show_dressed(AppearanceView())


@pytest.fixture
def filled(view):
    """The view with five slices of three scans among two domains."""
    view.show_points(_points(), _outlines("alder", "birch"))
    QApplication.processEvents()
    return view


def _place(view, at):
    x, y = view.plot.places[at]
    return QPoint(round(x), round(y))


def _canvas(view):
    return view.plot.plot.viewport()


def _point_at(qtbot, view, at):
    """Move the mouse to a point; the window system tells of it in its own time."""
    qtbot.mouseMove(_canvas(view), QPoint(3, 3))
    qtbot.mouseMove(_canvas(view), _place(view, at) + QPoint(-2, 1))
    qtbot.waitUntil(lambda: view.plot._pointed == at, timeout=3000)


def _drag(qtbot, view, corners):
    canvas = _canvas(view)
    places = [QPoint(round(x), round(y)) for x, y in corners]
    qtbot.mousePress(canvas, LEFT, pos=places[0])
    for place in places[1:]:
        qtbot.mouseMove(canvas, place)
    qtbot.mouseRelease(canvas, LEFT, pos=places[-1])


def _around(view, at, reach=25):
    x, y = view.plot.places[at]
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [(x + reach * i, y + reach * j) for i, j in signs]


def test_it_says_what_it_waits_for(view, qtbot):
    assert "every slice appears here" in view.state.text
    assert not view.lasso.isVisible()
    view.busy("Looking at 3 scans …")
    assert view.state.text == "Looking at 3 scans …"
    view.say("This model does not tell anatomy from appearance.", "bad")
    assert view.state.text.startswith("This model")
    view.say("")
    assert "every slice appears here" in view.state.text


def test_points_take_the_place_of_words(filled):
    assert filled.state.text == ""
    assert filled.plot.isVisible()
    assert filled.lasso.isVisible()
    inside = filled.plot.plot.viewport().rect()
    assert all(inside.contains(_place(filled, at)) for at in range(5))


def test_a_click_on_a_point_chooses_its_slice(filled, qtbot):
    with qtbot.waitSignal(filled.slice_chosen) as caught:
        qtbot.mouseClick(_canvas(filled), LEFT, pos=_place(filled, 1) + QPoint(3, 2))
    assert caught.args == ["a", 7]


def test_a_click_beside_all_points_chooses_nothing(filled, qtbot):
    with qtbot.assertNotEmitted(filled.slice_chosen):
        qtbot.mouseClick(_canvas(filled), LEFT, pos=_place(filled, 1) + QPoint(20, 25))


def test_a_drag_pans_and_chooses_nothing(filled, qtbot):
    before = _place(filled, 4)
    with qtbot.assertNotEmitted(filled.slice_chosen):
        _drag(qtbot, filled, [filled.plot.places[4], filled.plot.places[4] + 40])
    assert (_place(filled, 4) - before).manhattanLength() > 40
    qtbot.mouseDClick(_canvas(filled), LEFT, pos=before)
    assert (_place(filled, 4) - before).manhattanLength() <= 2


def test_pointing_shows_the_slice(filled, qtbot):
    assert not filled.card.isVisible()
    _point_at(qtbot, filled, 2)
    assert filled.card.isVisible()
    assert filled.card.texts == ["scan two", "slice 0", "T2*"]
    shown = filled.card._picture.pixmap().toImage()
    assert shown.pixelColor(20, 20).red() == 90
    assert filled.plot.rect().contains(filled.card.geometry())
    qtbot.mouseMove(_canvas(filled), QPoint(3, 3))
    qtbot.waitUntil(lambda: not filled.card.isVisible(), timeout=3000)


def test_the_card_says_what_points_are_coloured_by(filled, qtbot):
    filled.colouring.setCurrentIndex(filled.colouring.findData("error"))
    _point_at(qtbot, filled, 4)
    assert filled.card.texts[-1] == "reconstruction error 0.050"


def test_every_point_may_be_pointed_at_without_the_card_leaving(filled, qtbot):
    for at in range(5):
        _point_at(qtbot, filled, at)
        assert filled.plot.rect().contains(filled.card.geometry())


def test_the_lasso_selects_scans(filled, qtbot):
    qtbot.mouseClick(filled.lasso, LEFT)
    before = _place(filled, 4)
    with qtbot.waitSignal(filled.scans_chosen) as caught:
        _drag(qtbot, filled, _around(filled, 2))
    assert caught.args == [["b"]]
    assert _place(filled, 4) == before, "the lasso must not pan"
    assert filled.clear.text() == "Clear (1)"
    assert filled.minimumSizeHint().width() <= 380
    with qtbot.waitSignal(filled.scans_chosen) as caught:
        qtbot.mouseClick(filled.clear, LEFT)
    assert caught.args == [[]]
    assert not filled.clear.isVisible()


def test_a_lasso_round_everything_selects_each_scan_once(filled, qtbot):
    qtbot.mouseClick(filled.lasso, LEFT)
    box = _canvas(filled).rect().adjusted(2, 2, -2, -2)
    corners = [box.topLeft(), box.topRight(), box.bottomRight(), box.bottomLeft()]
    with qtbot.waitSignal(filled.scans_chosen) as caught:
        _drag(qtbot, filled, [(c.x(), c.y()) for c in corners])
    assert caught.args == [["a", "b", "c"]]


def test_a_lasso_round_nothing_takes_the_selection_back(filled, qtbot):
    qtbot.mouseClick(filled.lasso, LEFT)
    _drag(qtbot, filled, _around(filled, 0))
    with qtbot.waitSignal(filled.scans_chosen) as caught:
        _drag(qtbot, filled, [(4, 4), (20, 4), (20, 20)])
    assert caught.args == [[]]


def test_a_selection_outlives_new_points(filled, qtbot):
    qtbot.mouseClick(filled.lasso, LEFT)
    _drag(qtbot, filled, _around(filled, 2))
    filled.show_points(_points(), _outlines("alder"))
    assert filled.clear.text() == "Clear (1)"
    filled.show_points(_points(scan_ids=("a", "a", "x", "x", "c")), _outlines("alder"))
    assert not filled.clear.isVisible()


def test_with_the_lasso_a_click_still_chooses_a_slice(filled, qtbot):
    qtbot.mouseClick(filled.lasso, LEFT)
    with qtbot.waitSignal(filled.slice_chosen) as caught:
        qtbot.mouseClick(_canvas(filled), LEFT, pos=_place(filled, 3))
    assert caught.args == ["b", 1]


def test_the_wheel_zooms_only_with_ctrl_or_after_a_click(filled, qtbot):
    canvas, place = _canvas(filled), _place(filled, 4)

    def turn(modifier):
        where = QPointF(place)
        event = QWheelEvent(
            where,
            QPointF(canvas.mapToGlobal(place)),
            QPoint(0, 0),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            modifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas, event)
        return np.ptp(filled.plot.places[:, 0])

    before = np.ptp(filled.plot.places[:, 0])
    assert turn(Qt.KeyboardModifier.NoModifier) == pytest.approx(before)
    assert turn(Qt.KeyboardModifier.ControlModifier) > before * 1.05
    qtbot.mouseClick(filled.fit, LEFT)
    assert np.ptp(filled.plot.places[:, 0]) == pytest.approx(before, rel=0.01)


def test_codes_are_asked_for_by_name(filled, qtbot):
    domain = filled.codes.buttons()[1]
    with qtbot.waitSignal(filled.code_changed) as caught:
        qtbot.mouseClick(domain, LEFT)
    assert caught.args == ["domain"]
    filled.offer_codes(["style"])
    assert not domain.isEnabled()
    assert domain.toolTip() == "This model has no domain code d."
    assert filled.code == "style"


def test_a_code_that_carries_nothing_is_said_and_the_other_offered(filled, qtbot):
    filled.show_points(_points(), _outlines("alder"), carries=False)
    assert "style s of this model carries nothing" in filled.silent.text
    assert filled.silent.action.text() == "Show d"
    with qtbot.waitSignal(filled.code_changed) as caught:
        qtbot.mouseClick(filled.silent.action, LEFT)
    assert caught.args == ["domain"]
    filled.show_points(_points(), _outlines("alder"))
    assert not filled.silent.isVisible()


def test_where_there_is_no_other_code_none_is_offered(filled):
    filled.offer_codes(["style"])
    filled.show_points(_points(), [], carries=False)
    assert filled.silent.isVisible()
    assert not filled.silent.action.isVisible()


def test_tsne_is_asked_for_once_and_kept(filled, qtbot):
    pca, tsne = filled.layouts.buttons()
    with qtbot.waitSignal(filled.tsne_wanted):
        qtbot.mouseClick(tsne, LEFT)
    assert filled.state.text.startswith("t-SNE")
    filled.show_points(_points(xy=PLACES[::-1]), [], layout="tsne")
    assert filled.state.text == ""
    assert filled.layout_name == "tsne"
    assert "long distances" in filled.caption.text()
    with qtbot.assertNotEmitted(filled.tsne_wanted):
        qtbot.mouseClick(pca, LEFT)
        assert "deviations" in filled.caption.text()
        qtbot.mouseClick(tsne, LEFT)
    filled.show_points(_points(), [])
    assert filled.layout_name == "pca"
    with qtbot.waitSignal(filled.tsne_wanted):
        qtbot.mouseClick(tsne, LEFT)


def test_going_back_from_a_tsne_that_is_not_there_yet(filled, qtbot):
    pca, tsne = filled.layouts.buttons()
    qtbot.mouseClick(tsne, LEFT)
    qtbot.mouseClick(pca, LEFT)
    assert filled.state.text == ""
    filled.show_points(_points(), [], layout="tsne")
    assert filled.layout_name == "pca", "who went back stays there"


def test_the_distance_is_said_on_top(filled):
    near = Distance("birch", 0.7, 40.0, "Most like birch.", foreign=False)
    filled.show_distance(near)
    assert (filled.distance.text, filled.distance.property("wash")) == (
        "Most like birch.",
        "accent",
    )
    far = Distance("birch", 9.0, 100.0, "Unlike anything.", foreign=True)
    filled.show_distance(far)
    assert filled.distance.property("wash") == "caution"
    filled.show_distance(None)
    assert not filled.distance.isVisible()


def test_the_nearest_domain_is_drawn_stronger(filled):
    def widths():
        return [line.opts["pen"].width() for line, _ in filled.plot._drawn_outlines.items]

    assert widths() == [1, 1]
    filled.show_distance(Distance("birch", 0.7, 40.0, "Most like birch.", foreign=False))
    assert widths() == [1, 2]


def test_the_current_slice_has_a_ring(filled):
    ring = filled.plot._items["current"]
    assert len(ring.points()) == 0
    filled.set_current("b", 1)
    assert {tuple(p.pos()) for p in ring.points()} == {(2.0, -1.0)}
    filled.set_current("b", 99)
    assert len(ring.points()) == 0
    filled.set_current("c", 4)
    filled.show_points(_points(), _outlines("alder"))
    assert {tuple(p.pos()) for p in ring.points()} == {(0.0, 0.0)}


def test_slices_without_a_code_are_left_out_and_said(filled, qtbot):
    holes = PLACES.copy()
    holes[[1, 3]] = np.nan
    filled.show_points(_points(xy=holes), _outlines("alder"))
    assert "2 slices have no code and are left out." in filled.caption.text()
    assert len(filled.plot._items["points"].points()) == 3
    filled.set_current("a", 7)
    _point_at(qtbot, filled, 2)
    assert filled.card.texts[0] == "scan two"
    with qtbot.waitSignal(filled.scans_chosen) as caught:
        filled.lasso.setChecked(True)
        _drag(qtbot, filled, [(1, 1), (370, 1), (370, 600), (1, 600)])
    assert caught.args == [["a", "b", "c"]]


@pytest.mark.parametrize("n", [1, 5])
def test_points_in_one_place_can_be_drawn(view, qtbot, n):
    view.show_points(_points(xy=np.zeros((n, 2))), [])
    with qtbot.waitSignal(view.slice_chosen):
        qtbot.mouseClick(_canvas(view), LEFT, pos=_place(view, 0))


def test_a_site_without_slices_still_shows_the_domains(view, qtbot):
    view.show_points(_points(xy=np.zeros((0, 2)), slices=np.zeros(0, int)), _outlines("alder"))
    qtbot.mouseClick(_canvas(view), LEFT, pos=QPoint(60, 60))
    assert view.state.text == ""


def test_a_site_whose_every_slice_lacks_a_code(view):
    view.show_points(_points(xy=np.full((5, 2), np.nan)), _outlines("alder"))
    assert "5 slices have no code" in view.caption.text()


def test_before_and_after_are_joined(filled, qtbot):
    after = _points(xy=PLACES + np.array([0.5, 0]))
    filled.show_points(_points(), _outlines("alder"), after=after)
    assert "Hollow is before" in filled.caption.text()
    x, _ = filled.plot._items["arrows"].getData()
    np.testing.assert_allclose(x, np.stack([PLACES[:, 0], PLACES[:, 0] + 0.5], 1).ravel())
    _point_at(qtbot, filled, 1)
    assert filled.card.texts[:2] == ["scan one", "slice 7"]


def test_a_slice_that_the_other_model_does_not_know_stays_where_it_was(filled, qtbot):
    went = PLACES + np.array([0.5, 0])
    went[2] = np.nan
    filled.show_points(_points(), _outlines("alder"), after=_points(xy=went))
    assert len(filled.plot._items["points"].points()) == 4
    assert len(filled.plot._items["before"].points()) == 5
    _point_at(qtbot, filled, 2)
    assert filled.card.texts[0] == "scan two"


def test_colours_have_a_legend(filled, qtbot):
    def choose(by):
        filled.colouring.setCurrentIndex(filled.colouring.findData(by))
        filled.colouring.activated.emit(filled.colouring.currentIndex())
        return filled.legend.texts

    assert choose("site") == ["this site"]
    assert choose("scan") == ["scan one", "scan two", "scan three"]
    assert choose("series") == ["T2*"]
    assert choose("error") == ["0.01", "0.05"]
    symbols = [point.symbol() for point in filled.plot._items["points"].points()]
    assert set(symbols) == {"o"}
    choose("scan")
    symbols = [point.symbol() for point in filled.plot._items["points"].points()]
    assert len(set(symbols)) == 3, "scans differ by more than colour"


def test_what_is_not_known_cannot_be_coloured_by(filled):
    model, at = filled.colouring.model(), filled.colouring.findData("uncertainty")
    assert not model.item(at).isEnabled()
    filled.colouring.setCurrentIndex(filled.colouring.findData("error"))
    filled.show_points(_points(error=np.full(5, np.nan)), [])
    assert filled.colouring.currentData() == "site"
