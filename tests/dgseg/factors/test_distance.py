"""Distances are those of SciPy, and say in words what they mean."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import mahalanobis as reference
from scipy.stats import chi2, ortho_group

from dgseg.bundles.look_bank import LookBank
from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.factors.distance import (
    SHRINKAGE,
    distance_to_bank,
    distance_to_looks,
    look_distances,
    mahalanobis,
    own_distances,
)

NUMBERS = st.floats(-5, 5, width=32)


def spread(seed, size):
    """A covariance with standard deviations from 0.5 to 2."""
    rng = np.random.default_rng(seed)
    turn = ortho_group.rvs(size, random_state=seed) if size > 1 else np.eye(1)
    found = turn @ np.diag(rng.uniform(0.25, 4, size)) @ turn.T
    return (found + found.T) / 2


def style_of(mean, covariance, quantiles=(), n_style=2):
    cut = slice(0, n_style), slice(n_style, None)
    return DomainStyle(
        n_slices=30,
        style_mean=tuple(mean[cut[0]]),
        style_covariance=tuple(map(tuple, covariance[cut[0], cut[0]])),
        domain_mean=tuple(mean[cut[1]]),
        domain_covariance=tuple(map(tuple, covariance[cut[1], cut[1]])),
        distance_quantiles=quantiles,
    )


@given(arrays(np.float32, (4, 3), elements=NUMBERS), st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_it_is_scipys_distance_of_the_shrunk_covariance(codes, seed):
    mean, covariance = np.arange(3.0), spread(seed, 3)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / 3 * np.eye(3)
    expected = [reference(code, mean, np.linalg.inv(shrunk)) for code in codes]
    assert np.allclose(mahalanobis(codes, mean, covariance), expected, rtol=1e-6)


@given(
    arrays(np.float64, (5, 4), elements=NUMBERS),
    st.integers(0, 50),
    st.floats(0.1, 10),
    st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_it_does_not_depend_on_coordinates(codes, seed, unit, shrunk):
    mean, covariance = np.ones(4), spread(seed, 4)
    change = unit * ortho_group.rvs(4, random_state=seed + 1)
    if not shrunk:  # then any invertible change will do
        change = change @ np.diag([0.3, 1, 2, 5])
    share = SHRINKAGE if shrunk else 0.0
    before = mahalanobis(codes, mean, covariance, share)
    after = mahalanobis(
        codes @ change.T - 7, change @ mean - 7, change @ covariance @ change.T, share
    )
    assert np.allclose(before, after, rtol=1e-6, atol=1e-6)


def test_codes_that_are_no_numbers_have_no_distance():
    codes = np.array([[0.0, 0.0], [np.nan, 1.0], [1.0, np.inf], [3.0, 4.0]])
    found = mahalanobis(codes, np.zeros(2), np.eye(2))
    assert found.dtype == np.float64
    assert np.array_equal(found, [0, np.nan, np.nan, 5], equal_nan=True)


def test_a_direction_without_variance_is_not_infinitely_far():
    flat = np.diag([1.0, 0.0])
    with pytest.raises(ValueError, match="not positive"):
        mahalanobis(np.ones((1, 2)), np.zeros(2), flat, 0.0)
    assert mahalanobis(np.ones((1, 2)), np.zeros(2), flat)[0] < 6
    with pytest.raises(ValueError, match="not positive"):
        mahalanobis(np.ones((1, 2)), np.zeros(2), np.zeros((2, 2)))


def test_shapes_that_do_not_fit_are_refused():
    for codes, mean in ((np.ones(3), np.ones(3)), (np.ones((2, 2)), np.ones(3))):
        with pytest.raises(ValueError, match="do not fit"):
            mahalanobis(codes, mean, np.eye(3))


@pytest.mark.parametrize(
    ("code", "dims"), [("style", [0, 1]), ("domain", [2, 3, 4]), ("both", [0, 1, 2, 3, 4])]
)
def test_the_nearest_domain_of_a_code(code, dims):
    rng = np.random.default_rng(0)
    means = {"here": np.full(5, 0.5), "there": np.full(5, -4.0)}
    covariance = spread(1, 5)
    covariance[:2, 2:] = covariance[2:, :2] = 0  # as a bank has it
    bank = StyleBank(domains={k: style_of(v, covariance) for k, v in means.items()})
    codes = means["here"] + rng.standard_normal((7, 5))
    found = distance_to_bank(bank, codes[:, :2], codes[:, 2:], code)
    picked = np.ix_(dims, dims)
    ball = np.trace(covariance[picked]) / len(dims) * np.eye(len(dims))
    inverse = np.linalg.inv((1 - SHRINKAGE) * covariance[picked] + SHRINKAGE * ball)
    every = [reference(x[dims], means["here"][dims], inverse) for x in codes]
    value = np.median(every) / np.sqrt(len(dims))
    assert found.nearest == "here"
    assert found.value == pytest.approx(value, rel=1e-9)
    share = chi2(len(dims)).cdf(len(dims) * value**2)
    assert found.percentile == pytest.approx(100 * share, abs=1e-6)
    assert not found.foreign
    assert found.sentence.startswith("Most like here among")


def test_measured_quantiles_tell_the_percentile():
    style = style_of(np.zeros(4), np.eye(4), quantiles=(0.0, 1.0, 2.0))
    bank = StyleBank(domains={"a": style})

    def at(value):
        codes = np.full((3, 4), float(value))
        return distance_to_bank(bank, codes[:, :2], codes[:, 2:])

    assert [at(v).percentile for v in (0, 0.5, 1, 1.5, 2, 9)] == pytest.approx(
        [0, 25, 50, 75, 100, 100]
    )
    # The root mean square of the domain's own slices is one.
    assert at(2).value == pytest.approx(2 / np.sqrt((0 + 1 + 4) / 3))
    assert not at(9).foreign
    assert at(11).foreign
    assert at(11).sentence.startswith("Unlike anything this model was trained on")
    assert "farther away than all" in at(2).sentence


def test_a_damaged_slice_does_not_count_and_nothing_else_does_not_do():
    bank = StyleBank(domains={"a": style_of(np.zeros(4), np.eye(4))})
    codes = np.array([[1.0] * 4, [np.nan] * 4, [1.0] * 4])
    assert distance_to_bank(bank, codes[:, :2], codes[:, 2:]).value == pytest.approx(1)
    with pytest.raises(ValueError, match="no slice has numbers"):
        distance_to_bank(bank, codes[1:2, :2], codes[1:2, 2:])
    with pytest.raises(ValueError, match="do not fit"):
        distance_to_bank(bank, codes[:, :1], codes[:, 2:])


def test_a_model_without_domain_codes():
    style = style_of(np.zeros(2), np.eye(2))
    bank = StyleBank(domains={"a": style})
    found = distance_to_bank(bank, np.full((2, 2), 2.0), np.empty((2, 0)))
    assert found.value == pytest.approx(2)
    assert own_distances(style, np.full((1, 2), 3.0), "style") == pytest.approx([3])


def test_looks_are_compared_with_what_is_usual():
    rng = np.random.default_rng(0)
    covariance = spread(3, 6)
    looks = rng.multivariate_normal(np.ones(6), covariance, 4000)
    found = look_distances(looks, np.ones(6), covariance)
    assert np.square(found).mean() == pytest.approx(1, rel=0.05)
    unit = look_distances(10 * looks, np.full(6, 10.0), 100 * covariance)
    assert np.allclose(unit, found)


def look_bank(new_centre=(0.5, 1.0, 1.5, 2.0, 2.5)):
    return LookBank(
        level=2,
        domains=("a", "b"),
        mean=(0.0, 0.0),
        covariance=((1.0, 0.0), (0.0, 1.0)),
        new_centre=new_centre,
    )


def test_what_lies_beyond_new_centres_is_foreign():
    def at(value, **changes):
        far = np.array([[value, value], [value, value], [np.nan, 0]])
        return distance_to_looks(look_bank(**changes), far)

    assert [at(v).percentile for v in (0.1, 1, 1.25, 9)] == pytest.approx([0, 25, 37.5, 100])
    assert [at(v).foreign for v in (1, 2, 2.3, 2.45, 9)] == [False, False, False, True, True]
    assert at(9).sentence.startswith("Unlike anything this model was trained on")
    assert at(1).sentence == "Like what this model was trained on."
    assert "new centre" in at(2).sentence
    assert at(9).value == pytest.approx(9)
    unknown = at(9, new_centre=())
    assert not unknown.foreign
    assert "cannot tell" in unknown.sentence
    with pytest.raises(ValueError, match="no slice"):
        distance_to_looks(look_bank(), np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="do not fit"):
        distance_to_looks(look_bank(), np.zeros((2, 3)))


def test_no_torch():
    code = "import dgseg.factors.distance, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
