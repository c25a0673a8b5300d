"""Where two proposals differ most, and why."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.site.changes import (
    LEAST,
    change_reason,
    changed_slices,
    count_changes,
)

NAMES = ("grey matter", "white matter")


def _volume(n_slices=7, size=32):
    labels = np.zeros((n_slices, size, size), np.uint8)
    labels[:, 8:24, 8:24] = 2
    labels[:, 12:20, 12:20] = 1
    return labels


def _changes(*pairs, limit=12):
    scans = [count_changes(f"s{n}", *pair, 3) for n, pair in enumerate(pairs)]
    return changed_slices(scans, NAMES, limit)


def _reason(old, new):
    return change_reason(count_changes("s", old[None], new[None], 3).counts[0], NAMES)


def test_counts_are_those_of_every_pair_of_labels(rng):
    old, new = rng.integers(0, 3, (2, 3, 9, 11)).astype(np.uint8)
    change = count_changes("s", old, new, 3)
    for at in range(3):
        for a in range(3):
            for b in range(3):
                there = np.count_nonzero((old[at] == a) & (new[at] == b)) if a or b else 0
                assert change.counts[at, a, b] == there
    before, after = change.voxels
    assert before.tolist() == [np.count_nonzero(old == 1), np.count_nonzero(old == 2)]
    assert after.tolist() == [np.count_nonzero(new == 1), np.count_nonzero(new == 2)]


def test_memory_mapped_labels_are_counted_alike(tmp_path):
    np.save(tmp_path / "labels.npy", _volume())
    mapped = np.load(tmp_path / "labels.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        count_changes("s", mapped, mapped, 3).counts,
        count_changes("s", _volume(), _volume(), 3).counts,
    )


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shapes"):
        count_changes("s", _volume(3), _volume(4), 3)


def test_nothing_changed_is_an_empty_list():
    empty = np.zeros((4, 8, 8), np.uint8)
    assert _changes((_volume(), _volume()), (empty, empty)) == []
    assert _changes() == []


def test_the_score_is_one_minus_dice_of_all_structures():
    old, new = _volume(), _volume()
    new[3] = np.roll(new[3], 4, axis=1)
    found = _changes((old, new))
    agreed = np.count_nonzero((old[3] == new[3]) & (old[3] > 0))
    dice = 2 * agreed / (np.count_nonzero(old[3]) + np.count_nonzero(new[3]))
    assert [change.slice for change in found] == [3]
    assert found[0].score == pytest.approx(1 - dice)


def test_the_largest_change_comes_first_and_stray_pixels_last():
    old, new = _volume(), _volume()
    old[0] = new[0] = 0
    new[0, 5, 5:7] = 1  # alone in its slice: Dice 0
    new[2] = np.roll(new[2], 2, axis=0)
    new[5] = np.roll(new[5], 6, axis=0)
    assert [change.slice for change in _changes((old, new))] == [5, 2]
    new[0, 5, 5:14] = 1
    found = _changes((old, new))
    assert [change.slice for change in found] == [5, 2, 0]
    assert LEAST < found[2].score < 0.03


def test_stray_pixels_do_not_lead_where_neither_model_finds_more():
    empty = np.zeros((5, 32, 32), np.uint8)
    stray = empty.copy()
    stray[:, 4, 4:6] = 1
    old, new = _volume(), _volume()
    new[1] = np.roll(new[1], 2, axis=0)
    found = _changes((empty, stray), (old, new))
    assert (found[0].scan_id, found[0].slice) == ("s1", 1)


def test_one_scan_does_not_fill_the_list():
    worst = _volume(), np.zeros_like(_volume())
    little = _volume(), np.roll(_volume(), 2, axis=1)
    found = _changes(worst, little, limit=6)
    assert len(found) == 6
    by_scan = [change.scan_id for change in found]
    assert by_scan[0] == "s0"
    assert by_scan.count("s1") >= 1


def test_neighbours_of_what_is_shown_come_later():
    old, new = _volume(9), np.roll(_volume(9), 3, axis=1)
    slices = [change.slice for change in _changes((old, new), limit=5)]
    assert slices == [0, 2, 4, 6, 8]
    assert sorted(change.slice for change in _changes((old, new))) == list(range(9))


def _square(value=1, rows=(8, 18), columns=(8, 18)):
    labels = np.zeros((32, 32), np.uint8)
    labels[slice(*rows), slice(*columns)] = value
    return labels


def test_reasons_name_what_a_person_sees():
    one, two, nothing = _square(1), _square(2), _square(0)
    assert _reason(nothing, one) == "Grey matter appears."
    assert _reason(one, nothing) == "Grey matter disappears."
    assert _reason(one, two) == "Grey matter becomes white matter."
    assert _reason(one, _square(1, (8, 15))) == "Grey matter shrinks by 30 %."
    assert _reason(one, _square(1, (8, 20))) == "Grey matter grows by 20 %."
    assert _reason(one, _square(1, (8, 28), (8, 23))) == (
        "Grey matter grows to 3.0 times its area."
    )
    assert _reason(one, _square(1, (13, 23))) == (
        "Grey matter moves (old and new overlap with Dice 0.50)."
    )
    assert _reason(one, one) == ""


def test_reasons_name_two_structures_where_both_changed():
    one, two = _square(1), _square(2, (8, 18), (18, 28))
    both, swapped = one + two, _square(2) + _square(1, (8, 18), (18, 28))
    assert _reason(both, swapped) == "Grey matter and white matter swap places."
    assert _reason(both, _square(1, (8, 14)) + _square(2, (8, 12), (18, 28))) == (
        "White matter shrinks by 60 %; grey matter shrinks by 40 %."
    )
    nothing = np.zeros_like(both)
    assert _reason(nothing, both) == "Grey matter and white matter appear."
    assert _reason(both, nothing) == "Grey matter and white matter disappear."
    inside = both.copy()
    inside[8:12, 8:18] = 2
    assert _reason(both, inside) == ("Grey matter shrinks by 40 % in favour of white matter.")
    assert _reason(inside, both) in ("Grey matter grows by 67 % at the cost of white matter.",)
