"""Larger pixels, by a different factor for each image of a batch.

It is separable and linear, so it is a matrix for the rows and one for the
columns. Kornia has no such change.
"""

from __future__ import annotations

import torch
from torch import Tensor


def low_resolution(images: Tensor, factors: Tensor) -> Tensor:
    """Images as if taken with larger pixels, brought back to their grid.

    Each large pixel is the mean over its area (the line profile of an
    acquisition is broader than that, but similar); the way back is linear.

    Parameters
    ----------
    images : Tensor, shape (N, 1, H, W)
    factors : Tensor, shape (N, 2)
        Side of the large pixels along rows and columns, in pixels; at least 1.
        The number of large pixels is rounded up, and the last reach beyond
        the edge.

    Returns
    -------
    Tensor, shape (N, 1, H, W)
    """
    rows, columns = (
        _enlarge(factors[:, axis], side) @ _average(factors[:, axis], side)
        for axis, side in enumerate(images.shape[-2:])
    )
    return rows[:, None] @ images @ columns[:, None].mT


def _normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(-1, keepdim=True).clamp_min(1e-12)


def _average(factor: Tensor, side: int) -> Tensor:
    """From `side` pixels to as many large ones (those beyond the edge are empty)."""
    place = torch.arange(side, device=factor.device, dtype=torch.float32)
    begin = place[:, None] * factor[:, None, None]
    end = begin + factor[:, None, None]
    overlap = torch.minimum(end, place + 1) - torch.maximum(begin, place)
    return _normalised(overlap.clamp_min(0.0))


def _enlarge(factor: Tensor, side: int) -> Tensor:
    """From large pixels back, linearly between their centres."""
    place = torch.arange(side, device=factor.device, dtype=torch.float32)
    factor = factor[:, None, None]
    last = torch.ceil(side / factor) - 1
    wanted = ((place[:, None] + 0.5) / factor - 0.5).clamp_min(0.0).minimum(last)
    return (1 - (wanted - place).abs()).clamp_min(0.0)
