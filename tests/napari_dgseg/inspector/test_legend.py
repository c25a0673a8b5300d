"""The legend of the appearance map, and the card beside the mouse."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QWidget

from napari_dgseg.inspector.legend import HoverCard, Legend
from napari_dgseg.inspector.points import SYMBOLS, Colours, Entry
from napari_dgseg.look import look_of


@pytest.fixture
def legend(qtbot):
    legend = Legend()
    qtbot.addWidget(legend)
    legend.resize(360, 80)
    with qtbot.waitExposed(legend):
        legend.show()
    return legend


def _groups(n):
    entries = [Entry(f"scan {at}", "#ff8800", SYMBOLS[at % 7]) for at in range(n)]
    return Colours(["#ff8800"] * n, ["o"] * n, entries)


def test_a_long_list_is_cut(legend):
    legend.show_colours(_groups(12), "scan", look_of("dark"))
    assert legend.texts == [*(f"scan {at}" for at in range(8)), "and 4 more: point at one"]
    legend.show_colours(_groups(8), "scan", look_of("dark"))
    assert legend.texts[-1] == "scan 7"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_scale_is_painted_from_end_to_end(legend, theme):
    legend.show_colours(Colours([], [], [], (0.021, 0.5)), "uncertainty", look_of(theme))
    assert legend.texts == ["0.021", "0.5"]
    assert legend.bar.accessibleName() == "uncertainty: 0.021 to 0.5"
    painted = legend.bar.grab().toImage()
    left, right = (painted.pixelColor(x, 4) for x in (2, painted.width() - 3))
    assert right.lightness() > left.lightness() + 40
    legend.show_colours(_groups(1), "scan", look_of(theme))
    assert not legend.bar.isVisible()


@pytest.mark.parametrize("at", [(0, 0), (299, 0), (0, 249), (299, 249), (150, 120)])
def test_the_card_stays_within_its_parent(qtbot, at):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.resize(300, 250)
    card = HoverCard(parent)
    card.wear(look_of("dark"))
    with qtbot.waitExposed(parent):
        parent.show()
    thumbnail = np.full((48, 48), 200, np.uint8)
    card.show_slice(thumbnail, ["a scan with a very long title " * 4, "slice 3"], QPoint(*at))
    assert parent.rect().contains(card.geometry())
    assert "…" in card.texts[0]
    assert not card.geometry().contains(QPoint(*at)), "it must not hide the point"
