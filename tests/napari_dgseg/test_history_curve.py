"""The curve of what a site's adaptations brought."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QPointF, Qt

from dgseg.site.records import HistoryEntry
from napari_dgseg.history_curve import HistoryCurve, adaptations_of
from napari_dgseg.look import look_of


def _entry(action, n=None, before=None, after=None):
    numbers = {"n_corrected": n, "dice_before": before, "dice_after": after}
    return HistoryEntry(bundle_id="0" * 12, action=action, numbers=numbers)


HISTORY = [
    _entry("initial"),
    _entry("accepted", 1, 0.6, 0.7),
    _entry("rolled-back"),
    _entry("accepted", 5, 0.6, 0.75),
    _entry("refused", 3, 0.75, 0.5),
]


@pytest.fixture
def curve(qtbot):
    curve = HistoryCurve()
    qtbot.addWidget(curve)
    curve.wear(look_of("dark"))
    curve.show_history(HISTORY)
    curve.resize(310, 240)
    curve.picked = []
    curve.chosen.connect(curve.picked.append)
    with qtbot.waitExposed(curve):
        curve.show()
    return curve


def test_adaptations_are_in_the_order_of_their_corrections():
    found, n_left_out = adaptations_of(HISTORY)
    assert [(each.at, each.n_corrected, each.accepted) for each in found] == [
        (1, 1, True),
        (4, 3, False),
        (3, 5, True),
    ]
    assert n_left_out == 0
    assert found[1].words == "3 corrected slices: Dice 0.750 to 0.500, refused"


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"dice_before": 0.5, "dice_after": 0.6},
        {"n_corrected": 3, "dice_before": None, "dice_after": None},
        {"n_corrected": "3", "dice_before": "x", "dice_after": []},
    ],
)
def test_what_older_versions_noted_is_counted_and_not_drawn(numbers):
    entry = HistoryEntry(bundle_id="0" * 12, action="accepted", numbers=numbers)
    assert adaptations_of([entry]) == ([], 1)


def _where(curve, x, y):
    """A point of the plot as a pixel of its viewport."""
    scene = curve.plot.getPlotItem().vb.mapViewToScene(QPointF(x, y))
    return curve.plot.mapFromScene(scene)


def test_a_click_on_either_point_chooses_the_adaptation(curve, qtbot):
    for at, x, y in ((4, 3, 0.5), (4, 3, 0.75), (3, 5, 0.75), (1, 1, 0.6)):
        curve.picked.clear()
        place = _where(curve, x, y)
        qtbot.mouseClick(curve.plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert curve.picked == [at]
    curve.picked.clear()
    beside = _where(curve, 2, 0.5)
    qtbot.mouseClick(curve.plot.viewport(), Qt.MouseButton.LeftButton, pos=beside)
    assert curve.picked == []


def test_the_arrow_keys_go_from_one_to_the_next(curve, qtbot):
    curve.chosen.connect(curve.choose)
    curve.setFocus()
    for _ in range(4):
        qtbot.keyClick(curve, Qt.Key.Key_Right)
    assert curve.picked == [1, 4, 3, 3]
    qtbot.keyClick(curve, Qt.Key.Key_Left)
    assert curve.picked[-1] == 4
    curve.choose(-1)
    qtbot.keyClick(curve, Qt.Key.Key_Left)
    assert curve.picked[-1] == 3


def test_points_lie_within_the_plot(curve):
    (left, right), (low, high) = curve.plot.getPlotItem().vb.viewRange()
    for each in curve.shown:
        assert left < each.n_corrected < right
        assert low < min(each.before, each.after)
        assert max(each.before, each.after) < high


def test_without_adaptations_it_says_what_will_be_there(qtbot):
    curve = HistoryCurve()
    qtbot.addWidget(curve)
    curve.wear(look_of("light"))
    curve.show_history([_entry("initial"), _entry("accepted")])
    curve.show()
    assert curve.plot is None
    assert "first adaptation" in curve._empty.text()
    assert curve._empty.isVisible()
    assert curve._caption.text().startswith("1 adaptation is not drawn")
    curve.show_history(HISTORY)
    assert not curve._empty.isVisible()
    assert curve.plot.isVisible()
    curve.show_history([])
    assert not curve.plot.isVisible()
