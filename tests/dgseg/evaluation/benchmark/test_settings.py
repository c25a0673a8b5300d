"""What the folder of a cell keeps of a training's settings."""

from __future__ import annotations

from dataclasses import asdict

from dgseg.evaluation.benchmark.settings import through_json, training_settings
from dgseg.methods.dgnet_config import PLUS_CPU
from dgseg.training.config import TrainConfig


def test_the_settings_of_a_preset_are_spelt_out():
    plain = training_settings(TrainConfig(method="dgnet-plus"), 4, 3)
    assert plain["preset"] == asdict(PLUS_CPU)
    assert "threads" not in plain["config"]


def test_an_option_makes_another_training():
    plain = training_settings(TrainConfig(method="dgnet-plus"), 4, 3)
    free = training_settings(TrainConfig(method="dgnet-plus", options={"kl_free": 0.25}), 4, 3)
    assert through_json(plain) != through_json(free)
