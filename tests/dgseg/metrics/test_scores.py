"""Scores against a brute-force reference, and the rule for empty structures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dgseg.metrics.scores import Scores, score

SPACING = (5.0, 0.5, 0.8)


def surface(mask):
    """Voxels with a face to the background or to the outside."""
    found = []
    for index in zip(*np.nonzero(mask), strict=True):
        for axis, step in itertools.product(range(3), (-1, 1)):
            other = list(index)
            other[axis] += step
            outside = not all(0 <= o < s for o, s in zip(other, mask.shape, strict=True))
            if outside or not mask[tuple(other)]:
                found.append(index)
                break
    return np.array(found, float)


def brute_force(found, true, spacing):
    both = sum(bool(f and t) for f, t in zip(found.flat, true.flat, strict=True))
    n, m = int(found.sum()), int(true.sum())
    a, b = surface(found) * spacing, surface(true) * spacing
    between = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    there, back = between.min(1), between.min(0)
    return {
        "dice": 2 * both / (n + m),
        "iou": both / (n + m - both),
        "precision": both / n,
        "recall": both / m,
        "specificity": sum(not f and not t for f, t in zip(found.flat, true.flat, strict=True))
        / (true.size - m),
        "hd95": max(np.percentile(there, 95), np.percentile(back, 95)),
        "assd": np.concatenate([there, back]).mean(),
    }


def blobs(rng, shape=(5, 14, 12)):
    """Labels 0..2 in lumps."""
    noise = rng.normal(size=shape)
    for _ in range(2):
        noise = sum(np.roll(noise, s, a) for a in (1, 2) for s in (-1, 0, 1)) / 6
    return np.digitize(noise, np.quantile(noise, [0.6, 0.85])).astype(np.uint8)


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    found, true = blobs(rng), blobs(rng)
    ours = score(found, true, SPACING, 3)
    for value in (1, 2):
        theirs = brute_force(found == value, true == value, SPACING)
        for name, expected in theirs.items():
            assert getattr(ours, name)[value - 1] == pytest.approx(expected, rel=1e-5), name


@pytest.mark.parametrize("seed", range(3))
def test_chosen_slices_keep_their_place(seed):
    """The others count as empty: distances across a gap are what they are."""
    rng = np.random.default_rng(seed)
    found, true = blobs(rng, (6, 10, 10)), blobs(rng, (6, 10, 10))
    slices = np.array([True, False, False, True, True, False])
    ours = score(found, true, SPACING, 3, slices=slices)
    for volume in (found, true):
        volume[~slices] = 0
    for value in (1, 2):
        theirs = brute_force(found == value, true == value, SPACING)
        counted = brute_force(found[slices] == value, true[slices] == value, SPACING)
        theirs["specificity"] = counted["specificity"]
        for name, expected in theirs.items():
            assert getattr(ours, name)[value - 1] == pytest.approx(expected, rel=1e-5), name


def test_gap_between_slices_is_not_closed():
    found, true = (np.zeros((4, 6, 6), np.uint8) for _ in range(2))
    found[0, 2:4, 2:4] = true[3, 2:4, 2:4] = 1
    result = score(found, true, SPACING, 2, slices=np.array([True, False, False, True]))
    assert result.hd95[0] == pytest.approx(15.0)
    assert result.assd[0] == pytest.approx(15.0)


def test_perfect():
    labels = blobs(np.random.default_rng(0))
    result = score(labels, labels, SPACING, 3)
    for name in ("dice", "iou", "precision", "recall"):
        np.testing.assert_array_equal(getattr(result, name), 1.0)
    np.testing.assert_array_equal(result.hd95, 0.0)
    np.testing.assert_array_equal(result.assd, 0.0)


def test_both_empty_is_perfect():
    empty = np.zeros((2, 4, 4), np.uint8)
    result = score(empty, empty, SPACING, 3)
    np.testing.assert_array_equal(result.dice, [1.0, 1.0])
    np.testing.assert_array_equal(result.hd95, [0.0, 0.0])


@pytest.mark.parametrize("missed", [True, False])
def test_one_empty_is_the_worst_and_counts(missed):
    empty, full = np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 4), np.uint8)
    full[1, 1, 1] = 1
    pair = (empty, full) if missed else (full, empty)
    result = score(*pair, spacing=(2.0, 3.0, 1.0), n_classes=2)
    diagonal = np.sqrt((2 * 2) ** 2 + (3 * 3) ** 2 + 4**2)
    assert result.dice[0] == result.iou[0] == result.precision[0] == result.recall[0] == 0
    assert result.hd95[0] == result.assd[0] == pytest.approx(diagonal)
    assert result.means()["hd95"] == pytest.approx(diagonal)


def test_symmetric_but_for_precision_and_recall():
    rng = np.random.default_rng(4)
    found, true = blobs(rng), blobs(rng)
    one, other = score(found, true, SPACING, 3), score(true, found, SPACING, 3)
    for name in ("dice", "iou", "hd95", "assd"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name))
    np.testing.assert_allclose(one.precision, other.recall)


def test_one_voxel_apart_in_millimetres():
    found, true = (np.zeros((1, 9, 9), np.uint8) for _ in range(2))
    found[0, 4, 4] = true[0, 4, 7] = 1
    assert score(found, true, (5.0, 0.5, 0.8), 2).hd95[0] == pytest.approx(3 * 0.8)


def test_single_slice_and_structure_at_the_edge():
    labels = np.zeros((1, 5, 5), np.uint8)
    labels[0, :2, :2] = 1
    other = np.zeros_like(labels)
    other[0, :2, :3] = 1
    theirs = brute_force(other == 1, labels == 1, SPACING)
    ours = score(other, labels, SPACING, 2)
    assert ours.hd95[0] == pytest.approx(theirs["hd95"])
    assert ours.assd[0] == pytest.approx(theirs["assd"])


def test_means_are_over_structures():
    scores = Scores(*(np.array([value, value + 1.0]) for value in range(7)))
    assert scores.means() == {
        "dice": 0.5,
        "iou": 1.5,
        "precision": 2.5,
        "recall": 3.5,
        "specificity": 4.5,
        "hd95": 5.5,
        "assd": 6.5,
    }


def test_inputs_are_left_alone():
    rng = np.random.default_rng(0)
    found, true = blobs(rng), blobs(rng)
    copies = found.copy(), true.copy()
    score(found, true, SPACING, 3, slices=np.array([True, False, True, True, False]))
    np.testing.assert_array_equal(found, copies[0])
    np.testing.assert_array_equal(true, copies[1])


def test_other_shape_is_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        score(np.zeros((1, 2, 2)), np.zeros((1, 2, 3)), SPACING, 2)


def test_specificity_counts_the_slices_that_count_alone():
    found, true = np.zeros((2, 3, 2, 2), np.uint8)
    true[0, 0] = 1
    found[0, 0], found[1, 1, 1], found[2] = 1, 1, 1
    slices = np.array([True, True, False])
    # 8 voxels count, 2 are true, 1 of the other 6 is found.
    assert score(found, true, SPACING, 2, slices=slices).specificity[0] == pytest.approx(5 / 6)
    assert score(found, true, SPACING, 2).specificity[0] == pytest.approx(5 / 10)


def test_specificity_of_empty_structures_follows_its_formula():
    empty, full, some = np.zeros((3, 1, 2, 2), np.uint8)
    full[:], some[0, 0, 0] = 1, 1
    assert score(empty, empty, SPACING, 2).specificity[0] == 1
    assert score(empty, some, SPACING, 2).specificity[0] == 1
    assert score(some, empty, SPACING, 2).specificity[0] == pytest.approx(3 / 4)
    assert score(full, full, SPACING, 2).specificity[0] == 1
    assert score(full, empty, SPACING, 2).specificity[0] == 0
