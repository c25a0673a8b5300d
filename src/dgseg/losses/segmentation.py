"""The supervised loss, over annotated pixels alone."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (the field's name for it)

_dice = DiceLoss(include_background=False, batch=True, smooth_nr=1e-5, smooth_dr=1e-5)


def dice_ce(
    logits: Tensor,
    labels: Tensor,
    annotated: Tensor | None = None,
    *,
    dice_weight: float = 1.0,
    ce_weight: float = 1.0,
) -> Tensor:
    """Soft Dice of the structures, pooled over the batch, and cross-entropy.

    Pooling makes slices without a structure harmless. Pixels that nobody
    vouches for carry neither value nor gradient.

    Parameters
    ----------
    logits : Tensor, shape (N, C, H, W)
    labels : Tensor, shape (N, H, W), int64
        Classes, 0 for the background.
    annotated : Tensor, shape (N, H, W), bool, optional
        Which pixels count; all where absent.
    dice_weight, ce_weight : float
        Weights of the two terms.

    Returns
    -------
    Tensor
        A number of at least 0, in float32; 0 where no pixel counts.
    """
    logits = logits.float()
    mask = torch.ones_like(labels, dtype=torch.bool) if annotated is None else annotated
    weight = mask[:, None].to(logits.dtype)
    truth = F.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2).to(logits.dtype)
    dice = _dice(torch.softmax(logits, 1) * weight, truth * weight)
    # A batch in which nothing is annotated has no Dice, rather than the worst.
    dice = dice * mask.any().to(dice.dtype)
    each = F.cross_entropy(logits, labels, reduction="none") * mask
    cross_entropy = each.sum() / mask.sum().clamp_min(1)
    return dice_weight * dice + ce_weight * cross_entropy
