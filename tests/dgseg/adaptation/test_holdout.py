from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgseg.adaptation.holdout import (
    FOLD_SHARE,
    HeldoutScores,
    Overlap,
    Split,
    choose_folds,
    choose_heldout,
    choose_split,
)
from dgseg.scans.schema import SPINAL_GM, Label, LabelSchema

corrected = st.dictionaries(
    st.text("0123456789abcdef", min_size=12, max_size=12),
    st.lists(st.integers(0, 40), unique=True),
    max_size=8,
)


@given(corrected=corrected, every=st.integers(0, 9))
def test_held_out_slices_are_corrected_ones_and_leave_some_to_learn_from(corrected, every):
    heldout = choose_heldout(corrected, every)
    n_all = sum(map(len, corrected.values()))
    n_out = sum(map(len, heldout.values()))
    assert all(set(heldout[scan]) <= set(corrected[scan]) for scan in heldout)
    assert n_out == sum(len(set(indices)) for indices in heldout.values())
    assert all(heldout.values())
    if every == 0 or n_all < 2:
        assert n_out == 0
    else:
        assert 1 <= n_out < n_all
    assert heldout == choose_heldout(corrected, every)


@pytest.mark.parametrize(("n", "expected"), [(1, 0), (2, 1), (4, 1), (6, 2), (8, 2), (40, 10)])
def test_one_in_four_is_held_out(n, expected):
    heldout = choose_heldout({"a": range(n)}, 4)
    assert sum(map(len, heldout.values())) == expected


@pytest.mark.parametrize(
    ("n_slices", "every", "expected"),
    [
        # Whole scans, so that nobody who judges has taught, ...
        ((4, 4, 4, 4), 4, {"a": (0, 1, 2, 3)}),
        ((2,) * 8, 4, {"a": (0, 1), "e": (0, 1)}),
        ((9, 1, 3, 1, 1), 5, {"c": (0, 1, 2)}),
        # ... but slices where few scans are corrected, or most slices are of one scan.
        ((4, 4, 4), 4, {"a": (2,), "b": (2,), "c": (2,)}),
        ((13, 1, 1, 1), 4, {"a": (2, 6, 10), "c": (0,)}),
        ((5, 1, 1, 1), 4, {"a": (2,), "c": (0,)}),
        ((1, 1, 3, 3), 4, {"c": (0, 1, 2)}),
        ((10, 10, 10, 10), 20, {"b": (0,), "d": (0,)}),
        ((2, 2, 2, 2), 1, {"a": (0, 1), "b": (0,), "c": (0, 1), "d": (0, 1)}),
    ],
)
def test_whole_scans_are_held_out_where_there_are_enough(n_slices, every, expected):
    corrected = {name: range(n) for name, n in zip("abcdefgh", n_slices, strict=False)}
    assert choose_heldout(corrected, every) == expected


def as_set(slices):
    return {(scan, index) for scan, indices in slices.items() for index in indices}


@given(corrected=corrected, every=st.integers(0, 9))
def test_who_learns_from_no_slice_is_judged_by_all(corrected, every):
    split = choose_split(corrected, every, learns=False)
    assert split.folds == ()
    assert as_set(split.heldout) == (as_set(corrected) if every else set())
    assert all(split.heldout.values())


@given(corrected=corrected, every=st.integers(0, 9))
def test_few_corrections_are_all_learnt_from_and_all_judge(corrected, every):
    split = choose_split(corrected, every)
    n_all = sum(map(len, corrected.values()))
    assert split == choose_split(corrected, every)
    assert not (split.heldout and split.folds)
    if every and 2 <= n_all < 8:
        assert len(split.folds) == min(n_all, 3)
        parts = [as_set(fold) for fold in split.folds]
        assert all(0 < len(part) < n_all for part in parts)
        assert sum(map(len, parts)) == n_all
        assert set().union(*parts) == as_set(corrected)
        assert split.work == 1 + FOLD_SHARE * len(parts)
        assert split.fold_steps(10) == (round(10 * FOLD_SHARE),) * len(parts)
    else:
        assert split == Split(choose_heldout(corrected, every))
        assert split.work == 1
        assert split.fold_steps(10) == ()


@pytest.mark.parametrize(
    ("corrected", "folds"),
    [
        # A training is judged by scans of which it knows no label, ...
        ({"a": [1], "b": [2, 5], "c": [3]}, [{"b": (2, 5)}, {"a": (1,)}, {"c": (3,)}]),
        (
            {"a": [1, 4], "b": [2], "c": [3], "d": [0], "e": [6]},
            [{"a": (1, 4)}, {"b": (2,), "d": (0,)}, {"c": (3,), "e": (6,)}],
        ),
        # ... unless there are too few of them, or one has most of the corrections.
        ({"a": [5, 1], "b": [2]}, [{"a": (1,)}, {"a": (5,)}, {"b": (2,)}]),
        ({"a": [1, 2, 3, 4, 5]}, [{"a": (1, 4)}, {"a": (2, 5)}, {"a": (3,)}]),
        (
            {"a": [1, 2, 3, 4], "b": [7], "c": [8]},
            [{"a": (1, 4)}, {"a": (2,), "b": (7,)}, {"a": (3,), "c": (8,)}],
        ),
        ({"a": [1], "b": [2]}, [{"a": (1,)}, {"b": (2,)}]),
    ],
)
def test_slices_of_one_scan_are_in_one_fold_where_that_can_be(corrected, folds):
    assert list(choose_folds(corrected)) == folds


def test_a_split_survives_json():
    for split in (choose_split({"a": [1, 2], "b": [3]}, 4), choose_split({"a": range(9)}, 4)):
        assert Split.from_dict(json.loads(json.dumps(asdict(split)))) == split


def test_a_split_of_an_older_job_has_trainings_of_one_length():
    split = choose_split({"a": [1, 2], "b": [3]}, 4)
    content = json.loads(json.dumps(asdict(split)))
    del content["fold_share"]
    again = Split.from_dict(content)
    assert again.folds == split.folds
    assert (again.work, again.fold_steps(10)) == (4.0, (10, 10, 10))


def brute_force_dice(a, b, value):
    both = sum(x == y == value for x, y in zip(a.flat, b.flat, strict=True))
    sizes = sum(x == value for x in a.flat) + sum(y == value for y in b.flat)
    return 2 * both / sizes if sizes else None


def test_dice_is_that_of_counting_voxels_one_by_one(rng):
    a, b = rng.integers(0, 3, (2, 3, 7, 5)).astype(np.uint8)
    dice = Overlap.of(a, b, 4).dice()
    assert dice == pytest.approx([brute_force_dice(a, b, v) for v in (1, 2, 3)])
    assert dice[2] is None


def test_overlaps_add_up_to_the_overlap_of_all(rng):
    a, b = rng.integers(0, 3, (2, 6, 7, 5)).astype(np.uint8)
    parts = [Overlap.of(a[i], b[i], 3) for i in range(6)]
    assert Overlap.sum(parts, 3).dice() == Overlap.of(a, b, 3).dice()


def test_an_empty_structure_counts_for_the_model_that_leaves_it_out():
    truth = np.zeros((4, 4), np.uint8)
    truth[0] = 2
    painted = truth.copy()
    painted[3] = 1
    scores = HeldoutScores(SPINAL_GM)
    scores.add("a" * 12, 5, truth, painted, truth)
    assert scores.slices[0].before == {"GM": 0.0, "WM": 1.0}
    assert scores.slices[0].after == {"GM": 1.0, "WM": 1.0}
    assert scores.pooled() == (scores.slices[0].before, scores.slices[0].after)


def test_a_structure_that_is_nowhere_tells_nothing():
    truth = np.zeros((4, 4), np.uint8)
    truth[0] = 2
    scores = HeldoutScores(SPINAL_GM)
    scores.add("a" * 12, 5, truth, truth, truth)
    assert scores.pooled()[0] == {"GM": None, "WM": 1.0}


def test_structures_with_the_same_initials_keep_their_names():
    labels = [
        Label(value=i + 1, name=name, color="#000000")
        for i, name in enumerate(["left lung", "left lobe"])
    ]
    scores = HeldoutScores(LabelSchema(name="lungs", labels=tuple(labels)))
    assert set(scores.pooled()[0]) == {"left lung", "left lobe"}
