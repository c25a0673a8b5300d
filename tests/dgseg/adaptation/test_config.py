from __future__ import annotations

import dataclasses

import pytest
from pydantic import TypeAdapter, ValidationError

from dgseg.adaptation.config import AdaptConfig


def test_it_is_a_dataclass_that_json_can_hold():
    config = AdaptConfig(minutes=1, options={"ema": 0.9})
    adapter = TypeAdapter(AdaptConfig)
    assert dataclasses.is_dataclass(config)
    assert adapter.validate_json(adapter.dump_json(config)) == config


def test_the_learning_rate_is_the_methods_own_unless_given():
    adapter = TypeAdapter(AdaptConfig)
    assert AdaptConfig().learning_rate is None
    assert adapter.validate_json(adapter.dump_json(AdaptConfig())) == AdaptConfig()
    assert AdaptConfig(learning_rate=1e-3).learning_rate == 1e-3


@pytest.mark.parametrize(
    "bad",
    [
        {"minutes": 0},
        {"steps": 0},
        {"batch_labelled": 0},
        {"patch_px": 8},
        {"learning_rate": 0},
        {"precision": "fp8"},
        {"threads": 0},
        {"colour": "red"},
    ],
)
def test_what_makes_no_sense_is_refused(bad):
    with pytest.raises(ValidationError):
        AdaptConfig(**bad)
