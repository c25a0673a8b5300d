"""Another look for a slice: choosing it, the pictures, and the sentence on them."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLabel

from dgseg.scans.schema import CARDIAC, SPINAL_GM, LabelSchema
from napari_dgseg.inspector.swap import SwapView, sentence

LEFT = Qt.MouseButton.LeftButton
SCANS = [("0a", "scan one"), ("0b", "scan two")]
CORD = LabelSchema(name="cord", labels=SPINAL_GM.labels[:1])


@pytest.fixture
def view(show_dressed):
    return show_dressed(SwapView())


@pytest.fixture
def offered(view):
    view.show_choices(SCANS, ["Siemens", "Philips"])
    return view


def _choose(qtbot, view, text):
    """Open the list and take an entry, by keys."""
    view.source.setFocus()
    view.source.showPopup()
    rows = view.source.view()
    index = view.source.model().index(view.source.findText(text), 0)
    qtbot.mouseClick(rows.viewport(), LEFT, pos=rows.visualRect(index).center())
    qtbot.keyClick(rows, Qt.Key.Key_Return)


def _labels(at=8):
    labels = np.zeros((40, 40), np.uint8)
    labels[at : at + 8, 10:20] = 2
    labels[at + 2 : at + 6, 12:18] = 1
    return labels


def _show(view, dice, **changes):
    own, swapped = np.full((40, 40), 0.2), np.full((40, 40), 0.6)
    labels = (_labels(), _labels(9))
    view.show_swap(own, swapped, *labels, dice, SPINAL_GM.labels, **changes)
    QApplication.processEvents()  # new rows of the table are shown with the next events


def _texts(view):
    return [each.text() for each in view.findChildren(QLabel) if each.isVisible()]


def test_it_says_what_it_waits_for(view):
    assert "anatomy stays" in view.state.text
    assert not view.source.isEnabled()
    for each in view.kinds.buttons():
        assert not each.isEnabled()
    assert "no other scan" in view.kinds.buttons()[1].toolTip()
    view.busy("The model paints …")
    assert view.state.text == "The model paints …"
    view.say("This look has no finite codes.", "bad")
    assert view.state.text == "This look has no finite codes."
    view.say("")
    assert "anatomy stays" in view.state.text


def test_a_centre_is_chosen(offered, qtbot):
    assert offered.choice is None
    with qtbot.waitSignal(offered.swap_wanted) as caught:
        _choose(qtbot, offered, "Philips")
    assert caught.args == ["domain", "Philips"]
    assert offered.choice == ("domain", "Philips")


def test_a_scan_is_chosen_and_both_choices_are_kept(offered, qtbot):
    centre, scan = offered.kinds.buttons()
    _choose(qtbot, offered, "Siemens")
    qtbot.mouseClick(scan, LEFT)
    assert offered.choice is None
    with qtbot.waitSignal(offered.swap_wanted) as caught:
        _choose(qtbot, offered, "scan two")
    assert caught.args == ["scan", "0b"]
    with qtbot.waitSignal(offered.swap_wanted) as caught:
        qtbot.mouseClick(centre, LEFT)
    assert caught.args == ["domain", "Siemens"]


def test_new_choices_keep_the_old_one_where_it_is_there(offered, qtbot):
    _choose(qtbot, offered, "Philips")
    with qtbot.assertNotEmitted(offered.swap_wanted):
        offered.show_choices(SCANS, ["GE", "Philips"])
        assert offered.choice == ("domain", "Philips")
        offered.show_choices(SCANS, ["GE"])
    assert offered.choice is None


def test_without_a_bank_scans_are_offered(view):
    view.show_choices(SCANS, [])
    assert view.kind == "scan"
    assert "no looks of the centres" in view.kinds.buttons()[0].toolTip()
    assert view.source.count() == 2


def test_a_swap_is_shown(offered, qtbot):
    _choose(qtbot, offered, "Siemens")
    _show(offered, {"GM": 0.97, "WM": 0.99})
    assert offered.state.text == ""
    assert offered.title.text() == "with the look of Siemens"
    assert offered.verdict.text == (
        "With the look of Siemens all structures are drawn the same: Dice at least 0.97."
    )
    texts = _texts(offered)
    assert texts[texts.index("grey matter") + 1] == "0.97"
    assert "with its own" not in texts
    _show(offered, {"GM": None, "WM": 0.99}, control={"GM": None, "WM": 0.98})
    texts = _texts(offered)
    at = texts.index("white matter")
    assert texts[at + 1 : at + 3] == ["0.99", "0.98"]
    assert texts[texts.index("grey matter") + 1] == "–"
    assert "with its own" in texts


def _colours(picture):
    image = picture.grab().toImage()
    return {
        image.pixelColor(x, y).name()
        for x in range(image.width())
        for y in range(image.height())
    }


def test_outlines_are_drawn_in_the_colours_of_the_structures(offered, qtbot):
    _show(offered, {"GM": 0.9, "WM": 0.9})

    def is_coloured(picture):
        shades = (name for name in _colours(picture))
        return any(
            max(rgb) - min(rgb) > 60
            for rgb in ([int(name[i : i + 2], 16) for i in (1, 3, 5)] for name in shades)
        )

    assert is_coloured(offered.own)
    assert is_coloured(offered.swapped)
    qtbot.mouseClick(offered.outlines, LEFT)
    assert not is_coloured(offered.own)
    assert not is_coloured(offered.swapped)


def test_closer_shows_the_structures_larger(offered, qtbot):
    own = np.full((40, 40), 0.2)
    own[:4] = 1.0  # far from what is segmented
    labels = np.zeros((40, 40), np.uint8)
    labels[28:32, 18:22] = 1
    offered.show_swap(own, own, labels, labels, {}, SPINAL_GM.labels)
    corner = lambda: offered.own.grab().toImage().pixelColor(4, 4).lightness()  # noqa: E731
    assert corner() < 100
    qtbot.mouseClick(offered.closer, LEFT)
    assert corner() > 200


def test_a_slice_without_any_structure(offered):
    empty = np.zeros((40, 40), np.uint8)
    offered.show_swap(
        np.zeros((40, 40)), np.zeros((40, 40)), empty, empty, {"GM": None}, SPINAL_GM.labels
    )
    assert "finds nothing here" in offered.verdict.text
    assert offered.verdict.property("wash") == "muted"


@pytest.mark.parametrize(
    ("dice", "control", "words", "tone"),
    [
        ({"LV": 0.97, "MYO": 0.93, "RV": 0.95}, None, "same: Dice at least 0.93", "good"),
        ({"LV": 0.97, "MYO": 0.85, "RV": 0.95}, None, "myocardium moves a little", "caution"),
        ({"LV": 0.97, "MYO": 0.85, "RV": 0.4}, None, "Appearance moves this result", "bad"),
        ({"LV": 0.97, "MYO": None, "RV": 0.0}, None, "right ventricle is drawn", "bad"),
        ({"LV": 0.9, "MYO": 0.6, "RV": 0.9}, {"MYO": 0.61}, "but the decoder", "muted"),
        ({"LV": 0.9, "MYO": 0.6, "RV": 0.9}, {"MYO": 0.9}, "Appearance moves", "bad"),
        ({"LV": 0.9, "MYO": 0.6, "RV": 0.9}, {"MYO": None}, "Appearance moves", "bad"),
        ({"LV": None, "MYO": None, "RV": None}, None, "finds nothing", "muted"),
    ],
)
def test_the_sentence_names_what_moves(dice, control, words, tone):
    text, said = sentence("Siemens", dice, CARDIAC.labels, control)
    assert words in text
    assert said == tone


def test_one_structure_is_named():
    text, tone = sentence("Siemens", {"GM": 0.97}, CORD.labels)
    assert text == "With the look of Siemens the grey matter is drawn the same: Dice 0.97."
    assert tone == "good"
