"""Codes that carry nothing, and the numbers that are made of them."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.factors.silence import remark, silent_codes


@pytest.fixture
def bank():
    """Two domains with the prior's variance; their domain codes lie apart, their styles not."""
    one = ((1.0, 0.0), (0.0, 1.0))
    return StyleBank(
        domains={
            name: DomainStyle(
                n_slices=9,
                style_mean=(0.0, 0.0),
                style_covariance=one,
                domain_mean=(at, 0.0),
                domain_covariance=one,
            )
            for name, at in (("alder", -1.0), ("birch", 1.0))
        }
    )


def test_a_code_whose_posterior_is_the_prior_is_silent(bank, rng):
    noise = rng.normal(size=(30, 2)) * 0.01
    assert silent_codes({"style": noise, "domain": noise}, bank) == ("style",)
    assert silent_codes({"style": noise, "domain": noise}, None) == ("style", "domain")


def test_a_code_that_differs_from_slice_to_slice_is_not(bank, rng):
    telling = rng.normal(size=(30, 2))
    assert silent_codes({"style": telling}, bank) == ()
    assert silent_codes({"style": telling}, None) == ()


def test_a_code_that_a_model_does_not_have_is_not_silent(bank):
    assert silent_codes({"domain": np.zeros((5, 0))}, bank) == ()


@pytest.mark.parametrize(
    ("measure", "silent", "words"),
    [
        ("style", ("style",), "The style s carries nothing: this figure is noise."),
        ("style", ("domain",), ""),
        ("both", ("style",), "of the domain code d alone."),
        ("both", ("domain",), "of the style s alone."),
        ("both", ("style", "domain"), "Neither code"),
        ("hsic", ("domain",), "The domain code d carries nothing: this figure is noise."),
        ("hsic", ("style", "domain"), "Neither code"),
        ("domain_accuracy", ("domain",), "by chance alone"),
        ("domain_accuracy", ("style",), ""),
        ("reconstruction", ("style", "domain"), ""),
    ],
)
def test_what_is_said_beside_a_number(measure, silent, words):
    said = remark(measure, silent)
    assert bool(said) == bool(words)
    assert words in said
