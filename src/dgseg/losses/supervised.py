"""Agreement with what a person drew."""

from __future__ import annotations

from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

_SMOOTH = 1e-5


def dice_ce(
    logits: Tensor,
    labels: Tensor,
    annotated: Tensor | None = None,
    *,
    dice_weight: float = 1.0,
    ce_weight: float = 1.0,
    background: bool = True,
) -> Tensor:
    """Dice loss plus cross-entropy over the annotated pixels.

    The Dice loss is MONAI's, pooled over the batch (``batch=True``) so that a
    slice without a structure does not count as a failure, and with the
    background as a class, as in DGNet (Liu et al., MICCAI 2021). MONAI's own
    masked loss sets *logits* to zero outside of the mask, where the softmax
    then still puts ``1 / C`` in every class; here probabilities are masked.

    Parameters
    ----------
    logits : Tensor, shape (N, C, H, W)
        Computed in float32 whatever their type.
    labels : Tensor of int64, shape (N, H, W)
        Classes; anything where not annotated.
    annotated : Tensor of bool, shape (N, H, W), optional
        Pixels to learn from; all if not given. The others have no influence
        and a gradient of exactly zero; without any, the loss is zero.
    dice_weight, ce_weight : float
        Factors of the two terms.
    background : bool
        Whether the Dice loss has the background as a class.

    Returns
    -------
    Tensor
        0-d.
    """
    logits = logits.float()
    if annotated is not None:
        labels = labels.where(annotated, 0)
    truth = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    probabilities = logits.softmax(dim=1)
    ce = F.cross_entropy(logits, labels, reduction="none")
    if annotated is None:
        dice = _dice(probabilities, truth, background)
        return dice_weight * dice + ce_weight * ce.mean()
    mask = annotated.to(logits.dtype)
    ce_mean = (ce * mask).sum() / mask.sum().clamp_min(1.0)
    dice = _dice(probabilities * mask[:, None], truth * mask[:, None], background)
    return dice_weight * dice + ce_weight * ce_mean


def _dice(probabilities: Tensor, truth: Tensor, background: bool) -> Tensor:
    loss: Tensor = DiceLoss(
        include_background=background, batch=True, smooth_nr=_SMOOTH, smooth_dr=_SMOOTH
    )(probabilities, truth)
    return loss
