"""The tab "Anatomy", by mouse."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.scans.schema import SPINAL_GM
from napari_dgseg.inspector.anatomy import strongest, table_of
from napari_dgseg.look import look_of


@pytest.fixture
def anatomy(opened):
    opened.turn_to("Anatomy")
    return opened


def test_the_strongest_channel_of_each_class():
    carried = np.array([[0.2, 0.9, np.nan], [0.1, 0.7, np.nan], [0.5, np.nan, np.nan]])
    assert strongest(carried) == [2, 0, None]


def test_a_click_on_a_channel_lays_it_over_the_scan(anatomy, press, viewer):
    buttons = anatomy.page.view.groups[0].buttons
    assert len(buttons) == 8
    press(buttons[2])
    layer = viewer.layers["anatomy, channel 3"]
    assert layer.data.shape == anatomy.parts.session.current.scan.array.shape
    assert int(layer.data[0, 0, 0]) == 60
    assert buttons[2].isChecked()
    press(buttons[5])
    assert viewer.layers["anatomy, channel 6"] is layer
    assert int(layer.data[0, 0, 0]) == 150
    assert not buttons[2].isChecked()
    press(buttons[5])
    assert not layer.visible
    assert not buttons[5].isChecked()
    press(buttons[5])
    assert layer.visible
    assert buttons[5].isChecked()


def test_the_table_marks_a_channel_for_each_structure(anatomy):
    text = anatomy.page.view.table.text()
    for name in ("grey matter", "white matter", "background"):
        assert name in text
    assert text.count("●") == 3
    assert "#ffb000" in text  # the structure's colour


def test_deleting_the_layer_takes_the_mark_off(anatomy, press, viewer):
    button = anatomy.page.view.groups[0].buttons[0]
    press(button)
    viewer.layers.remove("anatomy, channel 1")
    assert not button.isChecked()


def test_pictures_follow_the_slider(anatomy):
    group = anatomy.page.view.groups[0]
    before = group.buttons[1].icon().cacheKey()
    anatomy.parts.stage.go_to(0)
    assert group.buttons[1].icon().cacheKey() != before


def test_the_table_of_two_models():
    first = np.array([[0.25, 1.0, 2.0], [0.5, 0.0, np.nan]])
    second = np.array([[0.75, 1.0, 2.0], [0.5, 0.0, 3.0], [9.0, 0.0, 1.0]])
    carried = [("model in use", first), ("candidate", second)]
    text = table_of(carried, SPINAL_GM.labels, look_of("dark"))
    assert text.count("<tr>") == 2 + 3  # a channel that the one has and the other not
    assert text.count("in use") == text.count("cand.") == 3
    assert text.count("●") == 6
    assert "GM" in text
    assert "grey matter" not in text
