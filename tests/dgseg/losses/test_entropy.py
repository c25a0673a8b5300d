"""Entropy against PyTorch's distributions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical

from dgseg.losses.entropy import entropy


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_the_distribution(dtype):
    logits = 3 * torch.randn(
        2, 4, 5, 6, dtype=dtype, generator=torch.Generator().manual_seed(1)
    )
    found = entropy(logits)
    assert (found.shape, found.dtype) == ((2, 5, 6), dtype)
    torch.testing.assert_close(found, Categorical(logits=logits.movedim(1, -1)).entropy())


def test_between_sure_and_anything():
    assert float(entropy(torch.zeros(1, 3, 1, 1))) == pytest.approx(math.log(3))
    sure = torch.tensor([1e4, -1e4, 0.0]).view(1, 3, 1, 1).requires_grad_()
    found = entropy(sure)
    found.sum().backward()
    assert float(found) == 0
    assert torch.isfinite(sure.grad).all()


def test_half_precision_is_widened():
    logits = torch.randn(1, 3, 4, 4).bfloat16()
    torch.testing.assert_close(entropy(logits), entropy(logits.float()))
    assert entropy(logits).dtype == torch.float32
