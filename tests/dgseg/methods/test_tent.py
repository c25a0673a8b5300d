"""Entropy minimisation, and what makes it safe."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.distributions import Categorical

from dgseg.errors import MethodError
from dgseg.methods.base import Batch, DomainBatch, Episode
from dgseg.methods.registry import create


def unlabelled(images, step=0, total=40):
    return Episode({"a": DomainBatch(None, Batch(images))}, step, total)


def entropies(net, images):
    return Categorical(logits=net(images).movedim(1, -1)).entropy()


def norms(net):
    return [p for m in net.modules() if isinstance(m, nn.GroupNorm) for p in m.parameters()]


@pytest.mark.parametrize("name", ["tent", "tent-sar"])
def test_becomes_surer_by_scales_and_offsets_alone(name, method, trained, slices):
    learner = method(name, total=12, weights=trained, ema_decay=0.0)
    # Seen through noise that the network has never met.
    images = (slices(6)[0] + 0.1 * torch.randn(6, 1, 32, 32)).clamp(0, 1)
    before = copy.deepcopy(learner.net)
    with torch.no_grad():
        first = entropies(before, images).mean()
        for step in range(12):
            with torch.enable_grad():
                learner.update(unlabelled(images, step, 12))
        last = entropies(learner.net, images).mean()
    assert last < 0.9 * first
    ours = {id(p) for p in norms(learner.net)}
    for old, new in zip(before.parameters(), learner.net.parameters(), strict=True):
        assert torch.equal(old, new) == (id(new) not in ours)


def test_labels_are_not_looked_at(method, slices):
    images, labels = slices(4)
    results = []
    for nonsense in (labels, labels * 0, None):
        learner = method("tent", augment="none")
        batch = Batch(images, nonsense)
        given = DomainBatch(None, batch) if nonsense is None else DomainBatch(batch)
        learner.update(Episode({"a": given}, 0, 40))
        results.append(learner.net.state_dict())
    for other in results[1:]:
        assert all(torch.equal(results[0][key], other[key]) for key in other)


def test_no_slice_is_refused(method):
    with pytest.raises(MethodError, match="no slice"):
        method("tent").update(Episode({"a": DomainBatch()}, 0, 40))


class Norm(nn.GroupNorm):
    """In plain arithmetic: PyTorch's own crashes behind a frozen layer, channels last."""

    def forward(self, x):
        groups = x.unflatten(1, (self.num_groups, -1))
        centred = groups - groups.mean((2, 3, 4), keepdim=True)
        spread = (centred.square().mean((2, 3, 4), keepdim=True) + self.eps).sqrt()
        weight, bias = (w[:, None, None] for w in (self.weight, self.bias))
        return (centred / spread).flatten(1, 2) * weight + bias


def small(name="tent-sar", **options):
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        Norm(2, 4),
        nn.Tanh(),
        nn.Conv2d(4, 4, 3, padding=1),
        Norm(2, 4),
        nn.Tanh(),
        nn.Conv2d(4, 3, 1),
    ).double()
    with torch.no_grad():
        net[-1].weight.mul_(9)
    fabric = Fabric(accelerator="cpu", devices=1)
    settings = {"warm_up": 0.0, "clip_norm": 0.0, "learning_rate": 0.01} | options
    return create(name, net, fabric, settings, 40).train()


def test_a_step_of_sar_by_hand():
    """Two passes in float64: sure pixels, climb, still sure ones, and Adam's first step."""
    learner = small(sharpness=0.5)
    images = torch.rand(2, 1, 12, 12, dtype=torch.float64)
    by_hand = copy.deepcopy(learner.net)
    weights = norms(by_hand)
    most = 0.4 * math.log(3)
    start = [w.detach().clone() for w in weights]

    found = entropies(by_hand, images)
    sure = found < most
    assert 0 < sure.sum() < sure.numel()
    first = torch.autograd.grad(found[sure].mean(), weights)
    length = math.sqrt(sum(float((g**2).sum()) for g in first))
    with torch.no_grad():
        for weight, g in zip(weights, first, strict=True):
            weight += 0.5 * g / length
    found = entropies(by_hand, images)
    still = sure & (found < most)
    assert 0 < still.sum() < sure.sum()
    loss = found[still].mean()
    second = torch.autograd.grad(loss, weights)

    terms = learner.update(unlabelled(images))
    torch.testing.assert_close(terms["loss"], loss.detach(), rtol=1e-9, atol=0)
    for weight, old, g in zip(norms(learner.net), start, second, strict=True):
        expected = old - 0.01 * g / (g.abs() + 1e-8)
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-9, atol=1e-12)


def test_a_step_of_tent_by_hand():
    learner = small("tent")
    images = torch.rand(2, 1, 12, 12, dtype=torch.float64)
    by_hand = copy.deepcopy(learner.net)
    start = [w.detach().clone() for w in norms(by_hand)]
    loss = entropies(by_hand, images).mean()
    gradients = torch.autograd.grad(loss, norms(by_hand))
    torch.testing.assert_close(learner.update(unlabelled(images))["loss"], loss.detach())
    for weight, old, g in zip(norms(learner.net), start, gradients, strict=True):
        expected = old - 0.01 * g / (g.abs() + 1e-8)
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-9, atol=1e-12)


def test_where_nothing_is_sure_nothing_is_learnt():
    learner = small(margin=1e-9)
    before = copy.deepcopy(learner.net.state_dict())
    terms = learner.update(unlabelled(torch.rand(2, 1, 12, 12, dtype=torch.float64)))
    assert terms["loss"] == 0
    assert all(torch.equal(v, before[k]) for k, v in learner.net.state_dict().items())
    assert learner.first == learner.recent == 0


def test_recovers_the_start_when_the_entropy_has_fallen_too_far():
    """The rule in plain Python beside it: which steps end at the start, to the bit."""
    learner = small(learning_rate=0.2, recovery=0.8, final_rate=1.0, ema_decay=0.5)
    images = torch.rand(2, 1, 12, 12, dtype=torch.float64)
    start = [w.detach().clone() for w in learner.net.parameters()]
    first = recent = None
    recovered = []
    for step in range(30):
        loss = float(learner.update(unlabelled(images, step))["loss"])
        first = loss if first is None else first
        recent = loss if recent is None else 0.9 * recent + 0.1 * loss
        expected = recent < 0.8 * first
        for net in (learner.net, learner.deployable()):
            pairs = zip(net.parameters(), start, strict=True)
            assert all(torch.equal(a, b) for a, b in pairs) == expected
        moments = [s["exp_avg"].abs().sum() for s in learner._optimiser.state.values()]
        assert (sum(moments) == 0) == expected
        recovered.append(expected)
        recent = None if expected else recent
    assert 0 < sum(recovered) < 15
    assert float(learner.first) == pytest.approx(first)
