"""The meta-gradient against finite differences, closed forms and plain differentiation."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call
from torch.nn import functional as F

from dgseg.losses.dependence import hsic
from dgseg.losses.disentanglement import kl_to_normal, reconstruction_l1, reparameterise
from dgseg.losses.rank import rank_value
from dgseg.losses.supervised import dice_ce
from dgseg.methods.meta import meta_gradient
from dgseg.nets.build import build

DOUBLE = torch.float64


class Smooth(torch.nn.Module):
    """Two heads on one trunk, differentiable any number of times."""

    def __init__(self):
        super().__init__()
        self.trunk = torch.nn.Linear(3, 4)
        self.main = torch.nn.Linear(4, 2)
        self.side = torch.nn.Linear(4, 1)

    def forward(self, x):
        hidden = self.trunk(x).tanh()
        return self.main(hidden), F.softplus(self.side(hidden))


def leaves(net):
    return {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}


def problem(seed=0, heads=("both", "both")):
    """Parameters, and the losses of two data sets, each of the heads it is told."""
    torch.manual_seed(seed)
    net = Smooth().double()
    sets = [(torch.randn(5, 3, dtype=DOUBLE), torch.randint(2, (5,))) for _ in heads]

    def loss_of(which, x, y):
        def loss(parameters):
            main, side = functional_call(net, dict(parameters), (x,))
            terms = {"main": F.cross_entropy(main, y), "side": (side - 1).square().mean()}
            wanted = terms if which == "both" else {which: terms[which]}
            return sum(wanted.values()), wanted

        return loss

    train, test = (loss_of(head, *data) for head, data in zip(heads, sets, strict=True))
    return train, test, leaves(net)


def objective(train, test, parameters, step_size, adapted=None):
    """``L_train(p) + L_test(p')``, left to autograd as a whole."""
    first, _ = train(parameters)
    gradients = torch.autograd.grad(
        first, list(parameters.values()), create_graph=True, allow_unused=True
    )
    fast = {
        name: p if g is None or (adapted and not adapted(name)) else p - step_size * g
        for (name, p), g in zip(parameters.items(), gradients, strict=True)
    }
    return first + test(fast)[0]


def direct(train, test, parameters, step_size, adapted=None):
    value = objective(train, test, parameters, step_size, adapted)
    found = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    return {n: g for n, g in zip(parameters, found, strict=True) if g is not None}


def by_differences(train, test, parameters, step_size, adapted=None, width=1e-5):
    found = {}
    for name, p in parameters.items():
        found[name] = torch.zeros_like(p)
        for i in range(p.numel()):
            sides = []
            for sign in (1, -1):
                moved = {n: q.detach().clone().requires_grad_() for n, q in parameters.items()}
                with torch.no_grad():
                    moved[name].view(-1)[i] += sign * width
                sides.append(objective(train, test, moved, step_size, adapted).detach())
            found[name].view(-1)[i] = (sides[0] - sides[1]) / (2 * width)
    return found


def assert_same(found, expected, rtol=1e-10, atol=1e-12):
    assert set(found) == set(expected)
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=rtol, atol=atol)


def trunk_only(name):
    return name.startswith("trunk")


@pytest.mark.parametrize("adapted", [None, trunk_only, lambda name: not trunk_only(name)])
@pytest.mark.parametrize("step_size", [0.01, 0.7])
def test_second_order_by_finite_differences(step_size, adapted):
    train, test, parameters = problem()
    found = meta_gradient(
        train, test, parameters, step_size=step_size, order=2, adapted=adapted
    )
    expected = by_differences(train, test, parameters, step_size, adapted)
    assert_same(found.gradients, expected, rtol=1e-6, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 9999),
    step_size=st.floats(0, 2),
    heads=st.tuples(*[st.sampled_from(["both", "main", "side"])] * 2),
    restricted=st.booleans(),
)
def test_second_order_is_the_objective_differentiated_as_a_whole(
    seed, step_size, heads, restricted
):
    train, test, parameters = problem(seed, heads)
    adapted = trunk_only if restricted else None
    found = meta_gradient(
        train, test, parameters, step_size=step_size, order=2, adapted=adapted
    )
    assert_same(found.gradients, direct(train, test, parameters, step_size, adapted))


def test_closed_form_of_parabolas():
    """``A p + (1 - a A) B (p' - c)`` for ``L_train = p'Ap / 2``, ``L_test`` around c with B."""
    A, B = (m @ m.T for m in torch.randn(2, 4, 4, dtype=DOUBLE))
    p, c = torch.randn(2, 4, dtype=DOUBLE)
    p.requires_grad_()
    found = meta_gradient(
        lambda q: (q["p"] @ A @ q["p"] / 2, {}),
        lambda q: ((q["p"] - c) @ B @ (q["p"] - c) / 2, {}),
        {"p": p},
        step_size=0.3,
        order=2,
    )
    with torch.no_grad():
        fast = p - 0.3 * A @ p
        expected = A @ p + (torch.eye(4, dtype=DOUBLE) - 0.3 * A) @ B @ (fast - c)
    torch.testing.assert_close(found.gradients["p"], expected)
    torch.testing.assert_close(found.test, (fast - c) @ B @ (fast - c) / 2)


def test_orders_are_equal_without_a_step():
    train, test, parameters = problem()
    first, second = (
        meta_gradient(train, test, parameters, step_size=0.0, order=order) for order in (1, 2)
    )
    assert_same(first.gradients, second.gradients)
    joint = torch.autograd.grad(
        train(parameters)[0] + test(parameters)[0], list(parameters.values())
    )
    assert_same(first.gradients, dict(zip(parameters, joint, strict=True)))


def test_first_order_leaves_out_the_curvature_and_nothing_else():
    train, test, parameters = problem()
    step_size = 0.5
    first, second = (
        meta_gradient(train, test, parameters, step_size=step_size, order=order)
        for order in (1, 2)
    )
    names, values = list(parameters), list(parameters.values())
    g_train = torch.autograd.grad(train(parameters)[0], values, create_graph=True)
    fast = [
        (p - step_size * g).detach().requires_grad_()
        for p, g in zip(values, g_train, strict=True)
    ]
    g_test = torch.autograd.grad(test(dict(zip(names, fast, strict=True)))[0], fast)
    curvature = torch.autograd.grad(g_train, values, g_test)
    for name, a, b, c in zip(names, g_train, g_test, curvature, strict=True):
        torch.testing.assert_close(first.gradients[name], (a + b).detach())
        torch.testing.assert_close(second.gradients[name], (a + b - step_size * c).detach())
        if name != "side.bias":
            assert c.abs().max() > 1e-4


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    ("heads", "absent"),
    [
        (("main", "side"), set()),
        (("side", "main"), set()),
        (("main", "main"), {"side.weight", "side.bias"}),
        (("both", "main"), set()),
    ],
)
def test_parameters_of_one_loss_only(heads, absent, order):
    train, test, parameters = problem(heads=heads)
    found = meta_gradient(train, test, parameters, step_size=0.2, order=order)
    assert set(found.gradients) == set(parameters) - absent
    if order == 2:
        expected = by_differences(train, test, parameters, 0.2)
        for name in absent:
            assert not expected.pop(name).any()
        assert_same(found.gradients, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("order", [1, 2])
def test_training_loss_without_curvature(order):
    """Its gradient is a constant, which autograd knows no derivative of."""
    p = torch.randn(3, dtype=DOUBLE, requires_grad=True)
    found = meta_gradient(
        lambda q: (q["p"].sum(), {}),
        lambda q: (q["p"].square().sum(), {}),
        {"p": p},
        step_size=0.1,
        order=order,
    )
    torch.testing.assert_close(found.gradients["p"], 1 + 2 * (p.detach() - 0.1))


@pytest.mark.parametrize("order", [1, 2])
def test_the_test_loss_sees_stepped_and_unstepped_parameters(order):
    train, test, parameters = problem()
    seen = {}

    def spying(fast):
        seen.update(fast)
        return test(fast)

    meta_gradient(train, spying, parameters, step_size=0.3, order=order, adapted=trunk_only)
    gradients = torch.autograd.grad(train(parameters)[0], list(parameters.values()))
    for (name, p), g in zip(parameters.items(), gradients, strict=True):
        expected = p - 0.3 * g if trunk_only(name) else p
        torch.testing.assert_close(seen[name], expected.detach(), check_device=True)
        assert seen[name].requires_grad
        assert seen[name].is_leaf
        assert seen[name] is not p


@pytest.mark.parametrize("order", [1, 2])
def test_parameters_stay_as_they_are(order):
    train, test, parameters = problem()
    for p in parameters.values():
        p.grad = torch.full_like(p, 3.0)
    before = {name: p.detach().clone() for name, p in parameters.items()}
    versions = {name: p._version for name, p in parameters.items()}
    found = meta_gradient(train, test, parameters, step_size=0.3, order=order)
    for name, p in parameters.items():
        assert torch.equal(p, before[name])
        assert p._version == versions[name]
        assert p.requires_grad
        assert (p.grad == 3).all()
        gradient = found.gradients[name]
        assert gradient.shape == p.shape
        assert not gradient.requires_grad
        gradient.zero_()  # the caller's to change
        assert torch.equal(p, before[name])


@pytest.mark.parametrize("order", [1, 2])
def test_losses_and_their_terms(order):
    train, test, parameters = problem(heads=("both", "side"))
    found = meta_gradient(train, test, parameters, step_size=0.0, order=order)
    value, terms = train(parameters)
    torch.testing.assert_close(found.train, value.detach())
    assert set(found.train_terms) == {"main", "side"}
    assert set(found.test_terms) == {"side"}
    torch.testing.assert_close(found.train_terms["main"], terms["main"].detach())
    torch.testing.assert_close(found.test, found.test_terms["side"])
    everything = [found.train, found.test, *found.train_terms.values()]
    assert not any(term.requires_grad for term in everything)


def test_descends_the_whole_objective():
    train, test, parameters = problem()
    values = []
    for _ in range(30):
        values.append(float(objective(train, test, parameters, 0.3).detach()))
        found = meta_gradient(train, test, parameters, step_size=0.3, order=2)
        with torch.no_grad():
            for name, p in parameters.items():
                p -= 0.05 * found.gradients[name]
    assert values == sorted(values, reverse=True)


DISENTANGLED = {
    "kind": "disentangled",
    "n_classes": 3,
    "width": 4,
    "depth": 2,
    "groups": 2,
    "anatomy_channels": 5,
    "style_dims": 3,
    "domain_dims": 2,
    "n_domains": 3,
}


@pytest.mark.parametrize("encoders", ["separate", "shared"])
@pytest.mark.parametrize("anatomy", ["softmax", "sigmoid", "none", "binary"])
def test_disentangled_net_with_all_its_losses(anatomy, encoders):
    """Exact through normalisation, activations and every loss, for half of the parameters."""
    torch.manual_seed(0)
    net = build(DISENTANGLED | {"anatomy": anatomy, "encoders": encoders})
    labels = torch.randint(3, (2, 4, 12, 12))
    scans = torch.rand(2, 4, 1, 12, 12)
    noise = torch.randn(2, 4, 5)

    def loss_of(i):
        def body(net):
            z, codes = net.anatomy(scans[i]), net.encode(scans[i])
            mean = torch.cat([codes.style_mean, codes.domain_mean], 1)
            spread = torch.cat([codes.style_log_variance, codes.domain_log_variance], 1)
            s, d = reparameterise(mean, spread, noise[i]).split([3, 2], dim=1)
            made = net.decode(z, s, d)
            return (
                dice_ce(net.segment(z), labels[i])
                + reconstruction_l1(made, scans[i])
                + F.cross_entropy(net.classify(d), labels[i, :, 0, 0])
                + 0.1 * (kl_to_normal(mean, spread) + hsic(s, d) + rank_value(z, 3))
            )

        def loss(parameters):
            wrapped = {f"net.{name}": p for name, p in parameters.items()}
            return functional_call(Apply(net, body), wrapped, ()), {}

        return loss

    parameters = leaves(net)
    for adapted in (None, lambda name: not name.startswith("feature")):
        first, second = (
            meta_gradient(
                loss_of(0), loss_of(1), parameters, step_size=0.05, order=order, adapted=adapted
            ).gradients
            for order in (1, 2)
        )
        expected = direct(loss_of(0), loss_of(1), parameters, 0.05, adapted)
        assert set(first) == set(second) == set(expected) == set(parameters)
        assert distance(second, expected) < 1e-5
        assert distance(first, expected) > 1e-3


def distance(found, expected):
    """Relative, over all parameters together."""
    difference = sum(float((found[n] - g).square().sum()) for n, g in expected.items())
    return math.sqrt(difference / sum(float(g.square().sum()) for g in expected.values()))


class Apply(torch.nn.Module):
    """A net and what to do with it, as one module whose parameters can be replaced."""

    def __init__(self, net, body):
        super().__init__()
        self.net, self.body = net, body

    def forward(self):
        return self.body(self.net)
