"""The running mean of weights."""

from __future__ import annotations

import copy

import torch
from torch import nn

from dgseg.methods.ema import RunningMean, mean_of, pull


def test_begins_as_the_plain_mean():
    """Of all weights so far, those at the start among them."""
    net = nn.Linear(2, 2)
    seen = [net.weight.detach().clone()]
    mean = RunningMean(net, decay=0.99)
    for _ in range(10):
        with torch.no_grad():
            net.weight.add_(torch.randn(2, 2))
        seen.append(net.weight.detach().clone())
        mean.update(net)
    torch.testing.assert_close(mean.net.weight, torch.stack(seen).mean(0))


def test_forgets_with_its_decay_later_on():
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    mean = RunningMean(net, decay=0.5)
    for _ in range(5):
        mean.update(net)
    nn.init.ones_(net.weight)
    for _ in range(3):
        mean.update(net)
    assert float(mean.net.weight) == 1 - 0.5**3


def test_buffers_are_copied_and_the_mode_stays():
    net = nn.BatchNorm2d(3)
    mean = RunningMean(net, decay=0.9)
    net.train()(torch.rand(4, 3, 5, 5))
    mean.train()
    mean.update(net)
    assert torch.equal(mean.net.running_mean, net.running_mean)
    assert torch.equal(mean.net.num_batches_tracked, net.num_batches_tracked)
    assert not mean.net.training


def test_the_source_is_left_alone():
    net = nn.Linear(3, 3)
    before = net.weight.detach().clone()
    mean = RunningMean(net, decay=0.9)
    with torch.no_grad():
        mean.net.weight.add_(5.0)
    mean.update(net)
    assert torch.equal(net.weight, before)
    assert net.weight.requires_grad
    assert not mean.net.weight.requires_grad


def test_pull():
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    middle = (one.weight + other.weight).detach() / 2
    pull(one, other, 0.5)
    torch.testing.assert_close(one.weight, middle)
    pull(one, other, 1.0)
    assert torch.equal(one.weight, other.weight)


def test_the_mean_of_networks_is_that_of_their_weights():
    nets = [nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)) for _ in range(3)]
    nets[0](torch.randn(5, 2))
    kept = [copy.deepcopy(net.state_dict()) for net in nets]
    mean = mean_of(nets)
    for name, value in mean.named_parameters():
        torch.testing.assert_close(value, torch.stack([each[name] for each in kept]).mean(0))
    assert torch.equal(mean[1].running_mean, kept[0]["1.running_mean"])
    for net, before in zip(nets, kept, strict=True):
        assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
