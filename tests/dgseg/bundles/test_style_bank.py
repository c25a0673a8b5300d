"""A style bank in a bundle is sound or refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from dgseg.bundles.style_bank import DomainStyle, StyleBank

GOOD = {
    "n_slices": 3,
    "style_mean": [0.1, 0.2],
    "style_covariance": [[1.0, 0.5], [0.5, 2.0]],
    "domain_mean": [0.0],
    "domain_covariance": [[0.0]],
}


def test_it_survives_json():
    bank = StyleBank(domains={"a": GOOD, "b": GOOD})
    assert StyleBank.model_validate_json(bank.model_dump_json()) == bank
    assert bank.domains["a"].style_covariance[1] == (0.5, 2.0)


def test_a_model_may_have_no_domain_code():
    bank = StyleBank(domains={"a": GOOD | {"domain_mean": [], "domain_covariance": []}})
    assert StyleBank.model_validate_json(bank.model_dump_json()) == bank
    with pytest.raises(ValidationError, match="0 x 0"):
        DomainStyle.model_validate(GOOD | {"domain_mean": []})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_slices": 0}, "n_slices"),
        ({"style_mean": []}, "style_mean"),
        ({"style_mean": [0.1, float("nan")]}, "finite"),
        ({"style_covariance": [[1.0, float("inf")], [float("inf"), 1.0]]}, "finite"),
        ({"style_covariance": [[1.0, 0.5]]}, "2 x 2"),
        ({"style_covariance": [[1.0, 0.5, 0], [0.5, 2.0, 0]]}, "2 x 2"),
        ({"style_covariance": [[1.0, 0.5], [0.4, 2.0]]}, "symmetric"),
        ({"domain_covariance": [[-1.0]]}, "negative variance"),
        ({"distance_quantiles": [1.0]}, "must rise"),
        ({"distance_quantiles": [1.0, 0.5]}, "must rise"),
        ({"distance_quantiles": [-1.0, 0.5]}, "greater than or equal"),
        ({"distance_quantiles": [0.0, float("inf")]}, "finite"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_no_distribution_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        DomainStyle.model_validate(GOOD | changes)


def test_all_domains_have_the_same_dimensions():
    other = GOOD | {"domain_mean": [0.0, 0.0], "domain_covariance": [[1.0, 0.0], [0.0, 1.0]]}
    with pytest.raises(ValidationError, match="same dimensions"):
        StyleBank(domains={"a": GOOD, "b": other})
    with pytest.raises(ValidationError, match="domains"):
        StyleBank(domains={})


def test_an_older_bank_has_no_quantiles():
    assert DomainStyle.model_validate(GOOD).distance_quantiles == ()
    measured = DomainStyle.model_validate(GOOD | {"distance_quantiles": [0.1, 0.4, 0.4]})
    assert measured.distance_quantiles == (0.1, 0.4, 0.4)


def test_no_torch():
    code = "import dgseg.bundles.style_bank, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
