"""Whose scans and whose labels are learnt from."""

from __future__ import annotations

import pickle

import pytest

from dgseg.datasets.registry import Entry
from dgseg.errors import TrainingError
from dgseg.scans.schema import Label, LabelSchema
from dgseg.training.data import TrainingSet, training_set

DISC = LabelSchema(name="disc", labels=(Label(value=1, name="disc", color="#ff0000"),))


@pytest.fixture
def data(make_scan):
    def entry(domain, subject, seed):
        item = make_scan(domain, seed=seed)
        return Entry(domain, subject, item.scan.source, True, lambda: item)

    people = [("a", "p1"), ("a", "p1"), ("a", "p2"), ("b", "p1"), ("b", "p3")]
    entries = tuple(entry(d, p, seed) for seed, (d, p) in enumerate(people))
    return TrainingSet(("made-up",), DISC, entries, ("CC0-1.0",))


def people(data):
    return [(entry.domain, entry.subject) for entry in data.entries]


def test_labels_of_the_others_cannot_be_read(data):
    chosen = {("a", "p1"), ("b", "p3")}
    partly = data.labelled_only(chosen)
    assert people(partly) == people(data)
    assert (partly.names, partly.schema, partly.licences) == (
        data.names,
        data.schema,
        data.licences,
    )
    for entry, before in zip(partly.entries, data.entries, strict=True):
        known = (entry.domain, entry.subject) in chosen
        item = entry.load()
        assert entry.labelled is known
        assert (item.labels is not None) is known
        assert item.annotated.all() if known else not item.annotated.any()
        assert item.scan is before.load().scan
        assert before.load().labels is not None
    assert all(
        not e.labelled and e.load().labels is None for e in data.labelled_only(()).entries
    )


def test_only_some_people(data):
    some = data.of_subjects([("a", "p1"), ("b", "p3")])
    assert people(some) == [("a", "p1"), ("a", "p1"), ("b", "p3")]
    assert all(entry.labelled for entry in some.entries)
    assert data.of_subjects(()).entries == ()


def test_a_person_who_is_not_there_is_named(data):
    for choose in (data.of_subjects, data.labelled_only):
        with pytest.raises(TrainingError, match="no scan of b/p2"):
            choose([("a", "p1"), ("b", "p2")])
    many = [("z", str(number)) for number in range(9)]
    with pytest.raises(TrainingError, match=r"z/4 and others"):
        data.of_subjects(many)


def test_entries_of_a_real_data_set_stay_picklable():
    data = training_set(["synthetic-heart"])
    first = people(data)[0]
    partly = data.labelled_only([first])
    assert len(pickle.loads(pickle.dumps(partly)).entries) == len(data.entries)


def test_a_domain_leaves_with_its_people(data):
    assert people(data.without("b")) == [("a", "p2")]


def test_data_sets_that_label_different_things_are_not_mixed():
    with pytest.raises(TrainingError, match="different structures"):
        training_set(["synthetic-cord", "synthetic-heart"])
    with pytest.raises(TrainingError, match="no data set"):
        training_set([])


def test_data_sets_are_put_together():
    data = training_set(["synthetic-cord"])
    assert len(data.domains) == len({e.domain for e in data.entries}) > 1
    assert len(data.licences) == 1
