"""Learning rates as functions of the step."""

from __future__ import annotations

import math

from torch.optim import Optimizer

from dgseg.losses.consistency import sigmoid_ramp


def warm_cosine(step: int, total_steps: int, warm_up: float) -> float:
    """Factor on the learning rate: sigmoid ramp-up, then cosine to nearly nothing.

    Parameters
    ----------
    step, total_steps : int
    warm_up : float
        Share of the steps that the ramp-up takes, [0, 1).

    Returns
    -------
    float
        In (0, 1].
    """
    progress = (step + 1) / max(total_steps, 1)
    if progress < warm_up:
        return sigmoid_ramp(progress / warm_up)
    along = min((progress - warm_up) / max(1.0 - warm_up, 1e-9), 1.0)
    return max(0.5 * (1.0 + math.cos(math.pi * along)), 0.01)


def set_learning_rate(optimizer: Optimizer, value: float) -> None:
    """Give all groups of an optimiser one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value
