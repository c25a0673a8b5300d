"""Settings of the methods that start from a bundle."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from pydantic import TypeAdapter, ValidationError

from dgseg.augment.config import AugmentConfig
from dgseg.methods.adapting_config import (
    AdaptingConfig,
    FineTuneConfig,
    MeanTeacherConfig,
    TentConfig,
)
from dgseg.methods.config import DeepAllConfig
from dgseg.methods.registry import get, names, resolve

KINDS = [AdaptingConfig, FineTuneConfig, MeanTeacherConfig, TentConfig]


@pytest.mark.parametrize("kind", KINDS)
def test_survives_json_and_has_a_schema(kind):
    adapter = TypeAdapter(kind)
    config = kind(augment="weak", learning_rate=2e-4, anchor=3.0, trained="norm")
    assert adapter.validate_json(adapter.dump_json(config)) == config
    assert {"anchor", "trained", "ema_decay"} <= set(adapter.json_schema()["properties"])


@pytest.mark.parametrize("kind", KINDS)
def test_adaptation_is_gentle_by_default(kind):
    config = kind()
    assert config.learning_rate < DeepAllConfig().learning_rate
    assert config.ema_decay == 0.99
    assert config.anchor == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"anchor": -1},
        {"trained": "head"},
        {"ema_decay": 1},
        {"late_ema_decay": 1},
        {"ema_switch": 1.5},
        {"consistency": "kl"},
        {"margin": 0.5},
    ],
)
def test_what_makes_no_sense_is_refused(bad):
    with pytest.raises(ValidationError):
        MeanTeacherConfig(**bad)


def test_entropy_is_minimised_as_published():
    config = TentConfig()
    assert (config.trained, config.learning_rate) == ("norm", 1e-3)
    assert config.augment == AugmentConfig.preset("none")
    sar = resolve("tent-sar")[1]
    assert (sar.margin, sar.sharpness, sar.recovery) == (0.4, 0.05, 0.2)
    assert resolve("tent-sar", "gpu")[1] == sar


def test_the_papers_mean_teacher():
    """Perone et al.: epochs 50 and 100 of 350, 20 times the squared error."""
    paper = asdict(resolve("mean-teacher-paper")[1])
    assert paper["ema_switch"] == paper["warm_up"] == pytest.approx(50 / 350)
    assert paper["ramp"] == pytest.approx(100 / 350)
    assert (paper["ema_decay"], paper["late_ema_decay"]) == (0.99, 0.999)
    assert (paper["consistency"], paper["consistency_weight"]) == ("mse", 20)
    assert (paper["learning_rate"], paper["weight_decay"]) == (6e-4, 6e-4)


def test_methods_say_what_they_need():
    kinds = {name: get(name) for name in names()}
    adapting = {name for name, kind in kinds.items() if kind.adapts}
    assert {"finetune", "mean-teacher", "tent"} <= adapting
    assert not adapting & {"deepall", "dgnet", "lddg", "mldg", "sdnet"}
    learning = [kinds[name] for name in adapting if kinds[name].learns]
    assert all(issubclass(kind.Config, AdaptingConfig) for kind in learning)
    label_free = {name for name in adapting if not kinds[name].needs_labels}
    assert label_free == {"mean-teacher", "meta-disentangle", "pose-search", "tent"}
