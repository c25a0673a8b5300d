"""What is scored, at whatever centre, is never learnt from; labels only of the sources are."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.datasets.dataset import Entry
from dgseg.errors import DatasetError
from dgseg.evaluation.centres.division import divide
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import CARDIAC
from dgseg.training.data import TrainingSet

SOURCE = ScanSource(kind="nifti", path="nowhere.nii", title="scan")


def entry(domain, subject, labelled=True):
    def load():
        array = np.full((8, 4, 4), len(domain), np.float32)
        array[0, 0, 0] = 9
        scan = Scan(array, Geometry((4, 4, 8), np.diag([1.0, 1, 5, 1]), 2), SOURCE)
        labels = np.ones(array.shape, np.uint8) if labelled else None
        return AnnotatedScan(scan, labels, None, domain, subject)

    return Entry(domain, subject, SOURCE, labelled, load)


def data_of(*entries):
    return TrainingSet(("toy",), CARDIAC, entries, ("none",))


def people(domain, n, **options):
    return [entry(domain, f"{domain}{i}", **options) for i in range(n)]


@pytest.fixture
def data():
    return data_of(
        *people("a", 7), *people("b", 6), *people("c", 4), *people("c", 4, labelled=False)
    )


def names(entries):
    return {(e.domain, e.subject) for e in entries}


@pytest.mark.parametrize("n_validation", [0, 2])
def test_roles_never_meet(data, tmp_path, n_validation):
    division = divide(tmp_path, data, ("a", "b"), 0, n_validation)
    learnt = division.learnt(data, ("a", "b"), "c")
    scored = {(c, who) for c, half in division.halves.items() for who in half.test}
    chosen = names(division.chosen_by(data))
    assert len(chosen) == 2 * n_validation
    assert {centre for centre, _ in chosen} <= {"a", "b"}
    assert not (names(learnt.entries) | chosen) & scored
    assert not names(learnt.entries) & chosen
    assert learnt.domains == ("a", "b", "c")
    assert {centre for centre, _ in scored} == {"a", "b", "c"}


def test_labels_are_those_of_the_sources_alone(data, tmp_path):
    division = divide(tmp_path, data, ("a", "b"), 0, 0)
    learnt = division.learnt(data, ("a", "b"), "c")
    for each in learnt.entries:
        assert each.labelled == (each.domain != "c")
        assert (each.load().labels is None) == (each.domain == "c")
    # Two of four people, a scan with labels and one without of each.
    assert sum(each.domain == "c" for each in learnt.entries) == 4


def test_without_a_centre_to_adapt_to_there_are_the_sources_alone(data, tmp_path):
    division = divide(tmp_path, data, ("a",), 0, 0)
    assert division.learnt(data, ("a",)).domains == ("a",)


def test_slices_of_one_person_are_hidden_where_they_are_scored(tmp_path):
    data = data_of(entry("a", "p"), entry("b", "q"), entry("b", "q", labelled=False))
    division = divide(tmp_path, data, ("a",), 0, 0)
    source, new = (each.load() for each in division.learnt(data, ("a",), "b").entries)
    for item, centre in ((source, "a"), (new, "b")):
        (scored,) = division.halves[centre].test_slices.values()
        assert np.flatnonzero(item.hidden).tolist() == list(scored)
    assert not source.labels[source.hidden].any()
    assert source.annotated.sum() == 4
    assert new.labels is None


def test_whoever_is_scored_at_another_centre_is_learnt_from_nowhere(tmp_path):
    travellers = [entry("c", f"a{i}") for i in range(7)]  # the people of "a"
    data = data_of(*people("a", 7), *travellers, *people("b", 4))
    division = divide(tmp_path, data, ("a", "b"), 0, 0)
    scored = {who for half in division.halves.values() for who in half.test}
    learnt = division.learnt(data, ("a", "b"))
    assert not {subject for _, subject in names(learnt.entries)} & scored


def test_halves_are_drawn_once(data, tmp_path):
    one = divide(tmp_path, data, ("a",), 3, 1)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"toy-{centre}-seed3.json" for centre in "abc"
    }
    assert divide(tmp_path, data, ("a",), 3, 1) == one


def test_too_few_people_to_choose_the_checkpoint(data, tmp_path):
    with pytest.raises(DatasetError, match=r"half of a .* has 3 people"):
        divide(tmp_path, data, ("a", "b"), 0, 3)
    alone = data_of(entry("a", "p"), *people("b", 4))
    with pytest.raises(DatasetError, match=r"half of a .* has 1 people"):
        divide(tmp_path / "x", alone, ("a",), 0, 1)


def test_a_centre_with_nobody_left_is_named(tmp_path):
    same = [entry("b", f"a{i}") for i in range(7)]
    data = data_of(*people("a", 7), *same)
    division = divide(tmp_path, data, ("a",), 0, 0)
    strangers = {who for half in division.halves.values() for who in half.test}
    if strangers >= set(division.halves["a"].adaptation):
        with pytest.raises(DatasetError, match="Nobody of a"):
            division.learnt(data, ("a",))
    else:
        assert division.learnt(data, ("a",)).entries
