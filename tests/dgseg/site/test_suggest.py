"""Which slice of a site to look at next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgseg.site.pool import ScanSlices, pool_of
from dgseg.site.suggest import least_certain, suggest_slice
from dgseg.site.traits import SliceTraits

NAMES = ("left ventricle", "myocardium", "right ventricle")
VALUES = np.array([0.1, 0.5, np.nan, 0.9, 0.2], dtype=np.float32)


def slices(scan_id, uncertainty, *, look=None, structure=2, disagreement=None, root=0.5):
    """A scan whose slices are alike, but for how certain the model is around a structure.

    `root` is the root of the share of a slice that each structure has.
    """
    n = len(uncertainty)
    around = np.full((n, 3), 0.01, np.float32)
    around[:, structure] = uncertainty
    shape = np.full((n, 9), 0.5, np.float32)
    shape[:, ::3] = np.reshape(root, (-1, 1))
    look = np.zeros((n, 4)) if look is None else np.asarray(look)
    traits = SliceTraits(around, shape, look.astype(np.float32))
    return ScanSlices(scan_id, np.asarray(uncertainty, np.float32), traits, disagreement)


def suggest(scans, done=None, closed=()):
    return suggest_slice(pool_of(scans), done or {}, NAMES, closed)


def test_the_least_certain_slice_of_all_scans_comes_first():
    found = suggest([slices("a", [0.1, 0.2, 0.3]), slices("b", [0.2, 0.7, 0.1])])

    assert (found.scan_id, found.slice) == ("b", 1)
    assert found.distance is None


def test_the_reason_names_the_structure_with_numbers():
    found = suggest([slices("a", [0.1, 0.2, 0.3, 0.62, 0.2], structure=2)])

    assert found.structure == "right ventricle"
    assert found.reason == (
        "Least certain around the right ventricle (uncertainty 62%, usually 20%); "
        "nothing is corrected yet."
    )


def test_another_scan_is_before_a_neighbour_that_is_as_good():
    scans = [slices("a", [0.2, 0.5, 0.5, 0.2]), slices("b", [0.2, 0.5, 0.5, 0.2])]
    found = suggest(scans, {"a": {1}})

    assert found.scan_id == "b"
    assert "unlike the one slice corrected so far: another scan" in found.reason


def test_within_a_scan_it_goes_far_from_what_is_corrected():
    flat = np.full(9, 0.4)
    found = suggest([slices("a", flat)], {"a": [0]})

    assert found.slice == 6  # and it stands for those on both sides
    assert "6 slices from the nearest and at another height in the body" in found.reason


def test_a_neighbour_comes_when_nothing_else_is_uncertain():
    certain = np.full(40, 0.01)
    certain[20:23] = 0.9
    done = {"a": set(range(40)) - {1, 22}}
    assert suggest([slices("a", certain)], done).slice == 22


def test_of_two_that_are_as_uncertain_the_other_look_wins():
    look = np.zeros((5, 4))
    look[3] = 1.0
    scans = [slices("a", [0.2] * 5), slices("b", [0.1, 0.4, 0.1, 0.4, 0.1], look=look)]
    found = suggest(scans, {"a": {1, 3}})

    assert (found.scan_id, found.slice) == ("b", 3)
    assert found.distance > 0.5
    assert "of another look" in found.reason
    assert "the two slices corrected so far" in found.reason


def test_what_is_certain_is_not_suggested_for_its_look_alone():
    look = np.zeros((40, 4))
    look[0] = 9.0
    uncertainty = np.linspace(0.01, 0.8, 40)
    found = suggest([slices("a", [0.5]), slices("b", uncertainty, look=look)], {"a": {0}})

    assert found.slice > 20


def test_disagreement_of_two_models_counts_and_is_told():
    look = [[0.0], [0.0], [1.0], [1.0]]
    differ = np.array([0.0, 0.0, 0.4, 0.4], np.float32)
    scans = [
        slices("a", [0.2] * 4, look=look),
        slices("b", [0.2] * 4, look=look, disagreement=differ),
    ]
    found = suggest(scans)

    assert (found.scan_id, found.slice) == ("b", 2)
    assert "the last two models differ in 40%" in found.reason


def test_one_that_stands_for_many_is_before_an_odd_one_that_is_less_certain():
    looks = np.zeros((12, 4))
    looks[6:11] = [1.0, 0.0, 0.0, 0.0]
    looks[11] = [0.0, 9.0, 9.0, 9.0]
    uncertainty = [*[0.05] * 6, *[0.5] * 5, 0.95]
    scans = [
        slices(f"{at:02d}", [value], look=[look])
        for at, (value, look) in enumerate(zip(uncertainty, looks, strict=True))
    ]
    first = suggest(scans)
    assert 6 <= int(first.scan_id) < 11
    assert first.reason.startswith("Stands for 4 slices like it, least certain around")
    second = suggest(scans, {first.scan_id: {0}})
    assert second.scan_id == "11"  # what is left of that kind is near a correction
    assert second.reason.startswith("Least certain around")


def test_a_large_structure_that_is_uncertain_is_before_a_few_pixels_that_are_more_so():
    root = [0.05, 0.1, 0.5, 0.5, 0.5, 0.1, 0.05]
    pool = pool_of([slices("a", [0.6, 0.3, 0.2, 0.3, 0.2, 0.3, 0.6], root=root)])
    assert suggest_slice(pool, {}, NAMES).slice == 3
    assert pool.doubt.argmax() == 3
    assert pool.doubt[[0, 6]].max() < pool.doubt[[2, 4]].min()


def test_where_nothing_was_found_the_uncertainty_alone_counts():
    pool = pool_of([slices("a", [0.1, 0.4, 0.2], root=0.0)])
    assert pool.doubt.argsort().tolist() == [0, 2, 1]


def test_it_does_not_matter_how_many_distances_are_in_memory(rng, monkeypatch):
    scans = [slices(n, rng.uniform(0, 1, 9), look=rng.normal(size=(9, 4))) for n in "abc"]
    whole = suggest(scans, {"a": {2}})
    monkeypatch.setattr("dgseg.site.suggest._AT_A_TIME", 4)
    assert suggest(scans, {"a": {2}}) == whole


def test_slices_that_nothing_tells_apart_go_by_their_doubt():
    scans = [slices(n, [value]) for n, value in zip("abc", (0.2, 0.6, 0.4), strict=True)]
    assert suggest(scans).scan_id == "b"
    assert suggest(scans, {"b": {0}}).scan_id == "c"


def test_a_reviewed_scan_needs_no_help():
    looks = {"a": [[0.0]], "b": [[0.0]], "c": [[0.0]], "d": [[1.0]]}
    scans = [slices(name, [0.5], look=look) for name, look in looks.items()]
    assert suggest(scans).scan_id in "abc"
    assert (
        suggest([*scans, slices("e", [0.5], look=[[1.0]])], closed={"a", "b"}).scan_id in "de"
    )


def test_where_no_structure_was_found_that_is_said():
    scan = slices("a", [0.2, 0.3])
    scan.traits.by_structure[:] = np.nan
    found = suggest([scan])

    assert found.structure == ""
    assert "where no structure was found (uncertainty 30%" in found.reason


def test_corrections_of_scans_that_are_not_in_the_pool_are_counted():
    found = suggest([slices("a", [0.2, 0.3])], {"gone": {1, 2, 3}})

    assert found.slice == 1
    assert "the three slices corrected so far cannot be compared" in found.reason


def test_the_last_slice_is_called_so_and_then_nothing_is_left():
    scan = slices("a", VALUES)
    assert "the last slice" in suggest([scan], {"a": {0, 1, 3}}).reason
    assert suggest([scan], {"a": {0, 1, 3, 4}}) is None
    assert suggest([]) is None


def test_a_closed_scan_is_left_alone_but_counts():
    scans = [slices("a", [0.9, 0.9]), slices("b", [0.1, 0.2])]
    found = suggest(scans, {"a": {0}}, closed={"a"})

    assert found.scan_id == "b"
    assert suggest(scans, closed={"a", "b"}) is None


def test_looks_of_different_kinds_are_not_compared():
    scans = [slices("a", [0.2, 0.3], look=np.ones((2, 7))), slices("b", [0.1, 0.2])]
    assert pool_of(scans).look.shape == (4, 0)
    assert suggest(scans, {"a": {1}}).scan_id == "b"


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=6), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from("abcd"), st.sets(st.integers(-2, 8))),
)
def test_it_is_never_one_that_was_looked_at(values, done):
    scans = [slices(name, value) for name, value in zip("abc", values, strict=False)]
    left = {
        (scan.scan_id, index)
        for scan in scans
        for index in range(len(scan.uncertainty))
        if index not in done.get(scan.scan_id, ())
    }
    found = suggest(scans, done)

    assert (found is None) == (not left)
    if found is not None:
        assert (found.scan_id, found.slice) in left
        assert 0 <= found.score <= 1
        assert found.reason.endswith(".")


def test_corrections_spread_over_the_scans(rng):
    scans = [
        slices(f"{n:012x}", rng.uniform(0, 1, 20), look=rng.normal(size=(20, 16)))
        for n in range(10)
    ]
    pool = pool_of(scans)
    done: dict[str, set[int]] = {}
    for _ in range(15):
        found = suggest_slice(pool, done, NAMES)
        done.setdefault(found.scan_id, set()).add(found.slice)
    assert sum(map(len, done.values())) == 15
    assert len(done) >= 6
    assert all(np.diff(sorted(chosen)).min(initial=9) > 1 for chosen in done.values())


@pytest.mark.parametrize(
    ("done", "expected"),
    [((), 3), ({3}, 1), ({3: "changed", 1: "confirmed"}, 4), (range(9), None)],
)
def test_the_least_certain_of_one_scan(done, expected):
    before = VALUES.copy()
    assert least_certain(VALUES, done) == expected
    np.testing.assert_array_equal(VALUES, before)
