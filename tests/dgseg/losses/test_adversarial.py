"""The game's two losses."""

from __future__ import annotations

import torch

from dgseg.losses.adversarial import deceivers_loss, judges_loss


def test_values():
    real, made = torch.tensor([1.0, 0.5]), torch.tensor([0.0, 2.0, 1.0])
    torch.testing.assert_close(judges_loss(real, made), torch.tensor(0.125 + 5 / 3))
    torch.testing.assert_close(deceivers_loss(made), torch.tensor(2 / 3))


def test_best_of_each_side():
    assert judges_loss(torch.ones(3), torch.zeros(2)) == 0
    assert deceivers_loss(torch.ones(3)) == 0


def test_gradients_pull_apart_and_together():
    made = torch.tensor([0.4], requires_grad=True)
    (judging,) = torch.autograd.grad(judges_loss(torch.ones(1), made), made)
    (deceiving,) = torch.autograd.grad(deceivers_loss(made), made)
    assert judging > 0 > deceiving


def test_half_precision_is_widened():
    scores = torch.tensor([0.1, 0.7], dtype=torch.bfloat16)
    assert judges_loss(scores, scores).dtype == torch.float32
    assert deceivers_loss(scores).dtype == torch.float32
