"""Numbers that can be checked by hand, and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.metrics.pooled import pooled_dice


def by_loop(labels, truth, structures):
    """The mean over slices of the pooled Dice, pixel by pixel."""
    per_slice = []
    for found, true in zip(labels, truth, strict=True):
        both = total = 0
        for p, t in zip(found.ravel().tolist(), true.ravel().tolist(), strict=True):
            for k in structures:
                both += p == k and t == k
                total += (p == k) + (t == k)
        per_slice.append(2 * both / total if total else 1.0)
    return sum(per_slice) / len(per_slice)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_a_loop(seed):
    rng = np.random.default_rng(seed)
    labels, truth = rng.integers(0, 4, (2, 5, 6, 7)).astype(np.uint8)
    labels[0] = truth[0] = 0
    truth[1] = 0
    labels[2] = 0
    ours = pooled_dice(labels, truth, 4)
    assert ours.pooled == pytest.approx(by_loop(labels, truth, (1, 2, 3)))
    assert ours.per_class == pytest.approx([by_loop(labels, truth, (k,)) for k in (1, 2, 3)])


def test_by_hand():
    truth = np.array([[[1, 1, 1, 2]], [[0, 0, 0, 0]], [[0, 0, 0, 0]]], np.uint8)
    labels = np.array([[[1, 1, 2, 2]], [[0, 0, 0, 0]], [[1, 0, 0, 0]]], np.uint8)
    ours = pooled_dice(labels, truth, 3)
    # Slice 1: 2 * (2 + 1) / ((2 + 3) + (2 + 1)); slice 2: 1; slice 3: 0.
    assert ours.pooled == pytest.approx((6 / 8 + 1 + 0) / 3)
    assert ours.per_class == pytest.approx([(4 / 5 + 1 + 0) / 3, (2 / 3 + 1 + 1) / 3])


def test_a_pixel_of_the_wrong_structure_is_no_hit():
    """Pooling adds up structures; it does not merge them into one foreground."""
    truth, labels = np.full((1, 2, 2), 1, np.uint8), np.full((1, 2, 2), 2, np.uint8)
    assert pooled_dice(labels, truth, 3).pooled == 0


def test_slices_that_do_not_count_are_left_out():
    truth = np.zeros((3, 2, 2), np.uint8)
    truth[0] = 1
    labels = truth.copy()
    labels[2] = 1
    marks = np.array([True, False, False])
    assert pooled_dice(labels, truth, 2, slices=marks).pooled == 1
    assert pooled_dice(labels, truth, 2).pooled == pytest.approx(2 / 3)


def test_other_shape_and_nothing_to_score_are_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        pooled_dice(np.zeros((1, 2, 2)), np.zeros((1, 2, 3)), 2)
    with pytest.raises(ValueError, match="no slice"):
        pooled_dice(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), 2, slices=np.zeros(2, bool))
