"""The sliders of the codes, by mouse and by keys, and the picture that comes of them."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from dgseg.bundles.style_bank import DomainStyle, StyleBank
from napari_dgseg.inspector.traversal import TraversalView

LEFT = Qt.MouseButton.LeftButton

# Of the style, 0 and 2 tell the domains apart, 2 more than 0, and 1 is noise. The domain
# code's one dimension tells them apart most.
STYLE, DOMAIN = (0.5, 0.01, 2.0), (1.0,)


def _bank(spread=1.0):
    return StyleBank(
        domains={
            name: DomainStyle(
                n_slices=9,
                style_mean=(0.5 * sign * spread, 0.0, sign * spread),
                style_covariance=((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)),
                domain_mean=(3.0 * sign,),
                domain_covariance=((1.0,),),
            )
            for name, sign in (("alder", 1), ("birch", -1))
        }
    )


@pytest.fixture
def view(show_dressed):
    return show_dressed(TraversalView())


@pytest.fixture
def filled(view, qtbot):
    """The view with a slice whose first codes were told."""
    with qtbot.waitSignal(view.codes_changed):
        view.show_codes(STYLE, DOMAIN, _bank())
    return view


def _row(view, title):
    return next(each for each in view.rows if each.title == title)


def _drag(qtbot, slider, start, end):
    middle = slider.height() // 2
    qtbot.mousePress(slider, LEFT, pos=QPoint(slider.place(start), middle))
    for at in np.linspace(start, end, 5)[1:]:
        qtbot.mouseMove(slider, QPoint(slider.place(at), middle))
    qtbot.mouseRelease(slider, LEFT, pos=QPoint(slider.place(end), middle))


def test_it_says_what_it_waits_for(view):
    assert "drawn otherwise" in view.state.text
    view.busy("The model looks at this scan …")
    assert view.state.text == "The model looks at this scan …"
    view.say("This slice has no finite codes.", "bad")
    assert view.state.text == "This slice has no finite codes."
    view.say("")
    assert "drawn otherwise" in view.state.text


def test_dimensions_come_in_the_order_of_what_they_tell(filled):
    assert [each.title for each in filled.rows] == ["d 1", "s 3", "s 1", "s 2"]
    assert [each.title for each in filled.silent] == ["s 2"]
    assert filled.fold.text() == "▸ 1 dimension that carries nothing"
    assert _row(filled, "s 1").isVisible()
    assert not _row(filled, "s 2").isVisible()


def test_what_carries_nothing_can_be_unfolded(filled, qtbot):
    qtbot.mouseClick(filled.fold, LEFT)
    assert _row(filled, "s 2").isVisible()
    assert filled.fold.text().startswith("▾")
    qtbot.mouseClick(filled.fold, LEFT)
    assert not _row(filled, "s 2").isVisible()


def test_values_are_in_deviations_of_the_bank(filled):
    """s 3: mean 0, variance 1 within and 1 between, so 2.0 lies at the root of two."""
    row = _row(filled, "s 3")
    assert row.slider.deviations == pytest.approx(np.sqrt(2), abs=0.01)
    assert row.value.text() == "+1.4 σ"
    assert _row(filled, "s 2").value.text() == "+0.0 σ"


def test_the_first_codes_are_the_slice_s_own(view, qtbot):
    with qtbot.waitSignal(view.codes_changed) as caught:
        view.show_codes(STYLE, DOMAIN, _bank())
    assert caught.args == [STYLE, DOMAIN]


def test_a_slider_is_dragged(filled, qtbot):
    row = _row(filled, "s 3")
    with qtbot.waitSignal(filled.codes_changed) as caught:
        _drag(qtbot, row.slider, row.slider.deviations, -2.0)
    style, domain = caught.args
    assert row.slider.deviations == pytest.approx(-2.0, abs=0.05)
    assert style[2] == pytest.approx(row.slider.deviations * np.sqrt(2))
    assert (style[0], style[1], domain) == (0.5, 0.01, DOMAIN), "the others stay exact"
    assert filled.reset.isEnabled()


def test_however_fast_it_is_dragged_codes_are_told_once_a_frame(filled, qtbot):
    told = []
    filled.codes_changed.connect(lambda *codes: told.append(codes))
    slider = _row(filled, "s 3").slider
    for at in range(-300, 300):
        slider.setValue(at)
    assert told == []
    qtbot.waitUntil(lambda: bool(told), timeout=3000)
    assert len(told) == 1
    assert told[0][0][2] == pytest.approx(2.99 * np.sqrt(2))


@pytest.mark.parametrize(
    ("key", "moves"),
    [
        (Qt.Key.Key_Right, 0.1),
        (Qt.Key.Key_Left, -0.1),
        (Qt.Key.Key_PageUp, 1.0),
        (Qt.Key.Key_PageDown, -1.0),
    ],
)
def test_a_slider_is_moved_by_keys(filled, qtbot, key, moves):
    slider = _row(filled, "s 1").slider
    slider.setFocus()
    before = slider.deviations
    with qtbot.waitSignal(filled.codes_changed) as caught:
        qtbot.keyClick(slider, key)
    assert slider.deviations == pytest.approx(before + moves, abs=1e-6)
    assert caught.args[0][0] != STYLE[0]


def test_delete_and_a_double_click_put_a_dimension_back(filled, qtbot):
    first, third = _row(filled, "s 1"), _row(filled, "s 3")
    qtbot.keyClick(first.slider, Qt.Key.Key_End)
    assert first.slider.deviations == 3.0
    qtbot.keyClick(third.slider, Qt.Key.Key_Home)
    qtbot.keyClick(first.slider, Qt.Key.Key_Delete)
    assert filled.codes[0][0] == 0.5
    assert third.slider.deviations == -3.0
    qtbot.mouseDClick(third.slider, LEFT, pos=QPoint(40, 10))
    assert filled.codes == (STYLE, DOMAIN)
    assert not filled.reset.isEnabled()


def test_reset_takes_the_slice_s_own_codes(filled, qtbot):
    for each in filled.rows[:2]:
        qtbot.keyClick(each.slider, Qt.Key.Key_Home)
    with qtbot.waitSignal(filled.codes_changed) as caught:
        qtbot.mouseClick(filled.reset, LEFT)
    assert caught.args == [STYLE, DOMAIN]
    assert filled.reset.toolTip() == "These are the slice's own codes."
    assert _row(filled, "s 3").value.text() == "+1.4 σ"


def test_a_slice_beyond_the_range_keeps_its_own_value(filled, qtbot):
    filled.show_codes((50.0, 0, 0), DOMAIN, _bank())
    row = _row(filled, "s 1")
    assert row.slider.deviations == 3.0
    assert float(row.value.text().split()[0]) > 40
    assert filled.codes[0][0] == 50.0
    assert not filled.reset.isEnabled()


def test_the_wheel_scrolls_the_dock_unless_the_slider_has_the_focus(filled, qtbot):
    slider = _row(filled, "s 1").slider
    before = slider.value()

    def turn():
        at = slider.rect().center()
        event = QWheelEvent(
            QPointF(at),
            QPointF(slider.mapToGlobal(at)),
            QPoint(0, 0),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        event.ignore()
        QApplication.sendEvent(slider, event)
        return slider.value()

    filled.activateWindow()
    qtbot.waitUntil(filled.isActiveWindow, timeout=3000)
    filled.play.setFocus()
    assert turn() == before
    slider.setFocus()
    assert turn() > before


def test_play_walks_the_chosen_dimension_to_and_fro(filled, qtbot):
    assert filled.play.text() == "Play d 1"
    row = _row(filled, "s 1")
    qtbot.mouseClick(row.name, LEFT)
    assert filled.play.text() == "Play s 1"
    before, told = row.slider.deviations, []
    filled.codes_changed.connect(lambda *codes: told.append(codes))
    qtbot.mouseClick(filled.play, LEFT)
    assert filled.play.text() == "Pause s 1"
    qtbot.waitUntil(lambda: bool(told), timeout=3000)
    assert row.slider.deviations == pytest.approx(before + 0.15, abs=0.02)
    seen = []
    for _ in range(60):  # as often as its timer would
        filled.show_picture(np.zeros((4, 4)))
        filled.stroll.step()
        seen.append(row.slider.deviations)
    assert max(seen) > 2.8
    assert min(seen) < -2.0
    assert max(abs(np.diff(seen))) < 0.2
    qtbot.mouseClick(filled.play, LEFT)
    assert filled.play.text() == "Play s 1"
    assert not filled.stroll.is_on


def test_play_does_not_run_ahead_of_the_pictures(filled):
    filled.play.setChecked(True)
    slider = _row(filled, "d 1").slider
    filled.stroll.step()
    first = slider.deviations
    filled.stroll.step()
    assert slider.deviations == first, "no picture has come yet"
    filled.show_picture(np.zeros((4, 4)))
    filled.stroll.step()
    assert slider.deviations != first
    stuck = slider.deviations
    for _ in range(20):  # a picture that was lost does not stop it for good
        filled.stroll.step()
    assert slider.deviations != stuck


@pytest.mark.parametrize("end", ["hide", "say", "codes"])
def test_play_ends_where_nobody_sees_it(filled, end):
    filled.play.setChecked(True)
    assert filled.stroll.is_on
    if end == "hide":
        filled.hide()
    elif end == "say":
        filled.say("The worker has ended.", "bad")
    else:
        filled.show_codes(STYLE, DOMAIN, _bank(spread=0.0))
    assert not filled.stroll.is_on
    assert filled.play.text().startswith("Play")


@pytest.mark.parametrize("by", ["mouse", "keys"])
def test_who_takes_a_handle_has_chosen_its_dimension(filled, qtbot, by):
    slider = _row(filled, "s 1").slider
    if by == "mouse":
        qtbot.mouseClick(slider, LEFT)
    else:
        filled.activateWindow()
        qtbot.waitUntil(filled.isActiveWindow, timeout=3000)
        slider.setFocus(Qt.FocusReason.TabFocusReason)
    assert filled.play.text() == "Play s 1"
    assert [each.title for each in filled.rows if each.name.isChecked()] == ["s 1"]


def test_a_dimension_that_awakes_comes_up_and_stays(filled):
    """In this slice the noise dimension is far off: it does carry something."""
    filled.show_codes((0.5, 2.0, 2.0), DOMAIN, _bank())
    assert filled.silent == []
    assert not filled.fold.isVisible()
    awake = [each.title for each in filled.rows]
    filled.show_codes(STYLE, DOMAIN, _bank())
    assert [each.title for each in filled.rows] == awake, "rows must not jump about"
    filled.show_codes(STYLE, DOMAIN, _bank(spread=2.0))  # another model
    assert [each.title for each in filled.silent] == ["s 2"]


def test_what_varies_among_the_site_s_slices_carries_something(view):
    site = (np.array([[0.5, 1.5, 0], [0.5, -1.5, 0], [np.nan] * 3]), np.ones((3, 1)))
    view.show_codes(STYLE, DOMAIN, _bank(), site=site)
    assert view.silent == []


def test_a_model_without_a_domain_code(view, qtbot):
    bank = StyleBank(
        domains={
            name: each.model_copy(update={"domain_mean": (), "domain_covariance": ()})
            for name, each in _bank().domains.items()
        }
    )
    with qtbot.waitSignal(view.codes_changed) as caught:
        view.show_codes(STYLE, (), bank)
    assert caught.args == [STYLE, ()]
    assert [each.code for each in view.rows] == ["style"] * 3
    assert not view.sheets["domain"].isVisible()
    view.show_codes(STYLE, DOMAIN, _bank())
    assert view.sheets["domain"].isVisible()


def test_a_model_whose_codes_carry_nothing_at_all(view):
    one = {"alder": _bank().domains["alder"]}
    view.show_codes((0.5, 0.0, 1.0), (3.0,), StyleBank(domains=one))
    assert len(view.silent) == 4
    assert "No dimension" in view._none.text()
    assert view._none.isVisible()


def test_sheets_are_asked_for_by_code(filled, qtbot):
    for code, each in filled.sheets.items():
        with qtbot.waitSignal(filled.sheet_wanted) as caught:
            qtbot.mouseClick(each, LEFT)
        assert caught.args == [code]


def _middle(picture):
    return picture.grab().toImage().pixelColor(picture.width() // 2, picture.height() // 2)


def test_the_decoded_picture_and_its_difference(filled, qtbot):
    filled.show_original(np.full((8, 8), 1.0))
    assert _middle(filled.original).red() == 255
    filled.show_picture(np.full((8, 8), 0.4), STYLE, DOMAIN)
    assert _middle(filled.views[0].picture).red() == pytest.approx(102, abs=4)
    filled.show_picture(np.full((8, 8), 0.6), (9.0, 0, 0), DOMAIN)
    qtbot.mouseClick(filled.difference, LEFT)
    colour = _middle(filled.views[0].picture)
    assert colour.getRgb()[:3] == pytest.approx((230, 159, 0), abs=4)
    assert filled.views[0].caption.text() == "orange +0.2, blue −0.2"
    qtbot.mouseClick(filled.difference, LEFT)
    assert filled.views[0].caption.text() == "decoded"


def test_without_a_picture_of_its_own_codes_the_original_is_compared(filled, qtbot):
    filled.show_original(np.full((8, 8), 1.0))
    filled.show_picture(np.full((8, 8), 0.6))
    qtbot.mouseClick(filled.difference, LEFT)
    assert filled.views[0].caption.text() == "orange +0.4, blue −0.4"
    assert _middle(filled.views[0].picture).blue() > _middle(filled.views[0].picture).red()


def test_another_slice_starts_anew(filled, qtbot):
    filled.show_picture(np.full((8, 8), 0.4), STYLE, DOMAIN)
    qtbot.mouseClick(filled.difference, LEFT)
    filled.show_original(np.full((6, 6), 1.0))
    filled.show_codes((0.0, 0.0, 0.0), DOMAIN, _bank())
    assert not filled.reset.isEnabled()
    filled.show_picture(np.full((6, 6), 0.7))
    assert filled.views[0].caption.text() == "orange +0.3, blue −0.3", (
        "not against the other slice"
    )
