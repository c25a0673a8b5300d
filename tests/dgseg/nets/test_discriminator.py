"""The judge of masks."""

from __future__ import annotations

import torch
from torch import nn

from dgseg.nets.discriminator import MaskDiscriminator


def test_one_score_for_a_mask_of_any_size():
    judge = MaskDiscriminator(3, 4)
    for size in ((32, 32), (17, 40), (8, 8)):
        assert judge(torch.rand(5, 3, *size)).shape == (5,)


def test_masks_are_judged_one_by_one():
    judge = MaskDiscriminator(2, 4).eval()
    masks = torch.rand(3, 2, 24, 24)
    torch.testing.assert_close(judge(masks)[1:2], judge(masks[1:2]))


def test_spectral_norms_become_one():
    judge = MaskDiscriminator(2, 4)
    with torch.no_grad():
        for layer in judge.body:
            if isinstance(layer, nn.Conv2d):
                layer.parametrizations.weight.original *= 50
    for _ in range(60):
        judge(torch.rand(1, 2, 16, 16))
    for layer in judge.body:
        if isinstance(layer, nn.Conv2d):
            norm = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
            torch.testing.assert_close(norm, torch.tensor(1.0), atol=0.02, rtol=0)


def test_learns_to_tell_squares_from_noise():
    judge = MaskDiscriminator(1, 8)
    optimiser = torch.optim.Adam(judge.parameters(), lr=3e-3)
    squares = torch.zeros(8, 1, 16, 16)
    squares[..., 4:11, 5:12] = 1
    for _ in range(60):
        noise = torch.rand(8, 1, 16, 16).round()
        loss = (judge(squares) - 1).square().mean() + judge(noise).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    judge.eval()
    assert judge(squares).min() > 0.7
    assert judge(torch.rand(8, 1, 16, 16).round()).max() < 0.3
