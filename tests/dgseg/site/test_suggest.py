"""Which slice to look at next."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dgseg.site.suggest import least_certain_slice

VALUES = np.array([0.1, 0.5, np.nan, 0.9, 0.2], dtype=np.float32)


def test_the_least_certain_comes_first_then_the_next():
    assert least_certain_slice(VALUES, set()).slice == 3
    assert least_certain_slice(VALUES, {3}).slice == 1
    assert least_certain_slice(VALUES, {3: "changed", 1: "confirmed"}).slice == 4


def test_the_reason_holds_the_numbers():
    suggestion = least_certain_slice(VALUES, set())

    assert "slice 3" in suggestion.reason
    assert "90%" in suggestion.reason
    assert "last" in least_certain_slice(VALUES, {1, 3, 4}).reason


def test_nothing_is_left():
    assert least_certain_slice(VALUES, {0, 1, 3, 4}) is None
    assert least_certain_slice(np.array([]), set()) is None


@given(st.lists(st.floats(0, 1), max_size=12), st.sets(st.integers(-3, 15)))
def test_it_is_never_one_that_was_looked_at(values, done):
    array = np.array(values)
    before = array.copy()

    suggestion = least_certain_slice(array, done)

    left = [index for index in range(len(values)) if index not in done]
    assert (suggestion is None) == (not left)
    if suggestion is not None:
        assert suggestion.slice in left
        assert values[suggestion.slice] == max(values[index] for index in left)
    np.testing.assert_array_equal(array, before)
