"""The map of slices among domains, against NumPy, SciPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist
from scipy.stats import ortho_group
from sklearn.decomposition import PCA

from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.factors.map import SILENT, carried, ellipse, map_codes, moments, pca, pooled, project

UNIT = np.eye(5)


def _domains(rng, n=3, size=5):
    means = rng.normal(size=(n, size))
    roots = rng.normal(size=(n, size, 2 * size))
    return means, roots @ roots.transpose(0, 2, 1) / (2 * size)


def _bank(means, covariances):
    """A bank of domains a, b, c ... whose domain code is the style's first dimension."""
    return StyleBank(
        domains={
            chr(97 + at): DomainStyle(
                n_slices=9,
                style_mean=tuple(mean),
                style_covariance=tuple(map(tuple, (cov + cov.T) / 2)),
                domain_mean=tuple(mean[:1]),
                domain_covariance=((cov[0, 0],),),
            )
            for at, (mean, cov) in enumerate(zip(means, covariances, strict=True))
        }
    )


def test_it_is_the_pca_of_scikit_learn(rng):
    """With round domains: slices once, every domain's mean as often as there are slices."""
    codes, (means, _) = rng.normal(size=(40, 5)) * [3, 2, 1, 1, 1] + 1, _domains(rng)
    basis, centre = pca(codes, means, np.stack([4 * UNIT] * 3))
    reference = PCA(2).fit(np.concatenate([codes, np.repeat(means, 40, axis=0)]))
    np.testing.assert_allclose(centre, reference.mean_)
    expected = reference.components_.T / 2
    np.testing.assert_allclose(np.abs(basis), np.abs(expected), atol=1e-10)
    ours, theirs = pdist(project(codes, basis, centre)), pdist(reference.transform(codes) / 2)
    np.testing.assert_allclose(ours, theirs)


def test_lengths_are_deviations_within_a_domain(rng):
    """In two dimensions nothing is lost: the map keeps Mahalanobis distances."""
    means, covariances = _domains(rng, size=2)
    codes = rng.normal(size=(7, 2))
    within = covariances.mean(axis=0)
    whitening = 0.99 * within + 0.01 * np.trace(within) / 2 * np.eye(2)
    basis, centre = pca(codes, means, covariances)
    expected = cdist(codes, means, "mahalanobis", VI=np.linalg.inv(whitening))
    got = cdist(project(codes, basis, centre), project(means, basis, centre))
    np.testing.assert_allclose(got, expected)


def test_noise_does_not_take_the_axes():
    """A narrow dimension tells the domains apart; a wide one is the prior's noise."""
    means = np.array([[0.0, -0.3], [0.0, 0.3]])
    covariances = np.stack([np.diag([1.0, 0.01])] * 2)
    codes = np.array([[0.001, 0.2], [-0.001, 0.1]])
    basis, _ = pca(codes, means, covariances)
    assert abs(basis[1, 0]) > 100 * abs(basis[0, 0])


def test_an_ellipse_lies_where_the_distance_is_what_was_asked(rng):
    means, covariances = _domains(rng, size=2)
    basis, centre = pca(rng.normal(size=(4, 2)), means, covariances)
    outline = ellipse(means[0], covariances[0], basis, centre, deviations=1.5)
    assert outline.shape == (64, 2)
    np.testing.assert_allclose(outline[0], outline[-1], atol=1e-12)
    back = (outline - project(means[:1], basis, centre)) @ np.linalg.inv(basis)
    distances = cdist(back, [[0, 0]], "mahalanobis", VI=np.linalg.inv(covariances[0]))
    np.testing.assert_allclose(distances, 1.5)


def test_an_ellipse_holds_the_share_that_it_should(rng):
    """Two deviations in the plane of a flattened normal law: 1 - exp(-2) of it."""
    means, covariances = _domains(rng)
    basis, centre = pca(rng.normal(size=(4, 5)), means, covariances)
    drawn = project(rng.multivariate_normal(means[1], covariances[1], 20_000), basis, centre)
    outline = ellipse(means[1], covariances[1], basis, centre)
    middle = project(means[1:2], basis, centre)[0]
    angle = np.arctan2(*(drawn - middle).T[::-1])
    rim = np.arctan2(*(outline - middle).T[::-1])
    order = np.argsort(rim)
    radius = np.hypot(*(outline - middle).T)[order]
    limit = np.interp(angle, rim[order], radius, period=2 * np.pi)
    inside = np.hypot(*(drawn - middle).T) <= limit
    assert inside.mean() == pytest.approx(1 - np.exp(-2), abs=0.01)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 12), size=st.integers(2, 6))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_turning_the_code_leaves_distances(seed, n, size):
    rng = np.random.default_rng(seed)
    means, covariances = _domains(rng, size=size)
    codes = rng.normal(size=(n, size)) * rng.uniform(0.5, 4, size)
    turn = ortho_group.rvs(size, random_state=rng)
    places = []
    for q in (np.eye(size), turn):
        basis, centre = pca(codes @ q.T, means @ q.T, q @ covariances @ q.T)
        everyone = np.concatenate([codes, means]) @ q.T
        places.append(pdist(project(everyone, basis, centre)))
    np.testing.assert_allclose(*places, rtol=1e-6, atol=1e-8)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 12))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_signs_do_not_depend_on_the_order(seed, n):
    rng = np.random.default_rng(seed)
    means, covariances = _domains(rng)
    codes = rng.normal(size=(n, 5)) * [5, 3, 1, 1, 1]
    basis, centre = pca(codes, means, covariances)
    other, there = pca(codes[rng.permutation(n)], means[[2, 0, 1]], covariances[[2, 0, 1]])
    np.testing.assert_allclose(basis, other, atol=1e-8)
    np.testing.assert_allclose(centre, there, atol=1e-12)
    assert (basis[np.abs(basis).argmax(axis=0), [0, 1]] > 0).all()


@pytest.mark.parametrize("n", [0, 1, 5])
def test_constant_codes_lie_in_one_place(rng, n):
    means, covariances = _domains(rng)
    basis, centre = pca(np.ones((n, 5)), means, covariances)
    places = project(np.ones((n, 5)), basis, centre)
    assert np.isfinite(basis).all()
    assert n == 0 or np.ptp(places, axis=0).max() < 1e-12


def test_a_model_that_sees_no_difference_at_all_has_a_map():
    """One domain without any variance, and the slices on its mean."""
    basis, centre = pca(np.zeros((3, 4)), np.zeros((1, 4)), np.zeros((1, 4, 4)))
    assert np.isfinite(basis).all()
    np.testing.assert_array_equal(ellipse(np.zeros(4), np.zeros((4, 4)), basis, centre), 0)


def test_one_dimension_is_drawn_along_one_axis(rng):
    codes, means = rng.normal(size=(6, 1)), np.array([[0.0], [2.0]])
    basis, centre = pca(codes, means, np.ones((2, 1, 1)))
    places = project(codes, basis, centre)
    np.testing.assert_allclose(places, np.stack([codes[:, 0] - centre, np.zeros(6)], axis=1))


def test_slices_without_a_code_are_left_out(rng):
    means, covariances = _domains(rng)
    codes = rng.normal(size=(6, 5))
    holes = np.insert(codes, [2, 4], [[np.nan], [np.inf]], axis=0)
    whole = map_codes(_bank(means, covariances), codes, "style")
    broken = map_codes(_bank(means, covariances), holes, "style")
    known = np.isfinite(broken.xy).all(axis=1)
    assert known.tolist() == [True, True, False, True, True, False, True, True]
    np.testing.assert_allclose(broken.xy[known], whole.xy)
    np.testing.assert_allclose(broken.carried, whole.carried)


def test_a_map_has_every_domain_at_its_place(rng):
    means, covariances = _domains(rng)
    found = map_codes(_bank(means, covariances), rng.normal(size=(6, 5)), "style")
    assert list(found.outlines) == list(found.middles) == ["a", "b", "c"]
    for name, outline in found.outlines.items():
        np.testing.assert_allclose(outline[:-1].mean(axis=0), found.middles[name], atol=1e-9)
    assert found.carries


def test_noise_alone_carries_nothing(rng):
    """Every posterior is the prior: the bank has its variance, the means stay put."""
    means = np.full((3, 4), 0.3) + rng.normal(0, 0.01, (3, 4))
    codes = np.full((30, 4), 0.3) + rng.normal(0, 0.02, (30, 4))
    covariances = np.stack([np.eye(4)] * 3)
    assert (carried(codes, means, covariances) < SILENT).all()
    assert not map_codes(_bank(means, covariances), codes, "style").carries
    codes[:, 2] += rng.normal(0, 0.8, 30)  # one dimension awakes among the slices
    means[0, 3] += 1.5  # and one among the domains
    told = carried(codes, means, covariances) >= SILENT
    assert told.tolist() == [False, False, True, True]
    assert (carried(codes[:0], means, covariances) >= SILENT).tolist() == [False] * 3 + [True]


def test_what_never_varies_carries_only_where_a_slice_is_off():
    means, covariances = np.zeros((2, 2)), np.zeros((2, 2, 2))
    assert carried(np.array([[0.0, 1.0]]), means, covariances).tolist() == [0.0, 1.0]


def test_pooled_moments_are_those_of_all_draws(rng):
    means, covariances = _domains(rng)
    drawn = np.concatenate(
        [rng.multivariate_normal(m, c, 50_000) for m, c in zip(means, covariances, strict=True)]
    )
    middle, deviation = pooled(means, covariances)
    np.testing.assert_allclose(middle, drawn.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(deviation, drawn.std(axis=0), rtol=0.02)


def test_it_says_what_it_cannot_map(rng):
    means, covariances = _domains(rng)
    bank = _bank(means, covariances)
    assert moments(bank, "domain")[0].shape == (3, 1)
    with pytest.raises(ValueError, match="do not fit"):
        map_codes(bank, np.zeros((2, 4)), "style")
    without = bank.domains["a"].model_copy(update={"domain_mean": (), "domain_covariance": ()})
    with pytest.raises(ValueError, match="no domain code"):
        map_codes(StyleBank(domains={"a": without}), np.zeros((2, 0)), "domain")
