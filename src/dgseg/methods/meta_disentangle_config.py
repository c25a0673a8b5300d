"""What a person can choose about adapting a disentangled model by meta-learning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from dgseg.methods.adapting_config import TeacherConfig
from dgseg.methods.dgnet_config import DGNetConfig

_Factor = Annotated[float, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MetaDisentangleConfig(DGNetConfig, TeacherConfig):
    """DGNet's steps at one site, beside domains that are imagined.

    Attributes
    ----------
    imagined : int
        Source domains whose look the site's slices are given in a step; 0 for none.
    painting : {'decoded', 'change'}
        What a slice with another look is: what the decoder paints; or the slice
        itself plus the difference between the decoder's two paintings, with the
        other codes and with its own, which keeps what no painting shows.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-4
    ema_decay: Annotated[float, Field(gt=0, lt=1)] = 0.99
    ce_weight: _Factor = 1.0
    hsic: Literal["biased", "unbiased", "normalised", "published"] = "unbiased"
    order: Literal[1, 2] = 1
    consistency_weight: _Factor = 15.0
    confidence: _Share = 0.8
    ramp: _Share = 0.0
    imagined: Annotated[int, Field(ge=0)] = 1
    painting: Literal["decoded", "change"] = "change"
