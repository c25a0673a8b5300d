"""The optimiser that the methods share."""

from __future__ import annotations

import pytest
import torch

from dgseg.methods.config import OptimiserConfig
from dgseg.methods.one_network import learning_rate


def test_schedule_rises_and_falls():
    config = OptimiserConfig(learning_rate=0.01, warm_up=0.1, final_rate=0.02)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([0.001 * (i + 1) for i in range(10)])
    assert max(rates) == pytest.approx(0.01)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.0002)
    middle = (10 + 99) / 2
    assert learning_rate(round(middle), 100, config) == pytest.approx(0.0051, rel=0.02)


@pytest.mark.parametrize("total", [1, 2, 3])
@pytest.mark.parametrize("warm_up", [0.0, 0.5, 1.0])
def test_schedule_of_the_shortest_trainings(total, warm_up):
    config = OptimiserConfig(warm_up=warm_up)
    rates = [learning_rate(step, total, config) for step in range(total + 1)]
    assert all(0 < rate <= config.learning_rate for rate in rates)


def test_each_step_has_its_rate(method, episode):
    learner = method("deepall", learning_rate=0.01, total=20)
    for step in (0, 5, 19):
        learner.update(episode(step, 20))
        rates = {group["lr"] for group in learner._optimiser.param_groups}
        assert rates == {learning_rate(step, 20, learner.config)}


def test_weight_decay_is_for_kernels_alone(method):
    learner = method("deepall", weight_decay=0.3)
    by_decay = {g["weight_decay"]: g["params"] for g in learner._optimiser.param_groups}
    assert all(p.ndim == 4 for p in by_decay[0.3])
    assert all(p.ndim == 1 for p in by_decay[0.0])
    count = sum(len(group) for group in by_decay.values())
    assert count == len(list(learner.net.parameters()))


@pytest.mark.parametrize("clip_norm", [0.01, 0.0])
def test_gradients_are_clipped_by_norm(method, episode, clip_norm):
    learner = method("deepall", clip_norm=clip_norm)
    learner.update(episode())
    norm = torch.stack([p.grad.norm() for p in learner.net.parameters()]).norm()
    if clip_norm:
        assert float(norm) == pytest.approx(0.01, rel=1e-3)
    else:
        assert norm > 0.05


def test_without_a_running_mean_the_network_itself_is_deployed(method, episode):
    learner = method("deepall", ema_decay=0.0)
    learner.update(episode())
    assert learner.mean is None
    assert learner.deployable() is learner.net
    learner.load_training_state(learner.training_state())


def test_trains_the_network_it_was_given_in_place(method, episode):
    learner = method("deepall")
    net, before = learner.net, learner.net.head.weight.detach().clone()
    learner.update(episode())
    assert not torch.equal(net.head.weight, before)
    assert not any(key.startswith("_wrapped") for key in learner.state_dict())


def test_pixels_from_outside_do_not_teach(method, slices):
    """A slice moved far away teaches by what is left of it alone."""
    from dgseg.methods.base import Batch, DomainBatch, Episode

    learner = method("deepall", augment={"translation_px": 1000.0})
    images, labels = slices(2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        loss = learner.update(Episode({"a": DomainBatch(Batch(images, labels))}, 0, 40))["loss"]
    assert loss == 0
