"""What a person can choose about each method."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from dgseg.augment.config import AugmentConfig


def _preset_or_config(value: object) -> object:
    return AugmentConfig.preset(value) if isinstance(value, str) else value  # type: ignore[arg-type]


Augment = Annotated[AugmentConfig, BeforeValidator(_preset_or_config)]
"""Ranges, or the name of a preset."""

_Share = Annotated[float, Field(ge=0, le=1)]
_Factor = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OptimiserConfig:
    """What all methods with one network and one optimiser share.

    Attributes
    ----------
    learning_rate : float
        Its peak.
    weight_decay : float
        AdamW's, on convolution kernels only.
    warm_up : float
        Share of the steps in which the learning rate rises in a straight line.
    final_rate : float
        Learning rate at the last step, as a share of its peak; it falls to
        there along half a cosine.
    clip_norm : float
        Largest norm of a step's gradient; 0 for no limit.
    augment : AugmentConfig or {'none', 'weak', 'strong'}
        Of the slices that are learnt from.
    dice_weight, ce_weight : float
        Factors of the two terms of the supervised loss.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    weight_decay: _Factor = 1e-4
    warm_up: _Share = 0.05
    final_rate: _Share = 0.01
    clip_norm: _Factor = 1.0
    augment: Augment = Field(default_factory=lambda: AugmentConfig.preset("strong"))
    dice_weight: _Factor = 1.0
    ce_weight: _Factor = 1.0


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DeepAllConfig(OptimiserConfig):
    """All domains pooled, with strong augmentation.

    Attributes
    ----------
    ema_decay : float
        Of the running mean of the weights that goes into the bundle; 0 for
        the last weights themselves.
    """

    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
