"""A toy task, a tiny network, one thread and one seed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from lightning_fabric import Fabric

from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.methods import dgnet as dgnet_module
from dgseg.methods.base import Batch, DomainBatch, Episode
from dgseg.methods.dgnet import DGNet
from dgseg.methods.dgnet_config import DGNetConfig
from dgseg.methods.registry import create, network, resolve
from dgseg.nets.build import build

N_CLASSES = 3


def make_slices(n, size=32):
    """Two nested discs, brighter inside, and noise: images and labels."""
    grid = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij"))
    centres = size * (0.35 + 0.3 * torch.rand(n, 2, 1, 1))
    radius = (grid - centres).square().sum(1).sqrt()
    labels = (radius < 0.25 * size).long() + (radius < 0.12 * size).long()
    images = 0.4 * labels[:, None] + 0.1 + 0.05 * torch.randn(n, 1, size, size)
    return images.clamp(0, 1), labels


def make_episode(step=0, total=40, labelled=4, unlabelled=4, annotated=None):
    """Two domains, one of them only unlabelled."""
    first = second = None
    if labelled:
        first = Batch(*make_slices(labelled), annotated)
    if unlabelled:
        second = Batch(make_slices(unlabelled)[0])
    return Episode({"a": DomainBatch(first, None), "b": DomainBatch(None, second)}, step, total)


def make_domains(step=0, total=40, labelled=2, unlabelled=2, names=("a", "b"), size=32):
    """Domains, each darker than the one before, with labelled and unlabelled slices."""
    domains = {}
    for place, name in enumerate(names):
        gain = 0.7**place
        images, labels = make_slices(labelled, size)
        others = gain * make_slices(unlabelled, size)[0]
        domains[name] = DomainBatch(
            Batch(gain * images, labels) if labelled else None,
            Batch(others) if unlabelled else None,
        )
    return Episode(domains, step, total, tuple(names))


def make_net(name, settings):
    """The network that a method begins with, always the same, and its description."""
    described = network(name, settings, N_CLASSES, width=4, depth=3, n_domains=2)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return described, build(described | {"groups": 2})


def make_method(name, total=40, precision="32-true", device="cpu", weights=None, **options):
    """A method over a tiny network that is always the same, or has the given weights."""
    settings = {"augment": "weak", "learning_rate": 1e-2} | options
    if not resolve(name)[0].learns:
        settings = {}  # there is nothing to choose
    net, bank = make_start(name, settings, weights)
    with torch.random.fork_rng():
        torch.manual_seed(7)  # a method may bring networks of its own, such as a judge
        fabric = Fabric(accelerator=device, devices=1, precision=precision)
        return create(name, net, fabric, settings, total, style_bank=bank).train()


def make_start(name, settings, weights=None):
    """The network that a method is given, and the style bank of the bundle it is from."""
    described, net = make_net(name, settings)
    if weights is not None:
        net.load_state_dict(weights)
    bank = make_style_bank(described) if described["kind"] == "disentangled" else None
    kind, _ = resolve(name)
    if kind.adapts:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            net = kind.adopt(net, () if bank is None else tuple(bank.domains), ("a", "b"))
    return net, bank


def make_style_bank(network, names=("source",)):
    """Sources whose codes are normal, for a disentangled network."""

    def unit(n):
        return tuple(tuple(float(i == k) for i in range(n)) for k in range(n))

    styles = {}
    for place, name in enumerate(names):
        style, domain = network["style_dims"], network["domain_dims"]
        styles[name] = DomainStyle(
            n_slices=20,
            style_mean=(0.5 * place,) * style,
            style_covariance=unit(style),
            domain_mean=(-0.5 * place,) * domain,
            domain_covariance=unit(domain),
        )
    return StyleBank(domains=styles)


@cache
def trained_weights(name):
    """Of a method's tiny network, when it has learnt the toy task on the first domain."""
    _, net = make_net(name, {})
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    settings = {"augment": "weak", "learning_rate": 3e-2, "ema_decay": 0.0}
    learner = create("deepall", net, fabric, settings, 50).train()
    for step in range(50):
        torch.manual_seed(step)
        learner.update(make_domains(step, 50, names=("a",), unlabelled=0))
    return learner.deployable().state_dict()


def make_dgnet(
    config=None, total=40, precision="32-true", n_domains=2, double=False, **options
):
    """DGNet over the tiniest networks, always the same; in float64 for `double`."""
    config = replace(config or DGNetConfig(), **({"augment": "none"} | options))
    described = DGNet.network(config, N_CLASSES, width=4, depth=2, n_domains=n_domains)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        net = build(described)
        fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
        return DGNet(net.double() if double else net, fabric, config, total).train()


@pytest.fixture
def dgnet():
    return make_dgnet


@pytest.fixture
def all_terms():
    """Weights that give every term of DGNet's loss a say, from the first step on."""
    return {
        "task_weight": 5.0,
        "reconstruction_weight": 1.0,
        "kl_weight": 0.1,
        "hsic_weight": 0.2,
        "classification_weight": 0.7,
        "rank_weight": 0.1,
        "latent_weight": 0.3,
        "consistency_weight": 2.0,
        "ramp": 0.0,
    }


@pytest.fixture
def first_held_out(monkeypatch):
    """Domain b is learnt from, a held out, in every step of DGNet."""
    monkeypatch.setattr(dgnet_module, "split_domains", lambda episode, n_test: (["b"], ["a"]))


@pytest.fixture
def gradients():
    """Of a step, before any clipping, by parameter; and its report."""

    def gradients(learner, data, seed=1):
        torch.manual_seed(seed)
        report = learner.update(data)
        found = {k: p.grad for k, p in learner.net.named_parameters() if p.grad is not None}
        return found, report

    return gradients


@pytest.fixture
def difference():
    """Norm of the difference of two gradients, relative to that of the first."""

    def norm_of(gradient):
        return torch.cat([g.flatten() for g in gradient.values()]).norm()

    def difference(first, second):
        return float(norm_of({k: first[k] - second[k] for k in first}) / norm_of(first))

    return difference


@pytest.fixture
def slices():
    return make_slices


@pytest.fixture
def episode():
    return make_episode


@pytest.fixture
def domains():
    return make_domains


@pytest.fixture
def method():
    return make_method


@pytest.fixture
def start():
    return make_start


@pytest.fixture
def trained_for():
    """Gives weights for `method`: of a network that knows the toy task."""

    def trained_for(name):
        with torch.random.fork_rng():
            return trained_weights(name)

    return trained_for


@pytest.fixture
def trained(trained_for):
    """Those of a plain network."""
    return trained_for("deepall")


@pytest.fixture(autouse=True)
def _one_thread_one_seed():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)
