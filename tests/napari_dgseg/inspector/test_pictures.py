"""Arrays as pictures."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dgseg.inspector.pictures import around, difference, grey, outlined


def test_grey_values_are_clipped_and_holes_are_black():
    rgb = grey(np.array([[0.0, 0.5], [2.0, np.nan]]))
    assert rgb[..., 0].tolist() == [[0, 128], [255, 0]]
    assert (rgb == rgb[..., :1]).all()
    np.testing.assert_array_equal(grey(np.array([[7]], np.uint8)), [[[7, 7, 7]]])


def test_a_difference_is_orange_above_and_blue_below():
    rgb, most = difference(np.array([[0.9, 0.5, 0.1]]), np.array([[0.5, 0.5, 0.5]]))
    assert most == pytest.approx(0.4)
    assert rgb[0].tolist() == [[230, 159, 0], [0, 0, 0], [86, 180, 233]]


def test_a_tiny_difference_is_not_blown_up():
    rgb, most = difference(np.full((2, 2), 0.501), np.full((2, 2), 0.5))
    assert most == 0.02
    assert rgb.max() < 15


def test_outlines_are_the_rim_of_the_labels():
    labels = np.zeros((7, 7), np.uint8)
    labels[1:6, 1:6] = 2
    labels[3, 3] = 1
    drawn = outlined(np.zeros((7, 7, 3), np.uint8), labels, {1: "#ff0000", 2: "#0000ff"})
    blue = (drawn == [0, 0, 255]).all(axis=2)
    rim = np.zeros((7, 7), bool)
    rim[1:6, 1:6] = True
    rim[2:5, 2:5] = False
    rim[[2, 4, 3, 3], [3, 3, 2, 4]] = True  # around the hole for the other label
    np.testing.assert_array_equal(blue, rim)
    assert drawn[3, 3].tolist() == [255, 0, 0]
    assert drawn[0].max() == 0


def test_outlines_of_large_pictures_are_wider():
    labels = np.zeros((300, 300), np.int16)
    labels[100:200, 100:200] = 1
    white = (outlined(np.zeros((300, 300, 3), np.uint8), labels, {1: "#ffffff"}) > 0).all(
        axis=2
    )
    inner = labels.copy()
    inner[102:198, 102:198] = 0
    np.testing.assert_array_equal(white, inner == 1)


def test_the_edge_of_a_picture_is_no_outline():
    labels = np.ones((4, 4), np.uint8)
    drawn = outlined(np.zeros((4, 4, 3), np.uint8), labels, {1: "#ffffff"})
    assert drawn.max() == 0


def test_a_structure_is_shown_with_room_around():
    labels, other = np.zeros((100, 120), np.uint8), np.zeros((100, 120), np.uint8)
    labels[40:61, 50:61] = 1
    other[60, 70] = 2
    rows, columns = around(labels, other)
    assert (rows, columns) == (slice(30, 71), slice(40, 81))
    assert around(other * 0) == (slice(None), slice(None))
    corner = np.zeros((40, 40), np.uint8)
    corner[0, 39] = 1
    assert corner[around(corner)].shape == (17, 17)
