"""An adaptation's plan in words."""

from __future__ import annotations

import pytest

from napari_dgseg.planning import plan_in_words


@pytest.mark.parametrize(
    ("corrected", "every", "learns", "words"),
    [
        ({}, 4, True, "Learns from the scans alone, and nothing can judge the new model"),
        ({}, 4, False, "Trains nothing, and nothing can judge the new model"),
        ({"a": [1]}, 4, True, "With 2 or more, each is judged"),
        ({"a": [1]}, 4, False, "is compared on the one corrected slice in 1 scan."),
        ({"a": [1], "b": [2, 3]}, 4, True, "all 3 corrected slices in 2 scans; each is judged"),
        ({"a": [1], "b": [2, 3]}, 4, False, "is judged by the 3 corrected slices in 2 scans."),
        ({"a": [1], "b": [2, 3]}, 0, True, "nothing is held out to judge by"),
        ({"a": [1], "b": [2, 3]}, 0, False, "nothing judges the new model"),
        ({"a": range(8)}, 4, True, "Learns from 6 of 8 corrected slices in 1 scan; 2 held out"),
        ({"a": range(8)}, 4, False, "is judged by the 8 corrected slices"),
    ],
)
def test_plan_in_words(corrected, every, learns, words):
    assert words in plan_in_words(corrected, every, learns=learns)


def test_with_source_data_the_scans_are_not_alone():
    words = plan_in_words({}, 4, sources=True)
    assert words.startswith("Learns without corrections, and nothing can judge the new model")
    assert "Trains nothing" in plan_in_words({}, 4, learns=False, sources=True)
    corrected = {"a": [1], "b": [2, 3]}
    assert plan_in_words(corrected, 4, sources=True) == plan_in_words(corrected, 4)
