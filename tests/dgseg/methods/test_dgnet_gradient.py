"""DGNet's gradient, against its equations written out once more."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.func import functional_call

from dgseg.methods import disentangling as disentangling_module
from dgseg.methods.base import Batch, DomainBatch

AS_IN_THE_REFERENCE = {
    "step_size": 0.05,
    "dice_weight": 1.0,
    "ce_weight": 1.0,
    "background_dice": True,
    "hsic": "biased",
    "hsic_bandwidth": 1.0,
    "classification": "logits",
    "consistency": "ce",
    "confidence": 0.0,
    "clip_norm": 0.0,
}
"""The bandwidth is fixed, for the median of distances is a constant by definition."""


def norm_of(gradient):
    return float(torch.stack([g.norm() for g in gradient.values()]).norm())


class Parts(nn.Module):
    """All that the losses look at, for given noise."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images, style_noise, domain_noise):
        anatomy, codes = self.net.anatomy(images), self.net.encode(images)
        style = codes.style_mean + (codes.style_log_variance / 2).exp() * style_noise
        domain = codes.domain_mean + (codes.domain_log_variance / 2).exp() * domain_noise
        painted = self.net.decode(anatomy, style, domain)
        again = self.net.encode(painted)
        found = torch.cat([again.style_mean, again.domain_mean], 1)
        return {
            # Logits are squashed before their rank is judged.
            "ranked": anatomy.softmax(1) if self.net.config.anatomy == "none" else anatomy,
            "codes": codes,
            "style": style,
            "domain": domain,
            "logits": self.net.segment(anatomy),
            "recognised": self.net.classify(domain),
            "painted": painted,
            "missed": (found - torch.cat([style, domain], 1)).abs().mean(),
        }


def kl(mean, log_variance):
    return (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2


def dice_and_ce(logits, labels):
    p = logits.softmax(1)
    dice = 0
    for k in range(p.shape[1]):
        here = (labels == k).double()
        overlap, sizes = (p[:, k] * here).sum(), p[:, k].sum() + here.sum()
        dice += (1 - (2 * overlap + 1e-5) / (sizes + 1e-5)) / p.shape[1]
    return dice - logits.log_softmax(1).gather(1, labels[:, None]).mean()


def hsic(x, y, sigma):
    m = len(x)
    k, l = (  # noqa: E741
        torch.exp(-((c[:, None] - c[None]) ** 2).sum(-1) / (2 * sigma**2)) for c in (x, y)
    )
    h = torch.eye(m, dtype=x.dtype) - 1 / m
    return torch.trace(k @ h @ l @ h) / (m - 1) ** 2


def singular_value(anatomy, k):
    matrix = anatomy.transpose(0, 1).flatten(1)
    value = torch.linalg.svdvals(matrix)[k]
    return (2000 * (value**2 / matrix.shape[1] + 1e-8)).sqrt()


def equation_5(seen, view, weights):
    images, labels, place, target = view
    n = len(labels)
    rest = seen["logits"][n:].log_softmax(1)
    recognised = seen["recognised"].log_softmax(1)[:, place].mean()
    return (
        weights["task_weight"] * dice_and_ce(seen["logits"][:n], labels)
        + weights["reconstruction_weight"] * (seen["painted"] - images).abs().mean()
        - weights["classification_weight"] * recognised
        - weights["consistency_weight"] * (target * rest).sum(1).mean()
    )


def equation_4(seen, view, weights):
    codes = seen["codes"]
    both = kl(codes.style_mean, codes.style_log_variance) + kl(
        codes.domain_mean, codes.domain_log_variance
    )
    return (
        equation_5(seen, view, weights)
        + weights["kl_weight"] * both
        + weights["hsic_weight"] * hsic(seen["style"], seen["domain"], 1.0)
        + weights["rank_weight"] * singular_value(seen["ranked"], 3)
        + weights["latent_weight"] * seen["missed"]
    )


class Objective:
    """L_train(p) + L_test(p - a grad L_train(p)) of parameters p by name."""

    def __init__(self, net, start, train, test, noise, weights, step_size):
        self.parts, self.start, self.weights = Parts(net), start, weights
        self.train, self.test, self.noise, self.step_size = train, test, noise, step_size

    def slope(self, direction, h):
        ends = [
            self(self.start | {k: self.start[k] + side * v for k, v in direction.items()})
            for side in (h, -h)
        ]
        return (ends[0] - ends[1]) / (2 * h)

    def __call__(self, parameters):
        p = {f"net.{k}": v.clone().requires_grad_() for k, v in parameters.items()}
        noise = self.noise
        seen = functional_call(self.parts, p, (self.train[0], *noise[:2]))
        train = equation_4(seen, self.train, self.weights)
        slopes = torch.autograd.grad(train, list(p.values()))
        with torch.no_grad():
            moved = {
                k: v - self.step_size * g for (k, v), g in zip(p.items(), slopes, strict=True)
            }
            seen = functional_call(self.parts, moved, (self.test[0], *noise[2:]))
            return float(train + equation_5(seen, self.test, self.weights))


def in_double(data):
    domains = {
        name: DomainBatch(
            Batch(d.labelled.images.double(), d.labelled.labels),
            Batch(d.unlabelled.images.double()),
        )
        for name, d in data.domains.items()
    }
    return replace(data, domains=domains)


def reference_view(data, name, place, teacher):
    d = data.domains[name]
    images = torch.cat([d.labelled.images, d.unlabelled.images])
    with torch.no_grad():
        target = teacher(d.unlabelled.images).softmax(1)
    return images, d.labelled.labels, place, target


@pytest.fixture
def double(monkeypatch):
    """What would be widened to float32 stays in float64."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


@pytest.fixture
def noise(monkeypatch):
    """All noise that codes are drawn with, in its order."""
    drawn, original = [], disentangling_module.reparameterise

    def spy(mean, log_variance):
        drawn.append(torch.randn_like(mean))
        return original(mean, log_variance, drawn[-1])

    monkeypatch.setattr(disentangling_module, "reparameterise", spy)
    return drawn


@pytest.mark.usefixtures("double", "first_held_out")
@pytest.mark.parametrize("anatomy", ["softmax", "none"])
def test_gradient_is_that_of_the_two_level_objective(
    dgnet, domains, noise, all_terms, anatomy, gradients, difference
):
    """All of it, against central differences of the equations, for each part of the network."""
    settings = all_terms | AS_IN_THE_REFERENCE | {"anatomy": anatomy}
    data = in_double(domains(size=16))
    learner = dgnet(double=True, **settings)
    teacher = learner.mean.net
    views = [reference_view(data, "b", 1, teacher), reference_view(data, "a", 0, teacher)]
    start = {k: p.detach().clone() for k, p in learner.net.named_parameters()}
    found, report = gradients(learner, data)
    objective = Objective(learner.net, start, *views, noise, all_terms, settings["step_size"])
    assert float(report["loss"]) == pytest.approx(objective(start), rel=1e-10)
    for part in ("feature", "task", "encoders.0", "encoders.1", "classifier", "decoder", ""):
        names = [k for k in found if k.startswith(part)]
        direction = {k: torch.randn_like(found[k]) for k in names}
        length = norm_of(direction)
        direction = {k: v / length for k, v in direction.items()}
        slope = sum(float((found[k] * v).sum()) for k, v in direction.items())
        expected = objective.slope(direction, 1e-6)
        assert slope == pytest.approx(expected, rel=1e-5, abs=1e-6 * norm_of(found)), part
    noise.clear()
    first_order, _ = gradients(dgnet(double=True, order=1, **settings), data)
    assert difference(found, first_order) > 0.01


@pytest.mark.parametrize("adapted", ["all", "published"])
def test_order_is_nothing_without_an_inner_step(dgnet, domains, adapted, gradients, difference):
    data = domains(size=16)
    settings = {"step_size": 0.0, "clip_norm": 0.0, "adapted": adapted}
    second, _ = gradients(dgnet(order=2, **settings), data)
    first, _ = gradients(dgnet(order=1, **settings), data)
    assert first.keys() == second.keys()
    assert difference(second, first) < 1e-5
    moved, _ = gradients(dgnet(order=2, **settings | {"step_size": 0.05}), data)
    assert difference(second, moved) > 0.01


def test_half_precision_gives_nearly_the_same_gradient(dgnet, domains, gradients, difference):
    data = domains(size=16)
    whole, _ = gradients(dgnet(clip_norm=0.0), data)
    half, _ = gradients(dgnet(clip_norm=0.0, precision="bf16-mixed"), data)
    assert all(g.dtype == torch.float32 for g in half.values())
    assert 0 < difference(whole, half) < 0.2
