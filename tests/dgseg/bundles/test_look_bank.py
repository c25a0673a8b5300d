"""A look bank in a bundle is sound or refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dgseg.bundles.look_bank import MOST_FEATURES, LookBank

GOOD = {
    "level": 2,
    "domains": ["a", "b"],
    "mean": [0.1, 0.2],
    "covariance": [[1.0, 0.5], [0.5, 2.0]],
    "new_centre": [0.9, 1.2, 1.9],
}


def test_it_survives_json():
    bank = LookBank.model_validate(GOOD)
    assert LookBank.model_validate_json(bank.model_dump_json()) == bank
    assert LookBank.model_validate({k: v for k, v in GOOD.items() if k != "new_centre"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"level": -1}, "level"),
        ({"domains": []}, "domains"),
        ({"mean": [0.1]}, "1 x 1"),
        ({"mean": [0.1, float("nan")]}, "finite"),
        ({"mean": [0.0] * (MOST_FEATURES + 1)}, "mean"),
        ({"covariance": [[1.0, 0.5], [0.4, 2.0]]}, "symmetric"),
        ({"covariance": [[-1.0, 0.5], [0.5, 2.0]]}, "negative variance"),
        ({"new_centre": [1.0, 0.9]}, "must rise"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_is_no_bank_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        LookBank.model_validate(GOOD | changes)
