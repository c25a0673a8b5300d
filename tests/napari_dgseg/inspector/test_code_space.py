"""Codes in deviations of what a model has seen, for one model and for another beside it."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.bundles.style_bank import DomainStyle, StyleBank
from napari_dgseg.inspector.code_space import code_space


def _bank(scale=1.0, shift=0.0, dims=2, domain=1):
    return StyleBank(
        domains={
            name: DomainStyle(
                n_slices=9,
                style_mean=(shift,) * dims,
                style_covariance=tuple(
                    tuple(row) for row in (scale**2 * np.eye(dims)).tolist()
                ),
                domain_mean=(shift,) * domain,
                domain_covariance=tuple(
                    tuple(row) for row in (scale**2 * np.eye(domain)).tolist()
                ),
            )
            for name in ("alder", "birch")
        }
    )


@pytest.fixture
def space():
    return code_space((0.5, -1.0), (2.0,), _bank())


def test_deviations_there_and_back(space):
    assert space.deviations(space.own, "style", 1) == pytest.approx(-1)
    other = code_space((3.0, 0.0), (0.0,), _bank(scale=2, shift=1))
    assert other.deviations(other.own, "style", 0) == pytest.approx(1)
    assert other.value("style", 0, 1.0) == pytest.approx(3)


def test_another_model_follows_in_its_own_deviations(space):
    """Only what was moved; elsewhere each model keeps what it has found itself."""
    other = code_space((7.0, 8.0), (9.0,), _bank(scale=3, shift=1))
    values = space.copy_of_own()
    assert not space.is_moved(values)
    values["style"][1] = 2.0
    assert space.is_moved(values)
    followed = other.follow(space, values)
    np.testing.assert_allclose(followed["style"], [7.0, 1 + 2 * 3])
    np.testing.assert_allclose(followed["domain"], [9.0])
    np.testing.assert_allclose(other.own["style"], [7.0, 8.0])


@pytest.mark.parametrize(("style", "domain"), [((1.0,), (1.0,)), ((1.0, 2.0), ())])
def test_codes_of_other_sizes_are_not_alike(space, style, domain):
    other = code_space(style, domain, _bank(dims=len(style), domain=len(domain)))
    assert not other.is_like(space)
    assert space.is_like(space)


def test_a_dimension_without_extent_can_still_be_moved():
    flat = code_space((1.0, 0.0), (0.0,), _bank(scale=0))
    assert flat.value("style", 0, 2.0) == pytest.approx(2)
