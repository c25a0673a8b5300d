"""Settings of the methods for comparison."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from dgseg.methods.baseline_config import (
    LDDG_PRESETS,
    SDNET_PRESETS,
    LDDGConfig,
    MLDGConfig,
    SDNetConfig,
)


@pytest.mark.parametrize("kind", [LDDGConfig, MLDGConfig, SDNetConfig])
def test_survives_json_and_has_a_schema(kind):
    adapter = TypeAdapter(kind)
    config = kind(augment="weak", learning_rate=2e-4)
    assert adapter.validate_json(adapter.dump_json(config)) == config
    assert "learning_rate" in adapter.json_schema()["properties"]


def test_published_weights_in_both_sizes():
    for config in SDNET_PRESETS["paper"].values():
        assert config.adversarial_weight == config.task_weight == 10
        assert config.reconstruction_weight == config.latent_weight == 1
        assert config.kl_weight == 0.01
        assert (config.style_dims, config.domain_dims, config.anatomy) == (8, 0, "binary")
    for config in LDDG_PRESETS["paper"].values():
        assert (config.latent_channels, config.kl_weight, config.rank_weight) == (8, 0.01, 1e-3)
    assert SDNET_PRESETS["paper"]["gpu"].learning_rate == 1e-4
    assert LDDG_PRESETS["paper"]["gpu"].learning_rate == 1e-4


@pytest.mark.parametrize("weight", ["hsic_weight", "classification_weight"])
def test_a_term_of_a_code_that_is_not_there_is_refused(weight):
    with pytest.raises(ValidationError, match="need a domain code"):
        SDNetConfig(**{weight: 0.1})
    assert SDNetConfig(domain_dims=4, **{weight: 0.1})
