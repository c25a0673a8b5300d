"""The tab "Anatomy", by mouse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgseg.scans.schema import SPINAL_GM
from napari_dgseg.inspector.anatomy import table_of, telling
from napari_dgseg.look import look_of


@pytest.fixture
def anatomy(opened):
    opened.turn_to("Anatomy")
    return opened


def test_the_channel_in_which_a_class_stands_out_most():
    # The first channel is the largest everywhere, and tells least.
    carried = np.array([[9.0, 8.9, 8.8, 9.1], [0.0, 0.1, -4.0, 0.2], [0.3, 2.0, 0.4, 0.3]])
    assert telling(carried) == [None, 2, 1, 0]
    carried[:, 3] = np.nan
    assert telling(carried) == [0, 2, 1, None]


@given(
    scales=st.lists(st.floats(0.1, 50) | st.floats(-50, -0.1), min_size=3, max_size=3),
    seed=st.integers(0, 999),
)
def test_neither_scale_nor_sign_of_a_channel_changes_what_is_marked(scales, seed):
    carried = np.random.default_rng(seed).normal(size=(3, 4))
    assert telling(carried * np.array(scales)[:, None]) == telling(carried)


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
