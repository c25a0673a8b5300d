"""Corrections alone."""

from __future__ import annotations

import pytest
import torch

from dgseg.errors import MethodError
from dgseg.losses.supervised import dice_ce
from dgseg.methods.base import Batch, DomainBatch, Episode


def one(labelled, unlabelled=None, step=0):
    return Episode({"a": DomainBatch(labelled, unlabelled)}, step, 40)


@pytest.mark.parametrize("augment", ["none", "strong"])
def test_only_annotated_pixels_teach(method, slices, augment):
    """Labels where nobody vouched for them may say anything."""
    images, labels = slices(4)
    annotated = torch.zeros_like(labels, dtype=torch.bool)
    annotated[:, 10:22] = True
    results = []
    for nonsense in (0, 2):
        torch.manual_seed(3)
        learner = method("finetune", augment=augment)
        batch = Batch(images, labels.where(annotated, nonsense), annotated)
        learner.update(one(batch))
        results.append(learner.net.state_dict())
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])


def test_the_loss_is_that_of_the_annotated_pixels(method, slices):
    images, labels = slices(3)
    annotated = torch.rand(labels.shape) < 0.3
    learner = method("finetune", augment="none", ce_weight=0.5)
    with torch.no_grad():
        expected = dice_ce(learner.net(images), labels, annotated, ce_weight=0.5)
    torch.testing.assert_close(
        learner.update(one(Batch(images, labels, annotated)))["loss"], expected
    )


def test_uncorrected_slices_change_nothing(method, slices):
    labelled = Batch(*slices(2))
    results = []
    for unlabelled in (None, Batch(slices(4)[0])):
        torch.manual_seed(3)
        learner = method("finetune", augment="strong")
        learner.update(one(labelled, unlabelled))
        results.append(learner.net.state_dict())
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])


def test_no_corrections_are_refused(method, episode):
    with pytest.raises(MethodError, match="no labelled slice") as caught:
        method("finetune").update(episode(labelled=0))
    assert "learns without" in caught.value.remedy


def test_the_running_mean_of_the_weights_goes_into_the_bundle(method, slices):
    learner = method("finetune", ema_decay=0.6)
    seen = [[p.detach().double() for p in learner.net.parameters()]]
    for step in range(5):
        learner.update(one(Batch(*slices(2)), step=step))
        seen.append([p.detach().double() for p in learner.net.parameters()])
    # Brute force: the share of each of the six sets of weights in the mean.
    shares = [1.0]
    for step in range(1, 6):
        decay = min(step / (step + 1), 0.6)
        shares = [decay * share for share in shares] + [1 - decay]
    assert sum(shares) == pytest.approx(1)
    for mean, *weights in zip(learner.deployable().parameters(), *seen, strict=True):
        expected = sum(share * w for share, w in zip(shares, weights, strict=True))
        torch.testing.assert_close(mean.double(), expected, atol=1e-6, rtol=1e-5)
