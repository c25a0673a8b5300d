"""The half that is adapted to and the half that is scored share nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dgseg.datasets.dataset import Entry
from dgseg.errors import DatasetError
from dgseg.evaluation.adaptation.halves import make_halves, saved_halves
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource

SOURCE = ScanSource(kind="nifti", path="nowhere.nii", title="scan")


def entry(domain, subject, labelled=True, n_slices=12, number=0):
    def load():
        array = np.full((n_slices, 4, 4), number, np.float32)
        array[0, 0, 0] = 1
        scan = Scan(array, Geometry((4, 4, n_slices), np.diag([1.0, 1, 5, 1]), 2), SOURCE)
        labels = np.ones(array.shape, np.uint8) if labelled else None
        return AnnotatedScan(scan, labels, None, domain, subject)

    return Entry(domain, subject, SOURCE, labelled, load)


def unreadable(domain, subject, labelled=True):
    def load():
        pytest.fail("nothing has to be read to divide people")

    return Entry(domain, subject, SOURCE, labelled, load)


PEOPLE = [unreadable("new", f"p{i}") for i in range(7)]


def test_every_person_is_in_one_half():
    halves = make_halves(PEOPLE, "new", 0)
    assert halves.by == "people"
    assert (len(halves.adaptation), len(halves.test)) == (3, 4)
    assert {*halves.adaptation, *halves.test} == {f"p{i}" for i in range(7)}
    assert not {e.subject for e in halves.adaptation_entries(PEOPLE)} & set(halves.test)
    assert {e.subject for e in halves.test_entries(PEOPLE)} == set(halves.test)


def test_seed_and_target_alone_decide():
    others = [unreadable("old", f"p{i}") for i in range(9)]
    assert make_halves(PEOPLE, "new", 0) == make_halves([*others, *PEOPLE[::-1]], "new", 0)
    draws = {make_halves(PEOPLE, "new", seed).test for seed in range(6)}
    assert len(draws) > 3


def test_people_without_labels_are_adapted_to():
    entries = [*PEOPLE, unreadable("new", "q", labelled=False)]
    halves = make_halves(entries, "new", 0)
    assert halves.adaptation[-1] == "q"
    assert halves.test == make_halves(PEOPLE, "new", 0).test


def test_of_a_person_who_is_scored_nothing_is_adapted_to():
    entries = [*PEOPLE, *(unreadable("new", f"p{i}", labelled=False) for i in range(7))]
    halves = make_halves(entries, "new", 0)
    assert len(halves.adaptation_entries(entries)) == 6
    assert all(e.labelled for e in halves.test_entries(entries))


def test_the_slices_of_a_single_person_are_divided_in_blocks():
    entries = [entry("new", "p"), entry("new", "p", labelled=False), entry("old", "q")]
    even, odd = (make_halves(entries, "new", seed) for seed in (0, 1))
    assert (even.by, even.adaptation, even.test) == ("slices", ("p",), ("p",))
    (first,), (second,) = even.test_slices.values(), odd.test_slices.values()
    assert first == (0, 1, 2, 6, 7, 8)
    assert second == (3, 4, 5, 9, 10, 11)
    (there,) = even.adaptation_entries(entries)  # the scan without labels shows them too
    item = even.adaptation_part(there.load())
    assert np.flatnonzero(item.hidden).tolist() == list(first)
    assert np.flatnonzero(item.annotated).tolist() == list(second)
    assert not item.labels[list(first)].any()
    assert item.labels[list(second)].all()
    scored = even.test_part(there.load())
    assert np.flatnonzero(scored.annotated).tolist() == list(first)


def test_nothing_is_hidden_where_people_are_divided():
    halves = make_halves(PEOPLE, "new", 0)
    item = entry("new", halves.adaptation[0]).load()
    assert halves.adaptation_part(item) is item
    assert halves.test_part(item) is item


def test_saved_halves_are_read_again(tmp_path):
    entries = [entry("new", "p")]
    drawn = saved_halves(tmp_path, entries, "hearts", "new", 3)
    assert saved_halves(tmp_path, entries, "hearts", "new", 3) == drawn
    assert [path.name for path in tmp_path.iterdir()] == ["hearts-new-seed3.json"]


def test_halves_that_do_not_fit_are_refused(tmp_path):
    saved_halves(tmp_path, PEOPLE, "hearts", "new", 0)
    with pytest.raises(DatasetError, match="do not fit"):
        saved_halves(tmp_path, [*PEOPLE, unreadable("new", "r")], "hearts", "new", 0)
    path = tmp_path / "hearts-new-seed0.json"
    path.write_text(json.dumps({"format": 99}))
    with pytest.raises(DatasetError, match="damaged"):
        saved_halves(tmp_path, PEOPLE, "hearts", "new", 0)


@pytest.mark.parametrize(
    "entries",
    [[unreadable("new", "p", labelled=False)], [], [entry("new", "p", n_slices=1)]],
    ids=["no labels", "nobody", "one slice"],
)
def test_too_little_to_divide_is_refused(entries):
    with pytest.raises(DatasetError, match="Choose other targets"):
        make_halves(entries, "new", 0)


def test_two_scans_of_a_single_person_are_divided_alike():
    entries = [entry("new", "p", number=number) for number in (1, 2)]
    halves = make_halves(entries, "new", 0)
    assert list(halves.test_slices.values()) == [(0, 1, 2, 6, 7, 8)] * 2
