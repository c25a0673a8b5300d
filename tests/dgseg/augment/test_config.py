"""Ranges of augmentation."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from dgseg.augment.config import AugmentConfig


@pytest.mark.parametrize("name", ["none", "weak", "strong"])
def test_presets_survive_json(name):
    adapter = TypeAdapter(AugmentConfig)
    preset = AugmentConfig.preset(name)
    assert adapter.validate_json(adapter.dump_json(preset)) == preset


def test_presets_never_flip():
    assert all(
        AugmentConfig.preset(n).flip_probability == 0 for n in ("none", "weak", "strong")
    )


def test_unknown_preset():
    with pytest.raises(ValueError, match="none, weak, strong"):
        AugmentConfig.preset("wild")


@pytest.mark.parametrize(
    "wrong",
    [
        {"gamma_probability": 1.5},
        {"rotation_deg": -1},
        {"low_resolution": 0.5},
        {"elastic_grid_px": 0},
        {"rotation": 3},
    ],
)
def test_out_of_range_is_refused(wrong):
    with pytest.raises(ValidationError):
        AugmentConfig(**wrong)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        AugmentConfig().gamma = 1.0


def test_no_torch():
    code = "import dgseg.augment.config, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
