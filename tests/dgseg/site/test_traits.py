"""What each slice is like, from labels and uncertainty."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.site.traits import SliceTraits, disagreement, measure_traits


@pytest.fixture
def labels():
    labels = np.zeros((4, 60, 60), np.uint8)
    labels[:, 10:30, 10:30] = 1
    labels[:, 40:46, 44:50] = 2
    return labels


def test_uncertainty_belongs_to_the_structure_that_it_is_around(labels):
    uncertainty = np.zeros_like(labels)
    uncertainty[2, 37:49, 41:53] = 51
    found = measure_traits(labels, uncertainty, 3).by_structure

    assert found[:, 1] == pytest.approx([0, 0, 0.2, 0], abs=1e-6)
    assert not found[:, 0].any()
    assert np.isnan(found[:, 2]).all()


def test_deep_inside_does_not_count(labels):
    uncertainty = np.zeros_like(labels)
    uncertainty[:, 14:26, 14:26] = 255
    assert measure_traits(labels, uncertainty, 2).by_structure[:, 0].max() == 0


def test_a_lost_structure_is_looked_for_where_its_neighbours_have_it(labels):
    labels[1, :, :] = 0
    uncertainty = np.zeros_like(labels)
    uncertainty[1, 14:26, 14:26] = 255
    found = measure_traits(labels, uncertainty, 2).by_structure[:, 0]
    assert found[1] > 0.2
    assert found[3] == 0


def test_shape_is_size_and_place(labels):
    labels[3, 40:46] = 0
    shape = measure_traits(labels, labels, 2).shape
    assert shape.shape == (4, 6)
    assert shape[0] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.1, 43 / 60, 47 / 60], abs=1e-6)
    # Nothing is known of the place of what is not there: it is that of the others.
    assert shape[3, 3:] == pytest.approx([0, 43 / 60, 47 / 60], abs=1e-6)


def test_nothing_found_at_all():
    empty = np.zeros((2, 8, 9), np.uint8)
    found = measure_traits(empty, empty, 2)
    assert np.isnan(found.by_structure).all()
    assert found.shape[0] == pytest.approx([0, 0.5, 0.5] * 2)
    assert found.look.shape == (2, 0)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 5), (3, 1, 9)])
def test_tiny_scans(shape):
    ones = np.ones(shape, np.uint8)
    assert measure_traits(ones, 255 * ones, 1).by_structure.shape == (shape[0], 1)


def test_it_comes_back_from_one_array(labels, rng):
    traits = measure_traits(labels, labels, 2, rng.normal(size=(4, 5)))
    packed = traits.packed()
    again = SliceTraits.unpack(packed, 2)

    assert packed.dtype == np.float32
    for name in ("by_structure", "shape", "look"):
        np.testing.assert_array_equal(getattr(again, name), getattr(traits, name))
    with pytest.raises(ValueError, match="holds no traits"):
        SliceTraits.unpack(packed, 9)


def test_disagreement_is_a_share_of_the_structures(labels):
    others = labels.copy()
    others[1, 10:30, 10:20] = 0
    others[2] = 0
    found = disagreement(labels, others)
    assert found == pytest.approx([0, 200 / 436, 1, 0], abs=1e-6)
    few = np.zeros_like(labels)
    few[0, 0, 0] = 1
    few[1:3] = labels[1:3]
    assert disagreement(few, few * (few != 1)).max() < 1
    assert not disagreement(0 * labels, 0 * labels).any()
