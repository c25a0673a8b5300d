"""The singular value against LAPACK's, and its first two derivatives where they break."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgseg.losses.rank import rank_value

DOUBLE = torch.float64
EPS = 1e-8


def singular_value(features, k):
    """By LAPACK, scaled to 2000 pixels as `rank_value` is, without its eps."""
    pixels = features.detach().double().movedim(1, 0).flatten(1)
    values = torch.linalg.svdvals(pixels)
    value = values[k] if k < len(values) else torch.zeros((), dtype=DOUBLE)
    return value * math.sqrt(2000 / pixels.shape[1])


def without_eps(value, eps=EPS):
    return (value.double().square() - 2000 * eps).clamp_min(0).sqrt()


def two_derivatives(features, k, eps=EPS):
    """Value, gradient, and the gradient of a smooth function of that gradient."""
    features = features.detach().requires_grad_()
    value = rank_value(features, k, eps=eps)
    (first,) = torch.autograd.grad(value, features, create_graph=True)
    direction = torch.linspace(-1, 1, first.numel(), dtype=first.dtype).view_as(first)
    inner = (first * direction).sum() + first.square().sum()
    (second,) = torch.autograd.grad(inner, features)
    return value.detach(), first.detach(), second


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(1, 3),
    channels=st.integers(1, 9),
    height=st.integers(3, 6),
    width=st.integers(3, 6),
    data=st.data(),
)
def test_agrees_with_lapack(n, channels, height, width, data):
    k = data.draw(st.integers(0, channels - 1))
    seed = data.draw(st.integers(0, 999))
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, channels, height, width, dtype=DOUBLE, generator=generator)
    found = without_eps(rank_value(features, k))
    torch.testing.assert_close(found, singular_value(features, k), rtol=1e-7, atol=1e-7)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), factor=st.floats(0.01, 100))
def test_scales_with_the_features_and_forgets_the_order_of_everything(seed, factor):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 6, 4, 5, dtype=DOUBLE, generator=generator)
    value = rank_value(features, 3, eps=0)
    torch.testing.assert_close(rank_value(factor * features, 3, eps=0), factor * value)
    shuffled = features[:, torch.randperm(6)].flip(0, 2, 3)
    torch.testing.assert_close(rank_value(shuffled, 3, eps=0), value)
    turned = torch.einsum(
        "ij,njhw->nihw", torch.linalg.qr(torch.randn(6, 6, dtype=DOUBLE))[0], features
    )
    torch.testing.assert_close(rank_value(turned, 3, eps=0), value)


def test_more_of_the_same_pixels_are_the_same_value():
    features = torch.randn(2, 5, 4, 4)
    torch.testing.assert_close(
        rank_value(features.repeat(3, 1, 2, 1), 2), rank_value(features, 2)
    )


def test_is_what_a_sample_of_2000_pixels_has_on_average():
    logits = torch.randn(2, 8, 96, 96) * torch.linspace(0.5, 3, 8)[:, None, None]
    features = logits.softmax(dim=1)
    pixels = features.movedim(1, -1).flatten(0, 2)
    sampled = [
        torch.linalg.svdvals(pixels[torch.randperm(len(pixels))[:2000]])[4] for _ in range(20)
    ]
    mean = float(torch.stack(sampled).mean())
    assert float(rank_value(features, 4)) == pytest.approx(mean, rel=0.02)


def test_small_singular_values_survive_large_ones_in_float32():
    """A Gram matrix in float32 could not hold these: their squares are 1e-10 apart."""
    basis = torch.linalg.qr(torch.randn(64, 6, dtype=DOUBLE))[0].T
    left = torch.linalg.qr(torch.randn(6, 6, dtype=DOUBLE))[0]
    values = torch.tensor([1.0, 0.5, 1e-1, 1e-2, 1e-3, 1e-3], dtype=DOUBLE)
    pixels = (left * values) @ basis
    value = rank_value(pixels.view(1, 6, 8, 8).float(), 4, eps=0)
    assert float(value) * math.sqrt(64 / 2000) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("k", [0, 2, 4])
def test_both_derivatives_by_finite_differences(k):
    features = torch.randn(2, 5, 2, 3, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(rank_value, (features, k))
    assert torch.autograd.gradgradcheck(rank_value, (features, k))


def test_both_derivatives_are_those_of_an_eigenvalue():
    features = torch.randn(2, 5, 4, 3, dtype=DOUBLE, requires_grad=True)

    def by_lapack(features):
        pixels = features.movedim(1, 0).flatten(1) / math.sqrt(24)
        eigenvalue = torch.linalg.eigvalsh(pixels @ pixels.mT)[2]
        return ((eigenvalue + EPS) * 2000).sqrt()

    def derivatives(function):
        (first,) = torch.autograd.grad(function(features), features, create_graph=True)
        return first, torch.autograd.grad(first.square().sum(), features)[0]

    ours, theirs = derivatives(lambda x: rank_value(x, 2)), derivatives(by_lapack)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-10)


def dead_channels():
    features = torch.rand(2, 8, 4, 4)
    features[:, 3:] = 0
    return features


def twin_channels():
    features = torch.rand(2, 8, 4, 4)
    features[:, 4:] = features[:, :4]
    return features


def equal_singular_values():
    return torch.eye(8)[:, :, None, None].repeat(2, 1, 1, 1)


def nearly_equal_singular_values():
    return torch.diag(1 + 1e-7 * torch.arange(8))[:, :, None, None]


DEGENERATE = {
    "zeros": lambda: torch.zeros(2, 8, 4, 4),
    "ones": lambda: torch.ones(2, 8, 4, 4),
    "softmax of zeros": lambda: torch.full((2, 8, 4, 4), 1 / 8),
    "one constant channel": lambda: torch.eye(8)[0].view(1, 8, 1, 1).expand(2, 8, 4, 4),
    "dead channels": dead_channels,
    "twin channels": twin_channels,
    "equal": equal_singular_values,
    "nearly equal": nearly_equal_singular_values,
    "one pixel": lambda: torch.rand(1, 8, 1, 1),
    "huge": lambda: 1e15 * torch.rand(2, 8, 4, 4),
    "minute": lambda: 1e-20 * torch.rand(2, 8, 4, 4),
}


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("kind", DEGENERATE)
def test_two_finite_derivatives_where_singular_values_meet(kind, dtype):
    features = DEGENERATE[kind]().to(dtype)
    for k in range(8):
        value, first, second = two_derivatives(features, k)
        assert value.dtype == first.dtype == second.dtype == dtype
        assert value.isfinite()
        assert first.isfinite().all()
        assert second.isfinite().all()
        truth = singular_value(features, k)
        torch.testing.assert_close(
            without_eps(value), truth, rtol=1e-5, atol=1e-5 * (1 + float(features.abs().max()))
        )


@pytest.mark.parametrize("kind", ["zeros", "ones", "dead channels", "twin channels", "equal"])
def test_the_second_derivative_does_not_explode_there_either(kind):
    _, first, second = two_derivatives(DEGENERATE[kind](), 4)
    assert first.abs().max() < 100
    assert second.abs().max() < 1e6


def test_slope_at_zero_is_bounded_by_eps():
    """Around zero features the value is the root of eps and a parabola."""
    for eps in (1e-6, 1e-10):
        value, first, _ = two_derivatives(torch.zeros(1, 3, 2, 2, dtype=DOUBLE), 1, eps)
        assert float(value) == pytest.approx(math.sqrt(2000 * eps))
        assert first.abs().max() == 0


def test_descent_presses_the_rank_down():
    logits = torch.randn(1, 6, 12, 12, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    before = float(rank_value(logits.detach(), 3))
    for _ in range(150):
        optimiser.zero_grad()
        rank_value(logits, 3).backward()
        optimiser.step()
    assert float(rank_value(logits.detach(), 3)) < 0.05 * before
    assert float(singular_value(logits, 2)) > 0.5 * before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_full(dtype):
    features = torch.rand(2, 5, 6, 6).to(dtype).requires_grad_()
    value = rank_value(features, 2)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, rank_value(features.float(), 2))
    value.backward()
    assert features.grad.dtype == dtype
    assert features.grad.isfinite().all()


def test_autocast_changes_nothing():
    features = torch.rand(2, 5, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        value = rank_value(features, 2)
    assert torch.equal(value, rank_value(features, 2))


def test_memory_format_changes_nothing():
    features = torch.rand(2, 5, 6, 6)
    turned = features.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(rank_value(turned, 2), rank_value(features, 2))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_shows_in_the_value_and_stops_nothing(bad):
    features = torch.rand(2, 4, 3, 3)
    features[0, 1, 2, 2] = bad
    assert not rank_value(features, 2).isfinite()


def test_no_pixels():
    assert float(rank_value(torch.zeros(0, 4, 3, 3), 2)) == pytest.approx(math.sqrt(2e-5))


@pytest.mark.parametrize("k", [-1, 4, 9])
def test_a_rank_that_cannot_be_exceeded_is_refused(k):
    with pytest.raises(ValueError, match="rank"):
        rank_value(torch.rand(2, 4, 3, 3), k)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="4 dimensions"):
        rank_value(torch.rand(4, 3, 3), 2)
