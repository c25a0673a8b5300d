"""Dice and cross-entropy against their definitions, in float64 and by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import DiceLoss

from dgseg.losses.supervised import dice_ce


def reference(logits, labels, annotated, dice_weight=1.0, ce_weight=1.0, smooth=1e-5):
    """Pixel by pixel, in numpy's float64."""
    z = np.moveaxis(logits, 1, -1)[annotated].astype(np.float64)  # (P, C)
    y = labels[annotated]
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    ce = -np.mean(np.log(p[np.arange(len(y)), y]))
    t = np.eye(z.shape[1])[y]
    dice = 1 - (2 * (p * t).sum(0) + smooth) / (p.sum(0) + t.sum(0) + smooth)
    return dice_weight * dice.mean() + ce_weight * ce


def case(seed=0, n=3, c=4, size=(5, 6), share=0.6):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, c, *size, generator=generator)
    labels = torch.randint(0, c, (n, *size), generator=generator)
    annotated = torch.rand(n, *size, generator=generator) < share
    return logits, labels, annotated


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.0), (0.3, 2.0)])
def test_agrees_with_the_definition(seed, weights):
    logits, labels, annotated = case(seed)
    ours = dice_ce(logits, labels, annotated, dice_weight=weights[0], ce_weight=weights[1])
    theirs = reference(logits.numpy(), labels.numpy(), annotated.numpy(), *weights)
    assert float(ours) == pytest.approx(theirs, rel=1e-5)


def test_agrees_with_monai_where_all_is_annotated():
    logits, labels, _ = case()
    ours = dice_ce(logits, labels, ce_weight=0.0)
    theirs = DiceLoss(softmax=True, to_onehot_y=True, batch=True)(logits, labels[:, None])
    assert float(ours) == pytest.approx(float(theirs), rel=1e-4)


def test_no_mask_is_a_full_mask():
    logits, labels, annotated = case()
    full = dice_ce(logits, labels, torch.ones_like(annotated))
    torch.testing.assert_close(dice_ce(logits, labels), full)


def test_gradient_by_finite_differences():
    logits, labels, annotated = case(n=1, c=3, size=(3, 3))
    logits.requires_grad_()
    dice_ce(logits, labels, annotated).backward()
    base = logits.detach().numpy().astype(np.float64)
    step = 1e-5
    for index in np.ndindex(base.shape):
        up, down = base.copy(), base.copy()
        up[index] += step
        down[index] -= step
        slope = (
            reference(up, labels.numpy(), annotated.numpy())
            - reference(down, labels.numpy(), annotated.numpy())
        ) / (2 * step)
        assert float(logits.grad[index]) == pytest.approx(slope, abs=2e-6)


def test_unannotated_pixels_have_no_influence_and_no_gradient():
    logits, labels, annotated = case()
    logits.requires_grad_()
    loss = dice_ce(logits, labels, annotated)
    loss.backward()
    silent = ~annotated[:, None].expand_as(logits)
    assert torch.equal(logits.grad[silent], torch.zeros(int(silent.sum())))
    assert (logits.grad[~silent] != 0).float().mean() > 0.99
    other = torch.where(silent, torch.full_like(logits, 7.0), logits)
    nonsense = labels.where(annotated, 255)
    assert float(dice_ce(other, nonsense, annotated)) == pytest.approx(float(loss), rel=1e-6)


def test_nothing_annotated_is_zero():
    logits, labels, annotated = case()
    logits.requires_grad_()
    loss = dice_ce(logits, labels, torch.zeros_like(annotated))
    loss.backward()
    assert float(loss) == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_perfect_is_nearly_zero_and_wrong_is_large():
    _, labels, _ = case()
    right = 50.0 * torch.nn.functional.one_hot(labels, 4).permute(0, 3, 1, 2).float()
    assert float(dice_ce(right, labels)) < 1e-4
    assert float(dice_ce(-right, labels)) > 10


def test_absent_structure_is_no_failure():
    """Pooled over the batch: a slice without the structure changes the loss but little."""
    labels = torch.zeros(2, 8, 8, dtype=torch.int64)
    labels[0, 2:6, 2:6] = 1
    logits = 20.0 * torch.nn.functional.one_hot(labels, 2).permute(0, 3, 1, 2).float()
    assert float(dice_ce(logits, labels)) < 1e-4


def test_half_precision_is_summed_in_float32():
    logits = torch.randn(4, 3, 128, 128)
    labels = torch.randint(0, 3, (4, 128, 128))
    rough = dice_ce(logits.bfloat16(), labels)
    assert rough.dtype == torch.float32
    assert float(rough) == pytest.approx(float(dice_ce(logits, labels)), abs=2e-3)
