"""Which slice of a site to look at next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgseg.site.suggest import ScanSlices, least_certain, pool_of, suggest_slice
from dgseg.site.traits import SliceTraits

NAMES = ("left ventricle", "myocardium", "right ventricle")
VALUES = np.array([0.1, 0.5, np.nan, 0.9, 0.2], dtype=np.float32)


def slices(scan_id, uncertainty, *, look=None, structure=2, disagreement=None):
    """A scan whose slices are alike, but for how certain the model is around a structure."""
    n = len(uncertainty)
    around = np.full((n, 3), 0.01, np.float32)
    around[:, structure] = uncertainty
    shape = np.full((n, 9), 0.5, np.float32)
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

    assert found.slice == 8
    assert "8 slices from the nearest and at another height in the body" in found.reason


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
    differ = np.array([0.0, 0.0, 0.0, 0.4], np.float32)
    found = suggest([slices("a", [0.2] * 4), slices("b", [0.2] * 4, disagreement=differ)])

    assert (found.scan_id, found.slice) == ("b", 3)
    assert "the last two models differ in 40%" in found.reason


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
