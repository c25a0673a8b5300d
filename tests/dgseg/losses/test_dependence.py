"""HSIC against its definitions in loops, and what it must be blind to."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgseg.losses.dependence import hsic

DOUBLE = torch.float64
ESTIMATORS = ["biased", "unbiased", "normalised", "published"]


def points(m, p, seed=0, dtype=DOUBLE):
    generator = torch.Generator().manual_seed(1000 * seed + 10 * m + p)
    return torch.randn(m, p, generator=generator, dtype=dtype)


def kernel(rows, bandwidth):
    pairs = itertools.combinations(rows, 2)
    sigma = (
        statistics.median_low(math.dist(a, b) for a, b in pairs)
        if bandwidth == "median"
        else bandwidth
    )
    return [[math.exp(-(math.dist(a, b) ** 2) / (2 * sigma**2)) for b in rows] for a in rows]


def trace_of_centred(K, L):
    """``tr(K H L H)`` with the products multiplied out."""
    m = len(K)
    both = sum(K[i][j] * L[i][j] for i in range(m) for j in range(m))
    rows = sum(sum(K[i]) * sum(L[i]) for i in range(m))
    return both - 2 * rows / m + sum(map(sum, K)) * sum(map(sum, L)) / m**2


def song(K, L):
    """Equation 5 of Song et al. 2012."""
    m = len(K)
    K = [[0 if i == j else K[i][j] for j in range(m)] for i in range(m)]
    L = [[0 if i == j else L[i][j] for j in range(m)] for i in range(m)]
    both = sum(K[i][j] * L[j][i] for i in range(m) for j in range(m))
    sums = sum(map(sum, K)) * sum(map(sum, L)) / ((m - 1) * (m - 2))
    rows = sum(sum(K[i]) * sum(L[i]) for i in range(m)) * 2 / (m - 2)
    return (both + sums - rows) / (m * (m - 3))


def reference(x, y, estimator, bandwidth):
    K, L = kernel(x.tolist(), bandwidth), kernel(y.tolist(), bandwidth)
    if estimator == "unbiased":
        return song(K, L)
    inner = trace_of_centred(K, L)
    if estimator == "normalised":
        return inner / math.sqrt(trace_of_centred(K, K) * trace_of_centred(L, L))
    return inner / (len(K) - 1) ** (2 if estimator == "biased" else 1)


@pytest.mark.parametrize("bandwidth", ["median", 5, 0.7])
@pytest.mark.parametrize("m", [4, 5, 9])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_agrees_with_loops(estimator, m, bandwidth):
    x, y = points(m, 3), points(m, 2)
    found = hsic(x, y, estimator=estimator, bandwidth=bandwidth)
    assert float(found) == pytest.approx(reference(x, y, estimator, bandwidth), rel=1e-5)


def test_unbiased_is_the_mean_over_all_choices_of_four_points():
    """The U-statistic that equation 5 of Song et al. is a shorter way to write."""
    x, y = points(6, 2), points(6, 3)
    K, L = kernel(x.tolist(), 1.0), kernel(y.tolist(), 1.0)
    choices = list(itertools.permutations(range(6), 4))
    total = sum(K[i][j] * (L[i][j] + L[q][r] - 2 * L[i][q]) for i, j, q, r in choices)
    found = hsic(x, y, bandwidth=1.0)
    assert float(found) == pytest.approx(total / len(choices), rel=1e-9)


def test_published_code():
    """DGNet's, in matrices: ``tr(K H L H) / (m - 1)`` with a bandwidth of 5."""
    x, y = points(4, 8), points(4, 8, seed=1)
    centre = torch.eye(4, dtype=DOUBLE) - 1 / 4
    K, L = (torch.exp(-torch.cdist(z, z).square() / 50) for z in (x, y))
    theirs = torch.trace(K @ centre @ L @ centre) / 3
    torch.testing.assert_close(hsic(x, y, estimator="published", bandwidth=5), theirs)


def test_unbiased_is_zero_over_all_ways_to_pair():
    x, y = points(5, 2), points(5, 2, seed=1)
    values = [float(hsic(x, y[list(order)])) for order in itertools.permutations(range(5))]
    assert abs(statistics.fmean(values)) < 1e-15
    assert min(values) < 0 < max(values)


def test_means_over_independent_draws():
    unbiased, biased = [], []
    for seed in range(300):
        x, y = points(8, 3, seed), points(8, 2, seed + 500)
        unbiased.append(float(hsic(x, y, bandwidth=2.0)))
        biased.append(float(hsic(x, y, estimator="biased", bandwidth=2.0)))
    error = statistics.stdev(unbiased) / math.sqrt(300)
    assert abs(statistics.fmean(unbiased)) < 3 * error
    assert statistics.fmean(biased) > 10 * error


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_tells_dependent_from_independent_though_not_correlated(estimator):
    x = points(200, 1)
    square, other = x.square() + 0.1 * points(200, 1, 1), points(200, 1, 2)
    assert abs(torch.corrcoef(torch.cat([x, square], 1).T)[0, 1]) < 0.2
    found = [float(hsic(x, y, estimator=estimator)) for y in (square, other)]
    assert found[0] > 5 * abs(found[1])


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("bandwidth", ["median", 5])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_exactly_zero_beside_a_constant(estimator, bandwidth, dtype):
    x, constant = points(7, 3, dtype=dtype), torch.full((7, 2), 0.3, dtype=dtype)
    for pair in ((x, constant), (constant, x), (constant, constant)):
        assert float(hsic(*pair, estimator=estimator, bandwidth=bandwidth)) == 0


@settings(max_examples=40, deadline=None)
@given(
    m=st.integers(4, 12),
    seed=st.integers(0, 99),
    scale=st.floats(0.01, 100),
    estimator=st.sampled_from(ESTIMATORS),
)
def test_blind_to_order_place_rotation_and_with_the_median_to_scale(m, seed, scale, estimator):
    x, y = points(m, 3, seed), points(m, 2, seed + 100)
    value = hsic(x, y, estimator=estimator)
    order = torch.randperm(m)
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=DOUBLE))[0]
    for other in (
        hsic(y, x, estimator=estimator),
        hsic(x[order], y[order], estimator=estimator),
        hsic(scale * x @ turn + 3, y, estimator=estimator),
    ):
        torch.testing.assert_close(other, value, rtol=1e-6, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(m=st.integers(2, 12), seed=st.integers(0, 99), bandwidth=st.floats(0.3, 10))
def test_bounds(m, seed, bandwidth):
    x, y = points(m, 3, seed), points(m, 2, seed + 100)
    for choice in (bandwidth, "median"):
        assert float(hsic(x, y, estimator="biased", bandwidth=choice)) >= -1e-15
        alignment = float(hsic(x, y, estimator="normalised", bandwidth=choice))
        assert -1e-9 <= alignment <= 1 + 1e-9


def test_alignment_with_itself_is_one():
    x = points(16, 3)
    turned = 4 * x @ torch.linalg.qr(torch.randn(3, 3, dtype=DOUBLE))[0]
    assert float(hsic(x, turned, estimator="normalised")) == pytest.approx(1, abs=1e-6)


def test_wide_kernels_in_float32_lose_nothing():
    """Kernel entries within 1e-6 of one: centring them as they are would leave noise."""
    x, y = points(6, 3, dtype=torch.float32), points(6, 2, dtype=torch.float32)
    found = hsic(x, y, bandwidth=1000.0)
    exact = hsic(x.double(), y.double(), bandwidth=1000.0)
    assert float(found) == pytest.approx(float(exact), rel=1e-3)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_both_derivatives_by_finite_differences(estimator):
    x, y = points(5, 2).requires_grad_(), points(5, 3).requires_grad_()

    def function(x, y):
        return hsic(x, y, estimator=estimator, bandwidth=1.5)

    assert torch.autograd.gradcheck(function, (x, y))
    assert torch.autograd.gradgradcheck(function, (x, y))


def test_the_median_is_a_constant():
    x, y = points(6, 2).requires_grad_(), points(6, 2, seed=1)
    pairs = [math.dist(a, b) for a, b in itertools.combinations(x.tolist(), 2)]
    other = [math.dist(a, b) for a, b in itertools.combinations(y.tolist(), 2)]
    ratio = statistics.median_low(pairs) / statistics.median_low(other)
    (found,) = torch.autograd.grad(hsic(x, y), x)
    same = hsic(x, y * ratio, bandwidth=statistics.median_low(pairs))
    torch.testing.assert_close(found, torch.autograd.grad(same, x)[0])


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("kind", ["constant", "one apart", "far apart", "two values"])
def test_two_finite_derivatives_where_points_coincide(kind, estimator, dtype):
    x = torch.zeros(6, 2, dtype=dtype)
    if kind in ("one apart", "far apart"):
        x[0] = 1.0 if kind == "one apart" else 1e6
    if kind == "two values":
        x[:3] = 1.0
    y = points(6, 3, dtype=dtype)
    for pair in ((x, y), (x, x.clone())):
        leaves = [z.clone().requires_grad_() for z in pair]
        value = hsic(*leaves, estimator=estimator)
        first = torch.autograd.grad(value, leaves, create_graph=True)
        inner = sum((g.square() + g).sum() for g in first)
        second = torch.autograd.grad(inner, leaves)
        assert all(z.isfinite().all() for z in (value, *first, *second))


def test_the_median_of_mostly_equal_points_is_replaced():
    x = torch.zeros(6, 1, dtype=DOUBLE)
    x[0] = 3.0
    y = points(6, 2)
    mean_square = 9 * 5 / 15
    ours = hsic(x, x, estimator="biased")
    fixed = hsic(x, x, estimator="biased", bandwidth=math.sqrt(mean_square))
    torch.testing.assert_close(ours, fixed)
    assert hsic(x, y).isfinite()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_half_precision_and_autocast_are_computed_in_full(estimator):
    x = points(6, 3).bfloat16().requires_grad_()
    y = points(6, 2).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        value = hsic(x, y, estimator=estimator)
    assert value.dtype == torch.float32
    assert torch.equal(value, hsic(x.float(), y.float(), estimator=estimator))
    value.backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("x", "y", "options", "said"),
    [
        ((5, 2), (6, 2), {}, "pairs"),
        ((5,), (5, 2), {}, "pairs"),
        ((3, 2), (3, 2), {}, "4 points, not 3"),
        ((1, 2), (1, 2), {"estimator": "biased"}, "2 points, not 1"),
        ((5, 2), (5, 2), {"bandwidth": 0}, "positive"),
        ((5, 2), (5, 2), {"bandwidth": -1.0}, "positive"),
        ((5, 2), (5, 2), {"bandwidth": "mean"}, "'mean'"),
    ],
)
def test_what_cannot_be_estimated_is_refused(x, y, options, said):
    with pytest.raises(ValueError, match=said):
        hsic(torch.zeros(x), torch.zeros(y), **options)
