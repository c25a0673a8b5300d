"""Agreement of student and teacher against the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dgseg.losses.consistency import consistency, sigmoid_ramp_up


def case(seed=0, n=2, c=3, size=(4, 5)):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, c, *size, generator=generator)
    target = torch.randn(n, c, *size, generator=generator).softmax(1)
    valid = torch.rand(n, *size, generator=generator) < 0.5
    return logits, target, valid


def reference(logits, target, valid, kind):
    z = np.moveaxis(logits, 1, -1)[valid].astype(np.float64)
    t = np.moveaxis(target, 1, -1)[valid].astype(np.float64)
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    if kind == "mse":
        return np.mean((p - t) ** 2)
    if kind == "ce":
        return -np.mean((t * np.log(p)).sum(1))
    if kind == "tversky":
        both, added, missed = (p * t).sum(0), (p * (1 - t)).sum(0), ((1 - p) * t).sum(0)
        return np.mean(1 - (both + 1e-5) / (both + 0.3 * added + 0.7 * missed + 1e-5))
    return np.mean(1 - (2 * (p * t).sum(0) + 1e-5) / (p.sum(0) + t.sum(0) + 1e-5))


@pytest.mark.parametrize("kind", ["mse", "ce", "dice", "tversky"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("masked", [True, False])
def test_agrees_with_the_definition(kind, seed, masked):
    logits, target, valid = case(seed)
    where = valid if masked else torch.ones_like(valid)
    ours = consistency(logits, target, valid if masked else None, kind)
    theirs = reference(logits.numpy(), target.numpy(), where.numpy(), kind)
    assert float(ours) == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("kind", ["mse", "ce", "dice", "tversky"])
def test_gradient_by_finite_differences(kind):
    logits, target, valid = case(n=1, size=(3, 3))
    logits.requires_grad_()
    consistency(logits, target, valid, kind).backward()
    base = logits.detach().numpy().astype(np.float64)
    for index in np.ndindex(base.shape):
        up, down = base.copy(), base.copy()
        up[index] += 1e-5
        down[index] -= 1e-5
        slope = (
            reference(up, target.numpy(), valid.numpy(), kind)
            - reference(down, target.numpy(), valid.numpy(), kind)
        ) / 2e-5
        assert float(logits.grad[index]) == pytest.approx(slope, abs=2e-6)


@pytest.mark.parametrize("kind", ["mse", "ce", "dice", "tversky"])
def test_invalid_pixels_and_the_teacher_get_no_gradient(kind):
    logits, target, valid = case()
    logits.requires_grad_()
    target.requires_grad_()
    consistency(logits, target, valid, kind).backward()
    silent = ~valid[:, None].expand_as(logits)
    assert torch.equal(logits.grad[silent], torch.zeros(int(silent.sum())))
    assert target.grad is None


@pytest.mark.parametrize("kind", ["mse", "ce", "dice", "tversky"])
def test_nothing_valid_is_zero(kind):
    logits, target, valid = case()
    assert float(consistency(logits, target, torch.zeros_like(valid), kind)) == 0


def test_agreement_is_no_error():
    logits, _, valid = case()
    assert float(consistency(logits, logits.softmax(1), valid)) < 1e-12


def test_sure_and_wrong_logits_stay_finite():
    logits = torch.tensor([[1e4, -1e4]]).view(1, 2, 1, 1).requires_grad_()
    loss = consistency(logits, torch.tensor([0.0, 1.0]).view(1, 2, 1, 1), None, "ce")
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_ramp():
    assert sigmoid_ramp_up(0, 100) == pytest.approx(math.exp(-5))
    assert sigmoid_ramp_up(50, 100) == pytest.approx(math.exp(-1.25))
    assert sigmoid_ramp_up(100, 100) == 1
    assert sigmoid_ramp_up(1000, 100) == 1
    assert sigmoid_ramp_up(0, 0) == 1
    values = [sigmoid_ramp_up(step, 20) for step in range(25)]
    assert values == sorted(values)
