"""From scans to a bundle, broken off and gone on with."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dgseg.bundles.bundle import read_info, read_weights
from dgseg.datasets.registry import Entry
from dgseg.errors import TrainingError
from dgseg.scans.schema import Label, LabelSchema
from dgseg.training.config import TrainConfig
from dgseg.training.train import (
    CHECKPOINT_NAME,
    Provenance,
    TrainingSet,
    train,
    training_set,
)

DISC = LabelSchema(name="disc", labels=(Label(value=1, name="disc", color="#ff0000"),))

CONFIG = TrainConfig(
    steps=6,
    batch_per_domain=1,
    patch_px=32,
    spacing_mm=None,
    width=4,
    depth=2,
    device="cpu",
    precision="fp32",
    threads=1,
)


@pytest.fixture
def data(make_scan):
    def entry(domain, subject, seed):
        item = make_scan(domain, seed=seed)
        return Entry(domain, subject, item.scan.source, True, lambda: item)

    people = [("a", "p1"), ("a", "p2"), ("b", "p2"), ("b", "p3"), ("c", "p4")]
    entries = tuple(entry(d, p, seed) for seed, (d, p) in enumerate(people))
    return TrainingSet(("made-up",), DISC, entries, ("CC0-1.0",))


def test_a_bundle_comes_out_and_says_where_from(data, tmp_path):
    seen = []
    provenance = Provenance(name="discs", command="dgseg train", metrics={"dice": 0.9})
    bundle = train(CONFIG, data, tmp_path / "run", provenance=provenance, on_phase=seen.append)
    info = read_info(bundle)
    assert bundle == tmp_path / "run" / "bundle"
    assert seen == ["Preparing the scans", "Training"]
    assert info.name == "discs"
    assert info.method == "deepall"
    assert info.domains == ("a", "b", "c")
    assert info.labels == DISC
    assert info.training["config"]["patch_px"] == 32
    assert info.training["labelled_scans"] == {"a": 2, "b": 2, "c": 1}
    assert info.training["steps"] == 6
    assert info.metrics == {"dice": 0.9}
    assert "dgseg train" in info.card
    assert "made-up (CC0-1.0)" in info.card
    assert all(torch.isfinite(w).all() for w in read_weights(bundle, info).values())


def test_a_stopped_training_goes_on_and_ends_the_same(data, tmp_path):
    whole = train(CONFIG, data, tmp_path / "whole")
    asked = iter([False, False, False, True])
    assert train(CONFIG, data, tmp_path / "parts", should_stop=lambda: next(asked)) is None
    assert (tmp_path / "parts" / CHECKPOINT_NAME).exists()
    steps = []
    parts = train(CONFIG, data, tmp_path / "parts", on_step=lambda step, *_: steps.append(step))
    assert steps[-1] == 6
    one, two = (read_weights(path, read_info(path)) for path in (whole, parts))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_seeds_give_different_models(data, tmp_path):
    one = train(CONFIG, data, tmp_path / "one")
    two = train(dataclasses.replace(CONFIG, seed=1), data, tmp_path / "two")
    weights = [read_weights(path, read_info(path)) for path in (one, two)]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_time_can_be_given_instead_of_steps(data, tmp_path):
    config = dataclasses.replace(CONFIG, steps=10**9, minutes=1e-6)
    info = read_info(train(config, data, tmp_path))
    assert info.training["steps"] == 20


def test_a_domain_leaves_with_its_people(data):
    assert [(e.domain, e.subject) for e in data.without("b").entries] == [
        ("a", "p1"),
        ("c", "p4"),
    ]


def test_data_sets_that_label_different_things_are_not_mixed():
    with pytest.raises(TrainingError, match="different structures"):
        training_set(["synthetic-cord", "synthetic-heart"])
    with pytest.raises(TrainingError, match="no data set"):
        training_set([])


def test_data_sets_are_put_together():
    data = training_set(["synthetic-cord"])
    assert len(data.domains) == len({e.domain for e in data.entries}) > 1
    assert len(data.licences) == 1


def test_it_can_start_from_another_model(data, tmp_path):
    parent = train(CONFIG, data.without("a"), tmp_path / "parent")
    config = dataclasses.replace(CONFIG, steps=1, learning_rate=1e-12)
    child = train(config, data.without("c"), tmp_path / "child", start_from=parent)
    old, new = read_info(parent), read_info(child)
    assert new.parent_id == old.bundle_id
    assert new.domains == ("b", "c", "a")
    before, after = read_weights(parent, old), read_weights(child, new)
    for name in before:
        torch.testing.assert_close(before[name], after[name], rtol=1e-3, atol=1e-4)


def test_it_cannot_start_from_a_model_of_another_kind(data, tmp_path):
    parent = train(CONFIG, data, tmp_path / "parent")
    wider = dataclasses.replace(CONFIG, width=8)
    with pytest.raises(TrainingError, match="another network"):
        train(wider, data, tmp_path / "child", start_from=parent)
