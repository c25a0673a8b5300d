"""Normalisation and the model's grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dgseg.errors import ScanError
from dgseg.scans.geometry import Geometry
from dgseg.scans.preprocessing import SMALLEST_GRID, Preprocessing, grid_size, normalise


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("kind", ["percentile", "zscore"])
def test_values_lie_in_the_unit_interval(rng, dtype, kind):
    array = rng.integers(0, 200, (5, 20, 20)).astype(dtype)
    result = normalise(array, Preprocessing(normalisation=kind))
    assert result.dtype == np.float32
    assert result.shape == array.shape
    assert 0 <= result.min() < result.max() <= 1


def test_percentiles_by_definition(rng):
    array = rng.normal(100, 20, (4, 30, 30))
    low, high = np.percentile(array, (2, 90))
    expected = np.clip((array - low) / (high - low), 0, 1)
    chosen = Preprocessing(low_percentile=2, high_percentile=90)
    assert np.allclose(normalise(array, chosen), expected, atol=1e-6)


def test_zscores_by_definition(rng):
    array = rng.normal(100, 20, (4, 30, 30))
    array[0, 0, 0] = 1e5
    z = np.clip((array - array.mean()) / array.std(), -5, 5)
    result = normalise(array, Preprocessing(normalisation="zscore"))
    assert np.allclose(result, (z + 5) / 10, atol=1e-6)
    assert result[0, 0, 0] == 1


@given(scale=st.floats(1e-3, 1e4), offset=st.floats(-1e4, 1e4))
def test_scanners_units_do_not_matter(scale, offset):
    array = np.random.default_rng(0).random((3, 12, 12))
    for kind in ("percentile", "zscore"):
        chosen = Preprocessing(normalisation=kind)
        moved = normalise(array * scale + offset, chosen)
        assert np.allclose(moved, normalise(array, chosen), atol=1e-3)


def test_order_is_kept_and_integers_do_not_wrap():
    array = np.array([[[-32768, -5, 0, 5, 32767]]], np.int16)
    result = normalise(array, Preprocessing(low_percentile=0, high_percentile=100))
    assert np.all(np.diff(result.ravel()) > 0)


def test_a_nearly_empty_volume_uses_its_extremes():
    array = np.zeros((5, 40, 40), np.int16)
    array[2, 3, 4] = 100
    assert normalise(array, Preprocessing())[2, 3, 4] == 1


def test_nothing_to_see_is_an_error():
    with pytest.raises(ScanError, match="same value"):
        normalise(np.ones((2, 3, 3)), Preprocessing())
    with pytest.raises(ScanError, match="not finite"):
        normalise(np.array([[[1.0, np.nan]]]), Preprocessing())


def test_grid_covers_the_extent():
    geometry = Geometry((100, 80, 10), np.diag([0.5, 0.7, 3.0, 1.0]), 2)
    assert geometry.canonical_shape == (10, 80, 100)
    assert grid_size(geometry, Preprocessing()) == (80, 100)
    assert grid_size(geometry, Preprocessing(spacing_mm=0.5)) == (112, 100)
    assert grid_size(geometry, Preprocessing(spacing_mm=20)) == (SMALLEST_GRID,) * 2


def test_settings_are_checked_and_survive_json():
    chosen = Preprocessing(spacing_mm=0.5, largest_component=True)
    assert Preprocessing.model_validate_json(chosen.model_dump_json()) == chosen
    for bad in (
        {"spacing_mm": 0},
        {"low_percentile": 60, "high_percentile": 40},
        {"high_percentile": 101},
        {"unknown": 1},
    ):
        with pytest.raises(ValidationError):
            Preprocessing(**bad)


def test_a_grid_in_pixels_of_the_scan():
    geometry = Geometry((33, 90, 12), np.diag([3.0, 2.0, 5.0, 1.0]), 2)
    rows, columns = geometry.canonical_shape[1:]
    for scale in (0.5, 1.5, 2):
        wanted = (max(16, round(rows / scale)), max(16, round(columns / scale)))
        assert grid_size(geometry, Preprocessing(pixel_scale=scale)) == wanted
    assert grid_size(geometry, Preprocessing(pixel_scale=16)) == (SMALLEST_GRID, SMALLEST_GRID)
    assert grid_size(geometry, Preprocessing()) == (rows, columns)
    for wrong in (0, -1, 17, float("nan")):
        with pytest.raises(ValidationError):
            Preprocessing(pixel_scale=wrong)
