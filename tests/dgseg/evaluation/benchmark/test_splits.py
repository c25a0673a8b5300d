"""Who learns, who chooses and who is scored: nobody twice, and the same for everyone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgseg.datasets.dataset import Entry
from dgseg.errors import DatasetError
from dgseg.evaluation.benchmark.splits import file_name, make_split, read_split, saved_split
from dgseg.scans.scan import ScanSource

SIZES = {"a": 20, "b": 12, "c": 7}


def entry(domain, subject, labelled=True):
    def refuse():
        raise AssertionError("a split reads no scan")

    return Entry(domain, subject, ScanSource(kind="memory", path=Path("m")), labelled, refuse)


def people(sizes=None):
    return [
        entry(domain, f"{domain}{index:02d}")
        for domain, n in (sizes or SIZES).items()
        for index in range(n)
    ]


def of(split_role, domain):
    return [who for where, who in split_role if where == domain]


@settings(deadline=None)
@given(
    st.sampled_from(sorted(SIZES)),
    st.sampled_from([0.02, 0.05, 0.2, 0.5, 1.0]),
    st.integers(0, 50),
    st.integers(0, 3),
)
def test_everyone_has_one_role_and_the_numbers_are_right(target, fraction, seed, n_validation):
    split = make_split(people(), target, fraction, seed, n_validation)
    roles = [*split.labelled, *split.unlabelled, *split.validation, *split.test]
    assert len(set(roles)) == len(roles) == sum(SIZES.values())
    assert {domain for domain, _ in split.test} == {target}
    assert split.source_domains == tuple(sorted(set(SIZES) - {target}))
    for domain in split.source_domains:
        n = SIZES[domain]
        assert len(of(split.validation, domain)) == n_validation
        wanted = max(1, round(fraction * n))
        assert len(of(split.labelled, domain)) == min(wanted, n - n_validation)


def test_the_same_seed_gives_the_same_people_for_every_target_and_more_with_more_labels():
    one, other = (make_split(people(), target, 0.2, 3, 2) for target in "ab")
    assert of(one.labelled, "c") == of(other.labelled, "c")
    assert of(one.validation, "c") == of(other.validation, "c")
    more = make_split(people(), "a", 0.5, 3, 2)
    assert set(one.labelled) < set(more.labelled)
    assert one.validation == more.validation
    different = make_split(people(), "a", 0.2, 4, 2)
    assert different.labelled != one.labelled


def test_the_draw_is_the_same_on_every_machine():
    split = make_split(people(), "a", 0.2, 0, 1)
    assert split.labelled == (("b", "b01"), ("b", "b09"), ("c", "c05"))
    assert split.validation == (("b", "b11"), ("c", "c01"))


def test_people_of_the_target_are_in_no_source():
    entries = [*people(), entry("b", "a03"), entry("c", "a05")]
    split = make_split(entries, "a", 1.0, 0, 1)
    sources = {who for _, who in (*split.labelled, *split.unlabelled, *split.validation)}
    assert not sources & {who for _, who in split.test}
    assert make_split(entries, "b", 1.0, 0, 1).source_domains == ("a", "c")


def test_scans_without_labels_never_count_as_labelled():
    entries = [*people(), *(entry("b", f"new{i}", labelled=False) for i in range(9))]
    entries.append(entry("b", "b00", labelled=False))  # a second scan of the same person
    split = make_split(entries, "a", 1.0, 0, 2)
    assert len(of(split.labelled, "b")) == 10
    assert of(split.unlabelled, "b") == [f"new{i}" for i in range(9)]
    assert make_split(entries, "b", 1.0, 0, 2).test == tuple(
        ("b", f"b{i:02d}") for i in range(12)
    )


@pytest.mark.parametrize(
    ("target", "n_validation", "sizes", "words"),
    [
        ("nowhere", 1, SIZES, "no domain nowhere"),
        ("a", 7, SIZES, "c has 7 people"),
        ("a", 0, {"a": 3}, "nobody is left"),
    ],
)
def test_what_cannot_be_split_is_said(target, n_validation, sizes, words):
    with pytest.raises(DatasetError, match=words):
        make_split(people(sizes), target, 0.05, 0, n_validation)


def test_a_target_without_labels_cannot_be_scored():
    entries = [*people(), entry("d", "d1", labelled=False)]
    with pytest.raises(DatasetError, match="nothing can be scored"):
        make_split(entries, "d", 0.05, 0, 1)
    with pytest.raises(DatasetError, match="d has 0 people with labels"):
        make_split(entries, "a", 0.05, 0, 1)


def test_a_saved_split_is_read_and_never_drawn_again(tmp_path):
    args = (people(), "hearts", "a", 0.2, 0, 1)
    split = saved_split(tmp_path, *args)
    (path,) = tmp_path.iterdir()
    assert path.name == "hearts-a-0.2-seed0.json"
    assert read_split(path) == split
    # Somebody exchanges two people by hand: that is what counts from then on.
    content = json.loads(path.read_text())
    content["labelled"][0], content["unlabelled"][0] = (
        content["unlabelled"][0],
        content["labelled"][0],
    )
    path.write_text(json.dumps(content))
    changed = saved_split(tmp_path, *args)
    assert changed != split
    assert changed == read_split(path)


def damage_target(content):
    content["target"] = "b"


def drop_a_person(content):
    content["unlabelled"].pop()


def repeat_a_person(content):
    content["unlabelled"].append(content["labelled"][0])


def leak_the_target(content):
    content["labelled"].append(["a", "a00"])


def test_nobody_may_be_exchanged_with_the_target(tmp_path):
    args = (people(), "hearts", "a", 0.2, 0, 1)
    saved_split(tmp_path, *args)
    (path,) = tmp_path.iterdir()
    good = path.read_text()
    for harm in (damage_target, drop_a_person, repeat_a_person, leak_the_target):
        content = json.loads(good)
        harm(content)
        path.write_text(json.dumps(content))
        with pytest.raises(DatasetError, match="does not fit"):
            saved_split(tmp_path, *args)
    path.write_text(good)
    with pytest.raises(DatasetError, match="does not fit"):
        saved_split(tmp_path, *args[:-1], 2)
    with pytest.raises(DatasetError, match="does not fit"):
        saved_split(tmp_path, people({"b": 12, "c": 7}), *args[1:])
    path.write_text(good[:50])
    with pytest.raises(DatasetError, match="damaged"):
        saved_split(tmp_path, *args)


def test_names_of_files_hold_nothing_a_file_system_stumbles_over():
    assert file_name("cardiac", "Philips / 3", "0.05") == "cardiac-Philips-3-0.05"
