"""Which weights an adaptation changes, and what holds them."""

from __future__ import annotations

import io

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from dgseg.errors import MethodError
from dgseg.methods.anchoring import frozen_copy, norm_parameters, train_only
from dgseg.methods.one_network import learning_rate
from dgseg.methods.registry import create, network
from dgseg.nets.build import build

UNET = {"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 4, "depth": 2, "groups": 2}


def changed(before, net):
    after = dict(net.named_parameters())
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def snapshot(net):
    return {name: value.detach().clone() for name, value in net.named_parameters()}


def norm_names(net):
    return {
        f"{place}.{kind}"
        for place, module in net.named_modules()
        for kind in ("weight", "bias")
        if isinstance(module, nn.GroupNorm)
    }


def test_all_scales_and_offsets_of_a_u_net():
    net = build(UNET)
    found = {id(p) for p in norm_parameters(net)}
    names = {name for name, p in net.named_parameters() if id(p) in found}
    assert names == norm_names(net)
    assert names


def test_what_makes_them_from_a_code_is_among_them(method):
    net = method("dgnet").net
    found = {id(p) for p in norm_parameters(net)}
    names = {name for name, p in net.named_parameters() if id(p) in found}
    of_codes = {name for name, _ in net.named_parameters() if name.startswith("decoder.code.")}
    assert of_codes
    assert names == norm_names(net) | of_codes


@pytest.mark.parametrize("name", ["finetune", "mean-teacher", "tent"])
def test_only_these_change(name, method, episode):
    learner = method(name, trained="norm", anchor=1.0)
    before = snapshot(learner.net)
    for step in range(2):
        learner.update(episode(step))
    assert changed(before, learner.net) == norm_names(learner.net)
    assert changed(before, learner.deployable()) == norm_names(learner.net)


@pytest.mark.parametrize("name", ["finetune", "mean-teacher", "tent"])
def test_or_all_weights_do(name, method, episode):
    learner = method(name, trained="all")
    before = snapshot(learner.net)
    learner.update(episode())
    assert changed(before, learner.net) == set(before)


def test_a_network_without_any_is_refused():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.InstanceNorm2d(2), nn.Conv2d(2, 2, 1))
    with pytest.raises(MethodError, match="no weights") as caught:
        create("tent", net, Fabric(accelerator="cpu", devices=1), {}, 10)
    assert "mean-teacher" in caught.value.remedy
    assert all(p.requires_grad for p in net.parameters())
    train_only(net, "all")


def test_a_frozen_copy_stays_as_it_was():
    net = build(UNET)
    copy = frozen_copy(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    assert changed(snapshot(net), copy) == set(dict(net.named_parameters()))
    assert not any(p.requires_grad for p in copy.parameters())


@pytest.mark.parametrize("name", ["finetune", "mean-teacher", "tent"])
def test_the_anchor_is_the_formula(name, method, episode):
    """After the optimiser's own step: w -= rate * anchor * (w - w_start)."""
    results = {}
    for anchor in (0.0, 30.0):
        torch.manual_seed(4)
        learner = method(name, anchor=anchor, warm_up=0.0)
        start = snapshot(learner.net)
        learner.update(episode(0))
        results[anchor] = snapshot(learner.net)
    share = 30.0 * learning_rate(0, 40, learner.config)
    assert 0.1 < share < 1
    for key, free in results[0.0].items():
        expected = free - share * (free - start[key])
        torch.testing.assert_close(results[30.0][key], expected, atol=1e-7, rtol=1e-5)


def test_the_running_mean_takes_in_anchored_weights(method, episode):
    learner = method("finetune", anchor=30.0)
    start = snapshot(learner.net)
    learner.update(episode(0))
    for key, mean in snapshot(learner.deployable()).items():
        expected = (start[key] + dict(learner.net.named_parameters())[key]) / 2
        torch.testing.assert_close(mean, expected)


def test_an_anchor_stronger_than_a_step_goes_no_further_than_the_start(method, episode):
    learner = method("finetune", anchor=1e9)
    before = snapshot(learner.net)
    learner.update(episode(20))
    assert changed(before, learner.net) == set()


@pytest.mark.parametrize("trained", ["all", "norm"])
@pytest.mark.parametrize("name", ["finetune", "mean-teacher", "tent"])
def test_codes_of_a_disentangled_model_stay_as_they_were(name, trained, episode):
    """What a bundle's style bank was measured with: these methods never call it."""
    options = {"augment": "weak", "trained": trained, "learning_rate": 1e-2}
    described = network("dgnet", {}, n_classes=3, width=4, depth=2, n_domains=2)
    learner = create(name, build(described), Fabric(accelerator="cpu", devices=1), options, 40)
    before = snapshot(learner.net)
    learner.update(episode(20))
    places = {key.split(".")[0] for key in changed(before, learner.net)}
    assert "feature" in places
    assert places <= {"feature", "task"}


RESUMED = [
    ("finetune", {"anchor": 20.0, "trained": "norm"}),
    ("tent-sar", {"recovery": 0.97, "learning_rate": 0.1}),
    ("mean-teacher-paper", {"ema_switch": 0.5, "anchor": 5.0, "learning_rate": 1e-2}),
]


@pytest.mark.parametrize(("name", "options"), RESUMED)
def test_resumed_run_is_the_same_to_the_bit(name, options, method, episode):
    """Another network to begin with, too: the start is part of what is resumed."""

    def run(learner, steps):
        for step in steps:
            torch.manual_seed(50 + step)
            learner.update(episode(step, 8))

    unbroken = method(name, total=8, **options)
    run(unbroken, range(8))
    first = method(name, total=8, **options)
    run(first, range(4))
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "training": first.training_state()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    elsewhere = {k: v + 0.1 for k, v in first.net.state_dict().items()}
    resumed = method(name, total=8, weights=elsewhere, **options)
    resumed.load_state_dict(saved["model"])
    resumed.load_training_state(saved["training"])
    run(resumed, range(4, 8))
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key
