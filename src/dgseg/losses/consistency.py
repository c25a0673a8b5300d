"""Agreement of a student with its teacher, where nobody drew anything."""

from __future__ import annotations

import math
from typing import Literal

from monai.losses import DiceLoss, TverskyLoss
from torch import Tensor

from dgseg.losses.supervised import dice_ce

ConsistencyKind = Literal["mse", "ce", "dice", "tversky", "labels"]

_OVERLAPS = {
    "dice": DiceLoss(batch=True),
    "tversky": TverskyLoss(alpha=0.3, beta=0.7, batch=True),
}


def consistency(
    logits: Tensor,
    target: Tensor,
    valid: Tensor | None = None,
    kind: ConsistencyKind = "mse",
) -> Tensor:
    """How far a student is from a teacher's probabilities.

    Perone et al., NeuroImage 2019, compared the first four: the squared error was
    the stable one. Labels are those of Lee, ICML Workshop 2013.

    Parameters
    ----------
    logits : Tensor, shape (N, C, H, W)
        The student's; computed in float32 whatever their type.
    target : Tensor, shape (N, C, H, W)
        The teacher's probabilities. No gradient flows into them.
    valid : Tensor of bool, shape (N, H, W), optional
        Pixels to compare; all if not given. The loss is their mean, and zero
        where there are none.
    kind : {'mse', 'ce', 'dice', 'tversky', 'labels'}
        Mean squared difference of the probabilities (over classes, too);
        cross-entropy; MONAI's Dice loss with soft targets, pooled over the
        batch; the same with Tversky's index (Salehi et al., MLMI 2017), in which
        what the student misses weighs 0.7 and what it adds 0.3; the
        supervised loss, Dice and cross-entropy, with the teacher's most probable
        class as the truth. Only the first two are comparable in scale to one
        pixel's error.

    Returns
    -------
    Tensor
        0-d.
    """
    logits = logits.float()
    target = target.detach().float()
    if kind == "labels":
        return dice_ce(logits, target.argmax(dim=1), valid)
    mask = logits.new_ones(()) if valid is None else valid[:, None].to(logits.dtype)
    if kind in _OVERLAPS:
        loss: Tensor = _OVERLAPS[kind](logits.softmax(dim=1) * mask, target * mask)
        return loss
    if kind == "mse":
        error = (logits.softmax(dim=1) - target).square().mean(dim=1, keepdim=True)
    else:
        error = -(target * logits.log_softmax(dim=1)).sum(dim=1, keepdim=True)
    if valid is None:
        return error.mean()
    return (error * mask).sum() / mask.sum().clamp_min(1.0)


def sigmoid_ramp_up(step: int, length: int) -> float:
    """``exp(-5 (1 - m)^2)`` with m from 0 at step 0 to 1 at `length` and beyond.

    Laine and Aila, ICLR 2017. A length of 0 means one from the start.
    """
    m = 1.0 if length <= 0 else min(max(step / length, 0.0), 1.0)
    return math.exp(-5.0 * (1.0 - m) ** 2)
