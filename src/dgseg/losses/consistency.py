"""Agreement between a student and its teacher, and how its weight grows."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def mean_square(student: Tensor, teacher: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean squared difference of class probabilities over valid pixels.

    The consistency that Perone et al. (2019) found stable; cross-entropy
    diverged and Dice oscillated in their experiments.

    Parameters
    ----------
    student, teacher : Tensor, shape (N, C, H, W)
        Probabilities.
    valid : Tensor, shape (N, H, W), bool or float weights in [0, 1], optional
        Which pixels count, and how much.

    Returns
    -------
    Tensor
        In [0, 2/C] for probabilities, float32; 0 where no pixel counts.
    """
    square = (student.float() - teacher.float()).square().mean(dim=1)
    if valid is None:
        return square.mean()
    weight = valid.to(square.dtype)
    return (square * weight).sum() / weight.sum().clamp_min(1.0)


def sigmoid_ramp(progress: float) -> float:
    """Grow from nearly 0 to 1: ``exp(-5 (1 - progress)^2)`` (Tarvainen & Valpola, 2017).

    Parameters
    ----------
    progress : float
        Clipped to [0, 1].
    """
    left = 1.0 - min(max(progress, 0.0), 1.0)
    return math.exp(-5.0 * left * left)


def confident(teacher: Tensor, threshold: float) -> Tensor:
    """Where the teacher's most probable class reaches `threshold`: (N, H, W), bool."""
    return torch.amax(teacher, dim=1) >= threshold
