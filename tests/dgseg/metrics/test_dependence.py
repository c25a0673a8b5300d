"""Distance correlation against its definition, and where its value is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dgseg.metrics.dependence import distance_correlation


def by_loop(first, second):
    """The definition, one pair after the other."""

    def distances(rows):
        return [[math.dist(p, q) for q in rows] for p in rows]

    def centred(table):
        n = len(table)
        means = [sum(row) / n for row in table]
        grand = sum(means) / n
        return [[table[k][m] - means[k] - means[m] + grand for m in range(n)] for k in range(n)]

    def covariance(a, b):
        pairs = [p * q for x, y in zip(a, b, strict=True) for p, q in zip(x, y, strict=True)]
        return sum(pairs) / len(pairs)

    a, b = centred(distances(first)), centred(distances(second))
    return math.sqrt(covariance(a, b) / math.sqrt(covariance(a, a) * covariance(b, b)))


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_definition(seed):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(17, 3))
    second = np.column_stack([np.tanh(first[:, :1]), rng.normal(size=(17, 4))])
    ours = distance_correlation(first, second)
    assert ours == pytest.approx(by_loop(first.tolist(), second.tolist()), rel=1e-10)
    assert distance_correlation(second, first) == pytest.approx(ours)


def test_linear_in_one_dimension_is_one(rng):
    x = rng.normal(size=60)
    assert distance_correlation(x, -3 * x + 7) == pytest.approx(1)
    assert distance_correlation(x, x) == pytest.approx(1)


def test_independent_is_small_and_smaller_with_more_samples(rng):
    few, many = (
        distance_correlation(rng.normal(size=n), rng.normal(size=n)) for n in (50, 2000)
    )
    assert many < 0.06
    assert many < few


def test_sees_what_no_correlation_coefficient_sees(rng):
    x = rng.uniform(-1, 1, 1000)
    assert abs(np.corrcoef(x, x**2)[0, 1]) < 0.1
    assert distance_correlation(x, x**2) > 0.4


def test_of_two_points_is_one():
    assert distance_correlation(np.array([0.0, 1.0]), np.array([5.0, 3.0])) == pytest.approx(1)


def test_scale_and_place_do_not_matter(rng):
    x, y = rng.normal(size=(40, 2)), rng.normal(size=(40, 3))
    expected = distance_correlation(x, y)
    for scale in (1e-200, 1e-20, 1e150):
        assert distance_correlation(scale * x, y) == pytest.approx(expected)
    assert distance_correlation(x.astype(np.float32) + 4096, y) == pytest.approx(
        expected, abs=1e-3
    )


def test_a_constant_depends_on_nothing(rng):
    constant = np.full((30, 2), 0.1)
    assert distance_correlation(constant, rng.normal(size=(30, 2))) == 0
    assert distance_correlation(constant, constant) == 0
    assert distance_correlation(np.zeros((30, 2)), np.zeros((30, 2))) == 0


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="two samples"):
        distance_correlation(np.zeros((1, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="3 samples of one and 4"):
        distance_correlation(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="finite"):
        distance_correlation(np.array([0, np.nan]), np.zeros(2))
