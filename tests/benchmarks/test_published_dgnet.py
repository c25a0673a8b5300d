from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.published_dgnet import (
    META_STEP,
    Group,
    PublishedDGNet,
    episode_losses,
    iteration,
    meta_test_loss,
    meta_train_loss,
)


@pytest.mark.parametrize(
    ("size", "total", "style"), [(96, 13_577_896, 784_511), (224, 15_958_856, 3_165_471)]
)
def test_it_is_as_large_as_the_published_networks(size, total, style):
    with torch.device("meta"):
        net = PublishedDGNet(size)

    def count(module):
        return sum(p.numel() for p in module.parameters())

    assert count(net) == total
    assert count(net.style) == style
    assert count(net.unet) == 12_713_512
    assert count(net.decoder) == 79_873


def _group(size, *, labelled):
    labels = torch.randint(0, 4, (4, size, size)) if labelled else None
    return Group(torch.rand(4, 1, size, size), torch.tensor([0, 0, 1, 1]), labels)


@pytest.mark.parametrize("labelled", [True, False])
def test_fast_weights_are_made_where_the_published_code_makes_them(labelled, monkeypatch):
    torch.manual_seed(0)
    net = PublishedDGNet(32, width=4)
    asked = []
    real = torch.autograd.grad

    def grad(loss, parameter, **options):
        (found,) = real(loss, parameter, **options)
        asked.append(parameter)
        return (found,)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    train, test = _group(32, labelled=labelled), _group(32, labelled=labelled)
    first, second = episode_losses(net, train, test)
    assert len(asked) == 60
    adapted = {id(p) for p in asked}
    names = {name for name, p in net.named_parameters() if id(p) in adapted}
    others = {name for name, _ in net.named_parameters()} - names
    assert all(name.startswith(("unet.down", "unet.up", "decoder.unused")) for name in others)
    assert torch.isfinite(first)
    assert torch.isfinite(second)


def test_the_meta_test_loss_is_that_of_one_step_down_the_meta_train_loss():
    torch.manual_seed(0)
    net = PublishedDGNet(32, width=4)
    train, test = _group(32, labelled=True), _group(32, labelled=True)
    fixed = ("unet.down", "unet.up", "decoder.unused")
    adapted = [p for name, p in net.named_parameters() if not name.startswith(fixed)]
    torch.manual_seed(1)
    first = meta_train_loss(net(train.images), train)
    drawn = torch.get_rng_state()
    gradients = torch.autograd.grad(first, adapted, retain_graph=True)
    found = meta_test_loss(net(test.images, first), test)
    before = [p.detach().clone() for p in adapted]
    with torch.no_grad():
        for p, gradient in zip(adapted, gradients, strict=True):
            p -= META_STEP * gradient
        torch.set_rng_state(drawn)
        wanted = meta_test_loss(net(test.images), test)
        for p, value in zip(adapted, before, strict=True):
            p.copy_(value)
        torch.set_rng_state(drawn)
        unchanged = meta_test_loss(net(test.images), test)
    torch.testing.assert_close(found, wanted)
    assert abs(found - unchanged) > 1e-3


def test_an_iteration_takes_two_steps():
    torch.manual_seed(0)
    net = PublishedDGNet(32, width=4)
    optimiser = torch.optim.Adam(net.parameters(), lr=4e-5)
    groups = [
        tuple(_group(32, labelled=labelled) for _ in range(2)) for labelled in (False, True)
    ]
    before = [p.clone() for p in net.unet.parameters()]
    losses = iteration(net, optimiser, *groups)
    assert len(losses) == 4
    assert all(state["step"] == 2 for state in optimiser.state.values())
    changed = [
        not torch.equal(a, b) for a, b in zip(before, net.unet.parameters(), strict=True)
    ]
    assert sum(changed) > len(changed) / 3  # not the biases, which the norm takes away
