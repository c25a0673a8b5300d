"""The settings of the methods; read without torch, so that forms can show them."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from dgseg.augment.config import Strength

Rate = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DeepAllConfig:
    """Supervised training on all domains together.

    Attributes
    ----------
    learning_rate : float
        Of AdamW, at its highest.
    weight_decay : float
    warm_up : float
        Share of the steps in which the learning rate rises.
    clip_norm : float
        Largest norm of the gradient.
    average : float
        Decay of the moving average of the weights, which is what is deployed.
    augment : {'none', 'weak', 'strong'}
        Preset of the augmentation.
    """

    learning_rate: Rate = 1e-3
    weight_decay: Weight = 1e-4
    warm_up: Share = 0.05
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    average: Share = 0.99
    augment: Strength = "strong"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MeanTeacherConfig:
    """Corrections, and agreement with a slow teacher on what nobody corrected.

    Attributes
    ----------
    learning_rate : float
        Of AdamW, at its highest. Ten times less than from scratch: fine-tuning a
        trained network on a few slices with large steps makes it worse.
    weight_decay : float
    warm_up : float
        Share of the steps in which the learning rate rises.
    clip_norm : float
        Largest norm of the gradient.
    decay : float
        Of the teacher's moving average.
    consistency : float
        Weight of the agreement once it has risen.
    ramp_up : float
        Share of the steps in which that weight rises.
    confidence : float
        Pixels count for the agreement where the teacher is at least this sure.
    anchor : float
        Weight of the squared distance to the weights of the bundle.
    augment : {'none', 'weak', 'strong'}
        Preset of what the student sees; the teacher sees the slice as it is.
    """

    learning_rate: Rate = 1e-4
    weight_decay: Weight = 0.0
    warm_up: Share = 0.1
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    decay: Share = 0.99
    consistency: Weight = 10.0
    ramp_up: Share = 0.3
    confidence: Share = 0.0
    anchor: Weight = 0.0
    augment: Strength = "strong"
