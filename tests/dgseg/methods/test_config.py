"""Settings of the methods."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from dgseg.augment.config import AugmentConfig
from dgseg.methods.config import DeepAllConfig, OptimiserConfig


@pytest.mark.parametrize("kind", [OptimiserConfig, DeepAllConfig])
def test_survives_json_and_has_a_schema(kind):
    adapter = TypeAdapter(kind)
    config = kind(augment="weak", learning_rate=2e-4)
    assert adapter.validate_json(adapter.dump_json(config)) == config
    assert "learning_rate" in adapter.json_schema()["properties"]


def test_augmentation_by_name_or_by_ranges():
    assert DeepAllConfig(augment="none").augment == AugmentConfig.preset("none")
    assert DeepAllConfig(augment={"gamma": 0.2}).augment == AugmentConfig(gamma=0.2)
    assert DeepAllConfig().augment == AugmentConfig.preset("strong")
