"""From scans to a bundle, broken off and gone on with."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from torch import nn

from dgseg.bundles.bundle import read_info, read_weights
from dgseg.datasets.registry import Entry
from dgseg.errors import LabelsError, MethodError, TrainingError
from dgseg.methods import registry
from dgseg.methods.config import DeepAllConfig
from dgseg.methods.deepall import DeepAll
from dgseg.scans.schema import Label, LabelSchema
from dgseg.training.config import TrainConfig
from dgseg.training.train import (
    CHECKPOINT_NAME,
    Provenance,
    TrainingSet,
    train,
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


def test_the_best_weights_become_the_bundle(data, tmp_path, monkeypatch):
    scores = iter([0.2, 0.9, 0.3])
    monkeypatch.setattr("dgseg.training.selection.mean_dice", lambda *_: next(scores))
    config = dataclasses.replace(CONFIG, validate_every=2)
    kept = data.of_subjects([("c", "p4")]).entries
    learnt = data.without("c")
    best = train(config, learnt, tmp_path / "best", validation=kept)
    info = read_info(best)
    assert info.training["selection"] == {
        "step": 4,
        "score": 0.9,
        "scans": 1,
        "history": [[2, 0.2], [4, 0.9], [6, 0.3]],
    }
    last = train(CONFIG, learnt, tmp_path / "last")
    assert "selection" not in read_info(last).training
    one, two = (read_weights(path, read_info(path)) for path in (best, last))
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_a_stopped_training_selects_the_same(data, tmp_path):
    config = dataclasses.replace(CONFIG, validate_every=2, learning_rate=0.05)
    kept, learnt = data.of_subjects([("c", "p4")]).entries, data.without("c")
    whole = train(config, learnt, tmp_path / "whole", validation=kept)
    asked = iter([False, False, False, True])
    stopped = train(
        config, learnt, tmp_path / "parts", validation=kept, should_stop=lambda: next(asked)
    )
    assert stopped is None
    parts = train(config, learnt, tmp_path / "parts", validation=kept)
    one, two = read_info(whole), read_info(parts)
    assert one.training["selection"] == two.training["selection"]
    first, second = read_weights(whole, one), read_weights(parts, two)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_nobody_is_learnt_from_and_selected_by(data, tmp_path):
    config = dataclasses.replace(CONFIG, validate_every=2)
    with pytest.raises(TrainingError, match="c/p4 is both"):
        train(config, data, tmp_path, validation=data.of_subjects([("c", "p4")]).entries)
    with pytest.raises(TrainingError, match="no scans to select"):
        train(config, data, tmp_path)


def test_a_domain_without_labels_gives_unlabelled_slices(data, tmp_path):
    config = dataclasses.replace(CONFIG, method="mean-teacher", unlabelled_per_domain=1)
    partly = data.labelled_only([("a", "p1"), ("b", "p3")])
    info = read_info(train(config, partly, tmp_path / "both"))
    assert info.domains == ("a", "b", "c")
    assert info.training["labelled_scans"] == {"a": 1, "b": 1}
    only = read_info(train(CONFIG, partly, tmp_path / "labelled"))
    assert only.domains == ("a", "b")


def test_settings_reach_the_method(data, tmp_path, monkeypatch):
    asked = {}
    create = registry.create

    def listen(name, net, fabric, options, steps, size):
        asked.update(name=name, options=options, size=size)
        return create(name, net, fabric, options, steps, size)

    monkeypatch.setattr(registry, "create", listen)
    train(CONFIG, data, tmp_path / "a")
    assert asked == {"name": "deepall", "options": {}, "size": "cpu"}
    config = dataclasses.replace(
        CONFIG, learning_rate=0.5, augment="weak", options={"learning_rate": 0.1}, size="gpu"
    )
    train(config, data, tmp_path / "b")
    assert asked["options"] == {"learning_rate": 0.1, "augment": "weak"}
    assert asked["size"] == "gpu"
    with pytest.raises(MethodError, match="magic"):
        train(dataclasses.replace(CONFIG, options={"magic": 1}), data, tmp_path / "c")


class _Codes(nn.Module):
    """A U-Net with made-up codes."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(images)

    def encode(self, images):
        codes = images.mean(dim=(2, 3))
        return SimpleNamespace(
            style_mean=codes,
            style_log_variance=codes,
            domain_mean=codes,
            domain_log_variance=codes,
        )


class _Toy(DeepAll):
    needs_domains = 2
    presets: ClassVar = {"quick": {"cpu": DeepAllConfig(learning_rate=0.02)}}

    def __init__(self, net, *others):
        super().__init__(_Codes(net), *others)


@pytest.fixture
def toy(monkeypatch):
    points = registry._points() | {
        "toy": EntryPoint("toy", "no.such.module:Method", registry.GROUP)
    }
    found = registry.get
    monkeypatch.setattr(registry, "_points", lambda: points)
    monkeypatch.setattr(registry, "get", lambda n: _Toy if n == "toy" else found(n))


def test_a_preset_is_trained_and_its_styles_are_measured(toy, data, tmp_path):
    config = dataclasses.replace(CONFIG, method="toy-quick")
    info = read_info(train(config, data, tmp_path))
    assert info.method == "toy"
    assert info.training["config"]["method"] == "toy-quick"
    assert tuple(info.style_bank.domains) == info.domains
    assert info.style_bank.domains["a"].n_slices == 8
    assert read_info(train(CONFIG, data, tmp_path / "plain")).style_bank is None


def test_a_method_that_needs_more_domains_says_so(toy, data, tmp_path):
    config = dataclasses.replace(CONFIG, method="toy")
    with pytest.raises(MethodError, match=r"at least 2 domains, and here is 1: c\.") as caught:
        train(config, data.of_subjects([("c", "p4")]), tmp_path)
    assert "deepall" in caught.value.remedy


def test_wrong_settings_are_said_before_any_scan_is_read(data, tmp_path):
    def unread():
        raise AssertionError

    entries = tuple(dataclasses.replace(entry, loader=unread) for entry in data.entries)
    closed = dataclasses.replace(data, entries=entries)
    for wrong in ({"method": "deepall-magic"}, {"options": {"magic": 1}}):
        with pytest.raises(MethodError, match="magic"):
            train(dataclasses.replace(CONFIG, **wrong), closed, tmp_path)


def test_nothing_to_learn_from(data, tmp_path):
    with pytest.raises(LabelsError, match="no scans"):
        train(CONFIG, data.labelled_only(()), tmp_path)


def test_the_grid_is_given_in_one_way(data, tmp_path):
    config = dataclasses.replace(CONFIG, pixel_scale=2.0)
    assert read_info(train(config, data, tmp_path)).preprocessing.pixel_scale == 2
    with pytest.raises(TrainingError, match="millimetres and in pixels"):
        train(dataclasses.replace(config, spacing_mm=1.0), data, tmp_path / "mm")
