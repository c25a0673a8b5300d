"""Sums and exponentials of losses in at least float32, whatever comes in."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor


def widened(tensor: Tensor) -> Tensor:
    """`tensor` in float32, or as it is in float64."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def outside_autocast(tensor: Tensor) -> AbstractContextManager[object]:
    """A context in which autocast leaves products on the device of `tensor` alone."""
    return torch.autocast(tensor.device.type, enabled=False)
