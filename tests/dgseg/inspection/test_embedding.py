"""Codes on a plane."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.inspection.embedding import tsne


def test_groups_stay_together(rng):
    group = np.repeat([0, 1], 30)
    codes = rng.normal(size=(60, 4)) * 0.1 + 5 * group[:, None]
    places = tsne(codes, seed=3)
    assert places.shape == (60, 2)
    assert places.dtype == np.float32
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(axis=1)] == group).all()
    np.testing.assert_array_equal(tsne(codes, seed=3), places)


def test_slices_without_codes_have_no_place(rng):
    codes = rng.normal(size=(12, 3))
    codes[4, 1] = np.nan
    places = tsne(codes)
    assert np.isnan(places).all(axis=1).tolist() == [index == 4 for index in range(12)]


@pytest.mark.parametrize(("n", "dims"), [(0, 2), (1, 2), (2, 3), (3, 2), (5, 1), (4, 8)])
def test_few_slices_and_few_dimensions_have_places_too(rng, n, dims):
    places = tsne(rng.normal(size=(n, dims)))
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()


def test_codes_that_are_all_the_same_are_one_point():
    assert not tsne(np.ones((9, 4))).any()


@pytest.mark.parametrize("shape", [(4,), (4, 0)])
def test_what_is_no_table_is_refused(shape):
    with pytest.raises(ValueError, match="no table"):
        tsne(np.zeros(shape))
