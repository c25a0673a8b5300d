"""What a person can choose about the methods that others are compared with."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from dgseg.methods.config import DeepAllConfig
from dgseg.methods.dgnet_config import DisentanglingConfig, MetaConfig

_Factor = Annotated[float, Field(ge=0)]
_Width = Annotated[int, Field(ge=1, le=256)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MLDGConfig(MetaConfig, DeepAllConfig):
    """Meta-learning of a plain network: both losses are the supervised one."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class LDDGConfig(DeepAllConfig):
    """Features that are near to a normal distribution, and of a low rank.

    Attributes
    ----------
    latent_channels : int
        Features of a pixel; more where there are as many classes.
    kl_weight : float
        Of the distance of the features from a standard normal distribution, a
        mean over pixels and features.
    rank_weight : float
        Of the singular value that the features should not have.
    """

    latent_channels: Annotated[int, Field(ge=2, le=256)] = 8
    kl_weight: _Factor = 0.01
    rank_weight: _Factor = 0.001


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SDNetConfig(DisentanglingConfig):
    """Disentanglement with one code, and a judge of masks.

    Attributes
    ----------
    domain_dims : int
        0, as published, for no domain code.
    latent_weight : float
        Of the error of codes, drawn from the standard normal distribution, that
        are found in what was painted with them.
    adversarial_weight : float
        Of the judge's opinion on the masks of unlabelled slices.
    judge_width : int
        Channels after the judge's first convolution.
    judge_learning_rate : float
        Its peak; it rises and falls as that of the network.
    """

    anatomy: Literal["none", "sigmoid", "softmax", "binary"] = "binary"
    domain_dims: Annotated[int, Field(ge=0, le=256)] = 0
    task_weight: _Factor = 10.0
    ce_weight: _Factor = 0.0
    kl_weight: _Factor = 0.01
    latent_weight: _Factor = 1.0
    hsic_weight: _Factor = 0.0
    classification_weight: _Factor = 0.0
    rank_weight: _Factor = 0.0
    adversarial_weight: _Factor = 10.0
    judge_width: _Width = 16
    judge_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4

    @model_validator(mode="after")
    def _no_term_without_its_code(self) -> Self:
        if not self.domain_dims and (self.hsic_weight or self.classification_weight):
            raise ValueError("hsic_weight and classification_weight need a domain code")
        return self


LDDG_GPU = LDDGConfig(learning_rate=1e-4, weight_decay=1e-8, warm_up=0.0)
"""Li et al., NeurIPS 2020, with the published code's learning rate, which falls to a
hundredth as there, but along a cosine; the defaults, for the CPU, have its weights."""

LDDG_PRESETS = MappingProxyType({"paper": {"cpu": LDDGConfig(), "gpu": LDDG_GPU}})
"""By name and size."""

SDNET_GPU = SDNetConfig(learning_rate=1e-4, warm_up=0.0, final_rate=1.0, judge_width=64)
"""Chartsias et al., Medical Image Analysis 2019, with the learning rate and the judge of
the published code; the defaults, for the CPU, have its weights. The supervised loss is
Dice alone, as there, but with the background: without, few labels tend to spread over it."""

SDNET_PLUS_CPU = SDNetConfig(anatomy="none", ce_weight=1.0)
"""Anatomy that is not rounded, and cross-entropy beside Dice, as DGNet has them here: as
published, it finds nothing but background within a few thousand steps from scratch."""

SDNET_PLUS_GPU = SDNetConfig(
    anatomy="none",
    ce_weight=1.0,
    learning_rate=1e-4,
    warm_up=0.0,
    final_rate=1.0,
    judge_width=64,
)
"""The same with the published learning rate and judge."""

SDNET_PRESETS = MappingProxyType(
    {
        "paper": {"cpu": SDNetConfig(), "gpu": SDNET_GPU},
        "plus": {"cpu": SDNET_PLUS_CPU, "gpu": SDNET_PLUS_GPU},
    }
)
"""By name and size."""
