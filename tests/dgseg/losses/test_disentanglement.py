"""Divergence, draws and reconstruction against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence
from torch.func import functional_call

from dgseg.losses.dependence import hsic
from dgseg.losses.disentanglement import (
    LOG_VARIANCE_LIMIT,
    kl_to_normal,
    latent_regression,
    reconstruction_l1,
    reparameterise,
)
from dgseg.losses.rank import rank_value

DOUBLE = torch.float64


def code(n=5, k=3, dtype=DOUBLE):
    return torch.randn(n, k, dtype=dtype), torch.randn(n, k, dtype=dtype)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 6),
    k=st.integers(1, 9),
    spread=st.floats(0, 4),
    seed=st.integers(0, 999),
)
def test_divergence_is_that_of_torch(n, k, spread, seed):
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = spread * torch.randn(2, n, k, dtype=DOUBLE, generator=generator)
    log_variance = log_variance.clamp(max=LOG_VARIANCE_LIMIT)
    theirs = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    ours = kl_to_normal(mean, log_variance)
    torch.testing.assert_close(ours, theirs.sum(1).mean(), rtol=1e-9, atol=1e-9)
    assert ours >= -1e-12


def test_free_nats_cost_nothing_and_what_is_above_them_costs_as_ever():
    # The dimensions carry 0.5 * 0.09 and 0.5 * 4 nats.
    mean = torch.tensor([[0.3, 2.0], [-0.3, -2.0]], dtype=DOUBLE, requires_grad=True)
    zeros = torch.zeros(2, 2, dtype=DOUBLE)
    above = kl_to_normal(mean, zeros, free=1.0)
    assert float(above.detach()) == pytest.approx(1.045)
    (slope,) = torch.autograd.grad(above, mean)
    (all_of_it,) = torch.autograd.grad(kl_to_normal(mean, zeros), mean)
    torch.testing.assert_close(slope, all_of_it)
    below = kl_to_normal(mean, zeros, free=2.1)
    assert float(below.detach()) == 0
    assert not torch.autograd.grad(below, mean)[0].any()


def test_one_strong_dimension_says_more_for_the_same_nats_than_copies_of_it():
    # A standard normal fact told through noise: its mutual information with all copies,
    # log(1 + copies * ratio) / 2, against the divergence, which counts each copy.
    def told(copies, ratio):
        return 0.5 * math.log1p(copies * ratio)

    def nats(copies, ratio):
        share = ratio / (1.0 + ratio)
        facts = torch.randn(20_000, 1, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
        mean = (math.sqrt(share) * facts).expand(-1, copies)
        return float(kl_to_normal(mean, torch.full_like(mean, math.log(1.0 - share))))

    one, four = nats(1, 15.0), nats(4, 1.0)
    assert one == pytest.approx(four, rel=0.02)
    assert told(1, 15.0) > 1.5 * told(4, 1.0)


def test_divergence_by_monte_carlo():
    mean, log_variance = code()
    draws = reparameterise(mean.expand(20_000, 5, 3), log_variance.expand(20_000, 5, 3))
    own = Normal(mean, (0.5 * log_variance).exp()).log_prob(draws)
    ratio = (own - Normal(0.0, 1.0).log_prob(draws)).sum(-1).mean(-1)
    error = float(ratio.std()) / math.sqrt(len(ratio))
    assert float(kl_to_normal(mean, log_variance)) == pytest.approx(
        float(ratio.mean()), abs=4 * error
    )


def test_divergence_is_zero_at_the_standard_normal():
    zeros = torch.zeros(4, 2, requires_grad=True)
    value = kl_to_normal(zeros, zeros)
    assert value == 0
    assert torch.equal(torch.autograd.grad(value, zeros)[0], torch.zeros(4, 2))


@pytest.mark.parametrize("log_variance", [-1e4, -100.0, 9.99, 10.01, 100.0, 1e4])
def test_divergence_of_any_spread_is_finite_and_leads_back(log_variance):
    spread = torch.full((2, 3), log_variance, requires_grad=True)
    value = kl_to_normal(torch.zeros(2, 3), spread)
    (first,) = torch.autograd.grad(value, spread, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), spread)
    assert value.isfinite()
    assert first.isfinite().all()
    assert second.isfinite().all()
    assert (first.sign() == math.copysign(1, log_variance)).all()


def test_draws_have_their_mean_and_spread():
    mean, log_variance = code(2, 3)
    draws = reparameterise(mean.expand(40_000, 2, 3), log_variance.expand(40_000, 2, 3))
    deviation = (0.5 * log_variance).exp()
    off = (draws.mean(0) - mean).abs() / deviation
    assert off.max() < 4 / math.sqrt(40_000)
    torch.testing.assert_close(draws.std(0), deviation, rtol=0.03, atol=0)


def test_draws_with_given_noise():
    mean, log_variance = code()
    noise = torch.randn(5, 3)
    found = reparameterise(mean, log_variance, noise)
    torch.testing.assert_close(found, mean + log_variance.exp().sqrt() * noise.double())
    assert torch.equal(reparameterise(mean, log_variance, torch.zeros(5, 3)), mean)


def test_draws_follow_the_seed():
    mean, log_variance = code()
    torch.manual_seed(3)
    first, other = reparameterise(mean, log_variance), reparameterise(mean, log_variance)
    torch.manual_seed(3)
    assert torch.equal(reparameterise(mean, log_variance), first)
    assert not torch.equal(first, other)


def test_draws_of_any_spread_are_finite():
    spread = torch.tensor([[-1e4, 0.0, 1e4]], requires_grad=True)
    draws = reparameterise(torch.zeros(1, 3), spread, torch.ones(1, 3))
    expected = [0.0, 1.0, math.exp(LOG_VARIANCE_LIMIT / 2)]
    torch.testing.assert_close(draws, torch.tensor([expected]))
    draws.sum().backward()
    assert spread.grad.isfinite().all()


def images(n=2, c=1, size=(4, 5)):
    return torch.rand(n, c, *size), torch.rand(n, c, *size)


@pytest.mark.parametrize("channels", [1, 3])
def test_reconstruction_is_the_mean_over_valid_pixels(channels):
    made, wanted = images(c=channels)
    valid = torch.rand(2, 4, 5) < 0.5
    error = (made - wanted).abs()
    torch.testing.assert_close(reconstruction_l1(made, wanted), error.mean())
    chosen = error.movedim(1, -1)[valid]
    torch.testing.assert_close(reconstruction_l1(made, wanted, valid), chosen.mean())
    everything = torch.ones_like(valid)
    torch.testing.assert_close(reconstruction_l1(made, wanted, everything), error.mean())


def test_other_pixels_have_no_influence_whatever_they_hold():
    made, wanted = images()
    valid = torch.rand(2, 4, 5) < 0.5
    value = reconstruction_l1(made, wanted, valid)
    wanted[~valid[:, None]] = math.nan
    made.requires_grad_()
    again = reconstruction_l1(made, wanted, valid)
    again.backward()
    assert torch.equal(again, value)
    assert torch.equal(made.grad != 0, valid[:, None])


def test_nothing_valid_is_zero():
    made, wanted = images()
    made.requires_grad_()
    value = reconstruction_l1(made, wanted, torch.zeros(2, 4, 5, dtype=torch.bool))
    value.backward()
    assert value == 0
    assert torch.equal(made.grad, torch.zeros_like(made))


def test_latent_regression():
    found, sampled = (z.requires_grad_() for z in code())
    value = latent_regression(found, sampled)
    torch.testing.assert_close(value, (found - sampled).abs().mean())
    value.backward()
    torch.testing.assert_close(found.grad, (found - sampled).sign() / 15)
    torch.testing.assert_close(sampled.grad, -found.grad)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, DOUBLE])
def test_precision(dtype):
    wide = DOUBLE if dtype == DOUBLE else torch.float32
    mean, log_variance = code(dtype=dtype)
    made, wanted = (image.to(dtype) for image in images())
    for value in (
        kl_to_normal(mean, log_variance),
        reparameterise(mean, log_variance),
        reconstruction_l1(made, wanted),
        reconstruction_l1(made, wanted, torch.rand(2, 4, 5) < 0.5),
        latent_regression(mean, log_variance),
    ):
        assert value.dtype == wide
        assert value.isfinite().all()


def test_smooth_losses_by_finite_differences():
    leaves = tuple(z.requires_grad_() for z in code())
    noise = torch.randn(5, 3)
    for function in (kl_to_normal, lambda m, v: reparameterise(m, v, noise)):
        assert torch.autograd.gradcheck(function, leaves)
        assert torch.autograd.gradgradcheck(function, leaves)


def test_all_losses_differentiate_twice_at_replaced_parameters():
    """As a meta-gradient takes them: a Hessian product by the loss against differences."""
    net = torch.nn.Conv2d(1, 6, 3, padding=1).double()
    scan = torch.rand(4, 1, 6, 6, dtype=DOUBLE)
    parameters = {name: p.detach().requires_grad_() for name, p in net.named_parameters()}
    noise = torch.randn(4, 6, dtype=DOUBLE)

    def loss(parameters):
        z = functional_call(net, dict(parameters), (scan,)).softmax(dim=1)
        mean, spread = z.mean(dim=(2, 3)), z.square().mean(dim=(2, 3)).log()
        s = reparameterise(mean, spread, noise)
        total = kl_to_normal(mean, spread) + hsic(s[:, :3], s[:, 3:], bandwidth=1.0)
        return total + rank_value(z, 3) + reconstruction_l1(z[:, :1], scan, scan[:, 0] > 0.3)

    def gradient(parameters, graph=False):
        return torch.autograd.grad(
            loss(parameters), list(parameters.values()), create_graph=graph
        )

    directions = [torch.randn_like(p) for p in parameters.values()]
    inner = gradient(parameters, graph=True)
    product = torch.autograd.grad(inner, list(parameters.values()), directions)
    sides = [
        gradient(
            {
                name: (p + sign * 1e-5 * d).detach().requires_grad_()
                for (name, p), d in zip(parameters.items(), directions, strict=True)
            }
        )
        for sign in (1, -1)
    ]
    for exact, up, down in zip(product, *sides, strict=True):
        torch.testing.assert_close(exact, (up - down) / 2e-5, rtol=1e-4, atol=1e-5)
