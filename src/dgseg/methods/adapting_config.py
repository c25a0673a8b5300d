"""What a person can choose about the methods that start from a bundle at a site."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from dgseg.augment.config import AugmentConfig
from dgseg.methods.config import Augment, OptimiserConfig

_Share = Annotated[float, Field(ge=0, le=1)]
_Factor = Annotated[float, Field(ge=0)]
_Decay = Annotated[float, Field(ge=0, lt=1)]

Trained = Literal["all", "norm"]
"""Which weights an adaptation changes."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class AdaptingConfig(OptimiserConfig):
    """What all methods share that start from a bundle.

    The learning rate is well below that from scratch: plain fine-tuning with larger
    steps has been seen to spoil a trained network.

    Attributes
    ----------
    ema_decay : float
        Of the running mean of the weights that goes into the bundle; 0 for
        the last weights themselves.
    anchor : float
        Pull towards the weights at the start, per step and relative to the
        learning rate: ``w -= learning_rate * anchor * (w - w_start)``.
        0 for none.
    trained : {'all', 'norm'}
        All weights, or only the scales and offsets of normalisation layers and
        what makes these from a code (AdaIN).
    seek_pose : bool
        Learn from each scan turned and enlarged to where the bundle is surest of it, and
        let the new model look for that pose of every scan that it segments. What is
        gained needs no correction, and is more where a centre's scans lie otherwise than
        those that were learnt from; the new model is several times as slow.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    ema_decay: _Decay = 0.99
    anchor: _Factor = 0.0
    trained: Trained = "all"
    seek_pose: bool = False


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PoseSearchConfig:
    """Nothing to choose: `AdaptingConfig.seek_pose` alone, of a bundle that learns nothing."""

    seek_pose: Literal[True] = True


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FineTuneConfig(AdaptingConfig):
    """The corrected slices alone, strongly augmented.

    Three slices at two centres of hearts: 3e-4 gained more than 1e-4, and from 5e-4 on
    some draws of slices did harm.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-4


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TeacherConfig(AdaptingConfig):
    """How a teacher is asked.

    Where a bundle knows a site badly, most of what its running mean says of one slice is
    what the bundle said before. Asked about several views of the slice, and sharpened,
    it says something better: see `dgseg.methods.ensembling`.

    Attributes
    ----------
    teacher_views : int
        Views of a slice that the teacher is asked about beside the slice as it is.
    teacher_augment : AugmentConfig or {'none', 'weak', 'strong'}
        Intensity changes of those views; its spatial part is not used.
    teacher_zoom : float
        They are enlarged or reduced by up to this factor.
    temperature : float
        The teacher's mean is sharpened where it is below 1.
    few_slices : int
        With so many labelled slices in all, or fewer, a bundle that is good on them is the
        teacher itself and not the running mean, and they weigh less. What one slice at
        the middle of a heart teaches is wrong at both ends, and two people may have thin
        hearts by chance.
    few_weight : float
        Factor of the supervised loss then.
    good_dice : float
        Mean Dice on these slices from which on the bundle counts as good.
    """

    seek_pose: bool = True
    teacher_views: Annotated[int, Field(ge=0, le=16)] = 3
    teacher_augment: Augment = Field(default_factory=lambda: AugmentConfig.preset("strong"))
    teacher_zoom: Annotated[float, Field(ge=1, le=4)] = 1.25
    temperature: Annotated[float, Field(gt=0, le=2)] = 0.5
    few_slices: Annotated[int, Field(ge=0)] = 2
    few_weight: _Factor = 0.3
    good_dice: _Share = 0.6


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MeanTeacherConfig(TeacherConfig):
    """A student that also learns from its own running mean.

    Attributes
    ----------
    ema_decay : float
        Of the teacher's weights; lower at the start, see `dgseg.methods.ema`.
    late_ema_decay : float
        The same after `ema_switch`.
    ema_switch : float
        Share of the steps after which the teacher remembers longer. 1 for
        never: an adaptation of some hundred steps ends before a decay of 0.999
        has taken in what was learnt.
    consistency : {'mse', 'ce', 'dice', 'tversky', 'labels'}
        Between student and teacher on unlabelled slices.
    consistency_weight : float
        Its factor at the end of the ramp.
    ramp : float
        Share of the steps until consistency has its full weight.
    confidence : float
        Only pixels are compared where the teacher's largest probability is at
        least this; 0 for all.
    labelled_views : int
        Differently augmented copies of each labelled slice in a step: a
        handful of corrections weighs more, and is learnt by heart later.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-4
    late_ema_decay: _Decay = 0.999
    ema_switch: _Share = 1.0
    consistency: Literal["mse", "ce", "dice", "tversky", "labels"] = "ce"
    consistency_weight: _Factor = 3.0
    ramp: _Share = 0.0
    confidence: _Share = 0.8
    labelled_views: Annotated[int, Field(ge=1, le=16)] = 1


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TwoTeachersConfig(MeanTeacherConfig):
    """Two students of one configuration, of whom the second always is as with few slices.

    Attributes
    ----------
    few_slices : int
        With so many labelled slices in all, or fewer, the second student is the only one,
        if the bundle is good on them.
    good_dice : float
        Mean Dice of the bundle on the labelled slices below which the first is the only one.
    """

    few_slices: Annotated[int, Field(ge=0)] = 1
    good_dice: _Share = 0.65


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TentConfig(AdaptingConfig):
    """Surer answers at slices that nobody has labelled.

    The learning rate is Tent's for Adam (Wang et al., ICLR 2021), which has no
    augmentation either.

    Attributes
    ----------
    margin : float
        Only pixels count whose entropy is below this share of the largest
        possible one; 1 for all.
    sharpness : float
        Distance to the point of the steepest rise at which the gradient is
        taken; 0 for that at the weights themselves.
    recovery : float
        All weights go back to those at the start when the running mean of the
        entropy falls below this share of what it was at first; 0 for never.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    augment: Augment = Field(default_factory=lambda: AugmentConfig.preset("none"))
    trained: Trained = "norm"
    margin: Annotated[float, Field(gt=0, le=1)] = 1.0
    sharpness: _Factor = 0.0
    recovery: Annotated[float, Field(ge=0, lt=1)] = 0.0
