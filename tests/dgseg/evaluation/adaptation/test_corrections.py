"""Corrected slices are few, from different people, and at all heights; no other label is seen."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.datasets.registry import load
from dgseg.errors import DatasetError
from dgseg.evaluation.adaptation.corrections import (
    Candidates,
    candidates,
    every,
    held_out,
    saved_candidates,
    site_scans,
    spread,
)
from dgseg.evaluation.adaptation.halves import make_halves

PEOPLE = tuple("abcdef")
THERE = [
    Candidates(who, f"{who}-{phase}", tuple(range(2, 11)))
    for who in PEOPLE
    for phase in ("ED", "ES")
]


@pytest.fixture
def hearts_of_east(hearts):
    entries = load("cardiac", root=hearts).entries
    return make_halves(entries, "east", 0), entries


def test_one_slice_is_of_the_middle():
    assert spread(THERE, PEOPLE, 1) == {"d-ED": (6,)}


def test_three_are_of_three_people_from_one_end_to_the_other():
    assert spread(THERE, PEOPLE, 3) == {"b-ED": (3,), "d-ES": (6,), "f-ED": (9,)}


def test_more_than_there_are_people_begin_anew():
    chosen = spread(THERE, PEOPLE, 12)
    assert sum(map(len, chosen.values())) == 12
    assert set(chosen) == {scan.scan_id for scan in THERE}
    heights = sorted(index for slices in chosen.values() for index in slices)
    assert set(heights) == set(range(2, 11))


def test_one_person_gives_slices_of_all_scans():
    there = [Candidates("a", scan, (1, 2, 3, 7, 8, 9)) for scan in ("one", "two")]
    assert spread(there, ("a",), 4) == {"one": (1, 7), "two": (3, 9)}


@pytest.mark.parametrize("k", [5, 99])
def test_there_are_no_more_than_there_are(k):
    there = [Candidates("a", "one", (1, 2)), Candidates("b", "two", (4, 5, 6))]
    assert spread(there, ("a", "b"), k) == every(there) == {"one": (1, 2), "two": (4, 5, 6)}


def test_none_are_none():
    assert spread(THERE, PEOPLE, 0) == {}
    assert spread([], PEOPLE, 3) == {}


def test_the_gate_judges_by_other_people():
    corrected = spread(THERE, PEOPLE, 3)
    kept = held_out(THERE, PEOPLE, 3, corrected)
    assert {scan_id[0] for scan_id in kept} == {"a", "c", "e"}
    assert held_out(THERE, PEOPLE, 0, corrected) == {}


def test_where_there_is_nobody_else_by_other_slices():
    there = [Candidates("a", "one", (1, 2, 3))]
    assert held_out(there, ("a",), 3, {"one": (2,)}) == {"one": (1, 3)}


def test_only_slices_that_hold_a_structure_can_be_corrected(hearts_of_east):
    halves, entries = hearts_of_east
    (found,) = candidates(halves, entries)
    assert found.subject == halves.adaptation[0]
    assert found.slices == (0, 1, 2)


def test_they_are_found_once(hearts_of_east, tmp_path, monkeypatch):
    halves, entries = hearts_of_east
    found = saved_candidates(tmp_path, halves, entries, "cardiac")
    assert saved_candidates(tmp_path, halves, (), "cardiac") == found
    next(tmp_path.iterdir()).write_text("{}")
    with pytest.raises(DatasetError, match="damaged"):
        saved_candidates(tmp_path, halves, entries, "cardiac")


def test_a_site_knows_the_corrected_labels_alone(hearts_of_east):
    halves, entries = hearts_of_east
    (found,) = candidates(halves, entries)
    (item,) = site_scans(halves, entries, {found.scan_id: (1,)}, {found.scan_id: (2,)})
    assert item.annotated.tolist() == [False, True, False]
    assert item.hidden.tolist() == [False, False, True]
    assert item.labels[1].any()
    assert not item.labels[[0, 2]].any()
    assert item.labels.dtype == np.uint8
    (bare,) = site_scans(halves, entries, {}, {})
    assert bare.labels is None
    assert not bare.annotated.any()
