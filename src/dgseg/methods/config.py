"""What a person can choose about each method."""

from __future__ import annotations

from typing import Annotated, Literal

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


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MeanTeacherConfig(OptimiserConfig):
    """A student that also learns from its own running mean.

    The learning rate is well below that from scratch: plain fine-tuning with larger
    steps has been seen to spoil a trained network. At the synthetic new centre 3e-4 to
    1e-3 gained most; the lower end is the default, for centres that differ less.

    Attributes
    ----------
    ema_decay : float
        Of the teacher's weights; lower at the start, see `dgseg.methods.ema`.
    consistency : {'mse', 'ce', 'dice', 'labels'}
        Between student and teacher on unlabelled slices.
    consistency_weight : float
        Its factor at the end of the ramp.
    ramp : float
        Share of the steps until consistency has its full weight.
    confidence : float
        Only pixels are compared where the teacher's largest probability is at
        least this; 0 for all.
    teacher_augment : AugmentConfig or {'none', 'weak', 'strong'}
        Intensity changes of what the teacher sees; its spatial part is not used.
    labelled_views : int
        Differently augmented copies of each labelled slice in a step: a
        handful of corrections weighs more, and is learnt by heart later.
    anchor : float
        Pull towards the weights at the start, per step and relative to the
        learning rate: ``w -= learning_rate * anchor * (w - w_start)``.
        0 for none.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-4
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    consistency: Literal["mse", "ce", "dice", "labels"] = "mse"
    consistency_weight: _Factor = 20.0
    ramp: _Share = 0.25
    confidence: _Share = 0.0
    teacher_augment: Augment = Field(default_factory=lambda: AugmentConfig.preset("none"))
    labelled_views: Annotated[int, Field(ge=1, le=16)] = 1
    anchor: _Factor = 0.0
