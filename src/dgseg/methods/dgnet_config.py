"""What a person can choose about the disentangling methods, and presets."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from dgseg.methods.config import OptimiserConfig

_Factor = Annotated[float, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Dims = Annotated[int, Field(ge=1, le=256)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DisentanglingConfig(OptimiserConfig):
    """The network and the loss terms of methods that take slices apart.

    Attributes
    ----------
    ema_decay : float
        Of the running mean of the weights, which is the teacher and goes into
        the bundle.
    anatomy_channels, anatomy, task, style_dims, domain_dims, encoders
        See `dgseg.nets.config.DisentangledConfig`.
    task_weight : float
        Of the supervised loss, in which `dice_weight` and `ce_weight` apply.
    background_dice : bool
        Whether the background counts as a class of the Dice loss.
    reconstruction_weight, kl_weight, latent_weight : float
        Of the mean absolute error of the reconstruction; of the distance of
        both codes from a standard normal distribution; of the error of codes
        found in the reconstruction.
    kl_free : float
        Nats that each of both codes may carry at no cost; see
        `dgseg.losses.disentanglement.kl_to_normal`.
    hsic_weight, classification_weight, rank_weight : float
        Of the dependence of style and domain code; of the domain's
        classification; of the singular value that anatomy should not have.
    hsic, hsic_bandwidth
        See `dgseg.losses.dependence.hsic`; a bandwidth of 0 is the median's.
    classification : {'logits', 'squashed'}
        Cross-entropy; or, as published, softmax and then binary cross-entropy
        with its own sigmoid.
    consistency_weight : float
        Of agreement with the teacher on unlabelled slices, after its ramp.
    consistency : {'mse', 'ce', 'dice', 'labels'}
    confidence : float
        Only pixels count where the teacher's largest probability is at least this.
    ramp : float
        Share of the steps until agreement has its full weight.
    """

    ema_decay: Annotated[float, Field(gt=0, lt=1)] = 0.99
    anatomy_channels: Annotated[int, Field(ge=2, le=256)] = 8
    anatomy: Literal["none", "sigmoid", "softmax", "binary"] = "none"
    task: Literal["network", "first-channels"] = "network"
    style_dims: _Dims = 8
    domain_dims: _Dims = 8
    encoders: Literal["separate", "shared"] = "separate"
    task_weight: _Factor = 5.0
    background_dice: bool = True
    reconstruction_weight: _Factor = 1.0
    kl_weight: _Factor = 0.1
    kl_free: _Factor = 0.0
    latent_weight: _Factor = 0.0
    hsic_weight: _Factor = 0.1
    hsic: Literal["biased", "unbiased", "normalised", "published"] = "biased"
    hsic_bandwidth: _Factor = 0.0
    classification_weight: _Factor = 1.0
    classification: Literal["logits", "squashed"] = "logits"
    rank_weight: _Factor = 0.1
    consistency_weight: _Factor = 0.0
    consistency: Literal["mse", "ce", "dice", "labels"] = "ce"
    confidence: _Share = 0.0
    ramp: _Share = 0.25


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MetaConfig:
    """The step of meta-learning; see `dgseg.methods.meta`.

    Attributes
    ----------
    step_size : float
        Of the inner step.
    order : {1, 2}
        2 for the exact gradient.
    first_order_share : float
        Share of the steps, at the start, that are of first order whatever
        `order`: there the exact gradient is far larger and points elsewhere.
    second_order_every : int
        Of the others every so many is of second order.
    test_domains : int
        Meta-test domains of a step.
    """

    step_size: _Factor = 1e-3
    order: Literal[1, 2] = 2
    first_order_share: _Share = 0.0
    second_order_every: Annotated[int, Field(ge=1)] = 1
    test_domains: Annotated[int, Field(ge=1)] = 1


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DGNetConfig(MetaConfig, DisentanglingConfig):
    """DGNet: disentanglement by meta-learning.

    Attributes
    ----------
    adapted : {'all', 'published'}
        Which parameters take the inner step: all; or, as in the published
        code, the encoders, the decoder and the last layer of the feature
        network alone.
    steps_apart : bool
        Whether unlabelled and labelled slices are learnt from in two steps of
        the optimiser, one after the other, as in the published code; else in one.
    clip_value : float
        Largest entry of a gradient; 0 for no limit.
    """

    adapted: Literal["all", "published"] = "all"
    steps_apart: bool = False
    clip_value: _Factor = 0.0


PAPER_CPU = DGNetConfig(ce_weight=0.0)
"""Equations 1 to 5 of Liu et al., MICCAI 2021, with their weights; where the paper is
silent: HSIC 0.1, inner step 0.001, one optimiser step for both kinds of slices. The
learning rate is not the paper's (2e-5 for 50 000 steps), but what a few thousand need."""

PAPER_GPU = DGNetConfig(ce_weight=0.0, learning_rate=2e-5, warm_up=0.0, final_rate=1.0)
"""The same with the paper's own learning rate, for its 50 000 steps."""

OFFICIAL_CPU = DGNetConfig(
    ce_weight=1.0,
    task="first-channels",
    encoders="shared",
    latent_weight=0.1,
    hsic="published",
    hsic_bandwidth=5.0,
    classification="squashed",
    adapted="published",
    steps_apart=True,
    clip_value=0.1,
    clip_norm=0.0,
)
"""The choices of the published code, vios-s/DGNet, in our networks: classes are the first
channels of the anatomy, few parameters take the inner step, 5 x (Dice + CE), two steps."""

OFFICIAL_GPU = DGNetConfig(
    ce_weight=1.0,
    task="first-channels",
    encoders="shared",
    latent_weight=0.1,
    hsic="published",
    hsic_bandwidth=5.0,
    classification="squashed",
    adapted="published",
    steps_apart=True,
    clip_value=0.1,
    clip_norm=0.0,
    learning_rate=4e-5,
    warm_up=0.0,
    final_rate=1.0,
)
"""The same with the published learning rate."""

PLUS_CPU = DGNetConfig(
    ce_weight=1.0, hsic="unbiased", order=1, consistency_weight=5.0, confidence=0.8, ramp=0.4
)
"""All of the paper's terms, cross-entropy beside Dice, and a running mean of the weights as
teacher on unlabelled slices. Of first order: a third of the time of the exact gradient."""

PLUS_GPU = DGNetConfig(
    ce_weight=1.0,
    hsic="unbiased",
    order=1,
    consistency_weight=5.0,
    confidence=0.8,
    ramp=0.4,
    learning_rate=5e-4,
)
"""The same with smaller steps for longer trainings."""

DGNET_PRESETS = MappingProxyType(
    {
        "paper": {"cpu": PAPER_CPU, "gpu": PAPER_GPU},
        "official": {"cpu": OFFICIAL_CPU, "gpu": OFFICIAL_GPU},
        "plus": {"cpu": PLUS_CPU, "gpu": PLUS_GPU},
    }
)
"""By name and size."""
