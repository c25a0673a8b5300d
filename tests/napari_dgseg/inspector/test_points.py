"""Colours and symbols of points: what needs no window."""

from __future__ import annotations

import numpy as np
import pytest

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
