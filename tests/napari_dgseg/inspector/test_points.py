"""Colours of points, the lasso's geometry, pictures: what needs no window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path

from napari_dgseg.inspector.lasso import Lasso
from napari_dgseg.inspector.pictures import around, difference, grey, outlined
from napari_dgseg.inspector.points import Points, colours_of, is_known, scale_colours


def _points(scans, **changes):
    n = len(scans)
    given = {
        "xy": np.zeros((n, 2)),
        "scan_ids": tuple(scans),
        "slices": np.arange(n),
        "thumbnails": np.zeros((n, 48, 48), np.uint8),
        "series": ("",) * n,
        "error": np.arange(n, dtype=float),
        "uncertainty": np.full(n, np.nan),
    }
    return Points(**{**given, **changes})


@pytest.mark.parametrize("dark", [True, False])
def test_forty_scans_can_be_told_apart(dark):
    colours = colours_of(_points([f"s{n}" for n in range(40)]), "scan", dark=dark)
    marks = set(zip(colours.colours, colours.symbols, strict=True))
    assert len(marks) == len(colours.entries) == 40


def test_a_scan_keeps_its_mark_over_its_slices():
    colours = colours_of(_points("abab", titles=("A", "B", "A", "B")), "scan", dark=True)
    assert colours.colours[0] == colours.colours[2] != colours.colours[1]
    assert [entry.text for entry in colours.entries] == ["A", "B"]


def test_two_sites_are_two_groups():
    colours = colours_of(_points("ab", sites=("St. Anna", "UCL")), "site", dark=True)
    assert [entry.text for entry in colours.entries] == ["St. Anna", "UCL"]


def test_a_scale_runs_from_the_least_to_the_greatest():
    known = _points("abc", error=np.array([0.2, np.nan, 0.6]))
    colours = colours_of(known, "error", dark=False)
    steps = scale_colours(dark=False)
    assert colours.scale == (0.2, 0.6)
    assert colours.colours == [steps[0], "", steps[-1]]


@pytest.mark.parametrize("values", [[0.3, 0.3], [np.nan, np.nan]])
def test_a_scale_without_extent_is_no_error(values):
    colours = colours_of(_points("ab", error=np.array(values)), "error", dark=True)
    assert (colours.scale is None) == bool(np.isnan(values[0]))


def test_what_is_known_can_be_coloured_by():
    points = _points("ab", series=("", "T2"))
    assert is_known(points, "series")
    assert is_known(points, "error")
    assert not is_known(points, "uncertainty")
    assert not is_known(_points("ab"), "series")


def test_a_slice_is_found():
    points = _points("aab")
    assert points.at("a", 1) == 1
    assert points.at("b", 1) is None


@given(seed=st.integers(0, 10_000), n=st.integers(3, 12))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_the_lasso_goes_round_what_a_path_of_matplotlib_does(seed, n):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, n))
    reach = rng.uniform(20, 100, n)
    corners = np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=1)
    lasso = Lasso()
    lasso.begin(*corners[0])
    for corner in corners[1:]:
        lasso.extend(*corner)
    points = rng.uniform(-110, 110, (200, 2))
    kept = lasso.corners
    assert lasso.is_drawn == (len(kept) >= 3)
    expected = Path(np.concatenate([kept, kept[:1]]), closed=True).contains_points(points)
    np.testing.assert_array_equal(lasso.inside(points), expected)


def test_a_trembling_hand_adds_no_corners():
    lasso = Lasso()
    lasso.begin(0, 0)
    lasso.extend(1, 1)
    assert len(lasso.corners) == 1
    assert not lasso.is_drawn


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
