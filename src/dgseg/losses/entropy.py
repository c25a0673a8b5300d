"""How unsure a segmenter is."""

from __future__ import annotations

from torch import Tensor

from dgseg.losses.precision import widened


def entropy(logits: Tensor) -> Tensor:
    """Shannon's entropy of the class probabilities of each pixel.

    Parameters
    ----------
    logits : Tensor, shape (N, C, H, W)
        Computed in at least float32 whatever their type.

    Returns
    -------
    Tensor, shape (N, H, W)
        In nats, from 0 to ``ln C``.
    """
    sure = widened(logits).log_softmax(dim=1)
    return -(sure.exp() * sure).sum(dim=1)
