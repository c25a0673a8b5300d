"""Proposals on disk."""

from __future__ import annotations

import dataclasses
import errno
import json
import os

import numpy as np
import pytest

from dgseg.errors import LabelsError, WorkspaceWriteError
from dgseg.factors.distance import Distance
from dgseg.site.proposals import (
    Proposal,
    has_proposal,
    read_proposal,
    stamp,
    write_proposal,
)
from dgseg.site.traits import SliceTraits, measure_traits


@pytest.fixture
def proposal(rng: np.random.Generator) -> Proposal:
    return Proposal(
        labels=rng.integers(0, 3, (3, 5, 4), dtype=np.uint8),
        uncertainty=rng.integers(0, 256, (3, 5, 4), dtype=np.uint8),
        slice_uncertainty=np.array([0.25, 0.5, 0.125], np.float32),
        bundle_id="0123456789ab",
    )


def test_it_comes_back_memory_mapped(proposal, tmp_path):
    folder = write_proposal(tmp_path / "a" / "b", proposal)
    found = read_proposal(folder)

    assert has_proposal(folder)
    assert isinstance(found.labels, np.memmap)
    assert not found.labels.flags.writeable
    np.testing.assert_array_equal(found.labels, proposal.labels)
    np.testing.assert_array_equal(found.uncertainty, proposal.uncertainty)
    np.testing.assert_array_equal(found.slice_uncertainty, proposal.slice_uncertainty)
    assert found.slice_uncertainty.dtype == np.float32
    assert found.bundle_id == proposal.bundle_id


def test_one_that_is_looked_at_can_be_replaced(proposal, tmp_path):
    found = read_proposal(write_proposal(tmp_path, proposal))
    other = dataclasses.replace(proposal, labels=proposal.labels // 2)

    write_proposal(tmp_path, other)

    np.testing.assert_array_equal(found.labels, proposal.labels)
    np.testing.assert_array_equal(read_proposal(tmp_path).labels, other.labels)


@pytest.fixture
def with_traits(proposal, rng) -> Proposal:
    look = rng.normal(size=(3, 4)).astype(np.float32)
    traits = measure_traits(proposal.labels, proposal.uncertainty, 2, look)
    return dataclasses.replace(proposal, traits=traits)


def test_traits_come_back_and_are_never_another_proposals(with_traits, proposal, tmp_path):
    write_proposal(tmp_path, with_traits)
    np.testing.assert_array_equal(
        read_proposal(tmp_path).traits.packed(), with_traits.traits.packed()
    )

    write_proposal(tmp_path, proposal)  # as an older version would
    assert read_proposal(tmp_path).traits is None


@pytest.mark.parametrize("damage", ["missing", "cut", "other", "objects"])
def test_without_sound_traits_a_proposal_is_still_one(with_traits, tmp_path, damage):
    file = write_proposal(tmp_path, with_traits) / "traits.npy"
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    elif damage == "other":
        np.save(file, np.zeros((2, 30), np.float32))
    else:
        np.save(file, np.array([{}]), allow_pickle=True)

    found = read_proposal(tmp_path)
    assert found.traits is None
    np.testing.assert_array_equal(found.labels, with_traits.labels)


def test_the_distance_comes_back(proposal, tmp_path):
    distance = Distance("Rome", 2.5, 98.0, "far", foreign=True)
    write_proposal(tmp_path, dataclasses.replace(proposal, distance=distance))
    assert read_proposal(tmp_path).distance == distance
    file = tmp_path / "proposal.json"
    content = json.loads(file.read_text())
    content["distance"] = {"of": "another version"}
    file.write_text(json.dumps(content))
    assert read_proposal(tmp_path).distance is None
    write_proposal(tmp_path, proposal)
    assert read_proposal(tmp_path).distance is None


def test_an_older_version_reads_what_is_written_now(with_traits, tmp_path):
    content = json.loads((write_proposal(tmp_path, with_traits) / "proposal.json").read_text())
    assert content["schema_version"] == 1
    assert {"bundle_id", "shape", "slice_uncertainty"} <= set(content)


def test_its_stamp_changes_with_it(proposal, tmp_path):
    assert stamp(tmp_path) == 0
    write_proposal(tmp_path, proposal)
    first = stamp(tmp_path)
    os.utime(tmp_path / "proposal.json", ns=(1, 1))
    assert 0 != first != stamp(tmp_path)


def test_an_absent_one_is_none(tmp_path):
    assert read_proposal(tmp_path / "nowhere") is None
    assert not has_proposal(tmp_path)


@pytest.mark.parametrize("name", ["labels.npy", "uncertainty.npy", "proposal.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "other"])
def test_a_damaged_one_is_none(proposal, tmp_path, name, damage):
    file = write_proposal(tmp_path, proposal) / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "other":
        np.save(tmp_path / "other.npy", np.zeros((2, 5, 4), np.uint8))
        file.write_bytes((tmp_path / "other.npy").read_bytes())
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")

    assert read_proposal(tmp_path) is None


@pytest.mark.parametrize(
    "change", [{"schema_version": 2}, {"shape": [3, 4, 5]}, {"slice_uncertainty": [0.1]}]
)
def test_a_description_that_does_not_fit_is_none(proposal, tmp_path, change):
    file = write_proposal(tmp_path, proposal) / "proposal.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))

    assert read_proposal(tmp_path) is None


def test_a_rewrite_that_fails_leaves_no_mixture(proposal, tmp_path, monkeypatch):
    write_proposal(tmp_path, proposal)
    fsync, n_calls = os.fsync, []

    def second_fails(handle: int) -> None:
        n_calls.append(handle)
        if len(n_calls) == 2:
            raise OSError(errno.ENOSPC, "full")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(WorkspaceWriteError, match="full"):
        write_proposal(tmp_path, dataclasses.replace(proposal, bundle_id="f" * 12))

    assert read_proposal(tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"labels": np.zeros((3, 5), np.uint8)},
        {"labels": np.zeros((3, 5, 4), np.int32)},
        {"uncertainty": np.zeros((3, 5, 5), np.uint8)},
        {"slice_uncertainty": np.zeros(4, np.float32)},
        {"traits": SliceTraits(*np.zeros((3, 2, 3), np.float32))},
    ],
)
def test_arrays_that_do_not_fit_are_refused(proposal, change):
    with pytest.raises(LabelsError, match="do not fit"):
        dataclasses.replace(proposal, **change)
