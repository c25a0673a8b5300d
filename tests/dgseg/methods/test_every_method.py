"""What every registered method can do, whoever wrote it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import torch

from dgseg.methods.base import Batch, DomainBatch, Method
from dgseg.methods.registry import get, names


@pytest.fixture(params=names())
def name(request):
    return request.param


@pytest.fixture(params=[name for name in names() if get(name).learns])
def learning(request):
    return request.param


def test_says_what_it_is(name):
    kind = get(name)
    assert issubclass(kind, Method)
    assert kind.name == name
    assert kind.title
    assert kind.when.endswith(".")
    assert kind.when.count(".") == 1
    assert kind.Config().__dataclass_params__.frozen


PLAIN_TEACHER = {
    "consistency": "mse",
    "confidence": 0.0,
    "consistency_weight": 20.0,
    "ramp": 0.25,
    "teacher_views": 0,
    "temperature": 1.0,
}
"""As published: who knows nothing yet must not be sharpened, nor trusted."""

EASED = {
    "mean-teacher": (50, PLAIN_TEACHER),
    "two-teachers": (50, PLAIN_TEACHER),
    "lddg": (70, {}),  # the noise in its features costs some steps
    "sdnet": (50, {"anatomy": "softmax", "ce_weight": 1.0}),  # binary anatomy is slow at first
}
"""Steps and options with which the toy task can be learnt; 50 and none if not here."""


LABEL_FREE = {"tent"}
"""Methods that learn from no label, and so only sharpen what a network knows already."""


def test_learns_a_toy_task(learning, method, domains, slices, trained):
    steps, options = EASED.get(learning, (50, {}))
    if learning in LABEL_FREE:
        options = {"weights": trained}
    learner = method(learning, total=steps, **options)
    losses = torch.stack([learner.update(domains(i, steps))["loss"] for i in range(steps)])
    assert torch.isfinite(losses).all()
    assert losses[-5:].mean() < 0.7 * losses[:5].mean()
    images, labels = slices(16)
    right = (learner.predict(images).argmax(1) == labels).float().mean()
    assert right > 0.9


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_loss_terms_fall_in_any_precision(learning, precision, method, domains):
    learner = method(learning, precision=precision, total=15)
    losses = []
    for step in range(15):
        terms = learner.update(domains(step, 15))
        losses.append(terms["loss"])
        assert all(v.ndim == 0 and not v.requires_grad for v in terms.values())
        assert all(v.dtype == torch.float32 for v in terms.values())
    losses = torch.stack(losses)
    assert torch.isfinite(losses).all()
    assert losses[-4:].mean() < losses[:4].mean()


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_probabilities(name, precision, method, slices):
    learner = method(name, precision=precision)
    for size in (32, 19):
        images = slices(3, size)[0]
        probabilities = learner.predict(images)
        assert probabilities.shape == (3, 3, size, size)
        assert probabilities.dtype == torch.float32
        assert not probabilities.requires_grad
        torch.testing.assert_close(probabilities.sum(1), torch.ones(3, size, size))
        assert probabilities.min() >= 0


def test_prediction_is_the_deployable_networks(name, method, domains, slices):
    learner = method(name)
    learner.update(domains())
    images = slices(2)[0]
    net = learner.deployable().eval()
    with torch.no_grad():
        torch.testing.assert_close(learner.predict(images), net(images).softmax(1))


def test_deployable_weights_fit_the_network_they_came_from(name, method, start):
    """By name and shape, without a wrapper's prefix: a bundle takes them as they are."""
    learner = method(name)
    expected = {k: v.shape for k, v in start(name, {})[0].state_dict().items()}
    assert {k: v.shape for k, v in learner.deployable().state_dict().items()} == expected
    assert any(key.endswith("head.weight") for key in expected)


def test_prediction_leaves_the_mode_alone(name, method, slices):
    learner = method(name)
    before = [module.training for module in learner.modules()]
    learner.predict(slices(1)[0])
    assert [module.training for module in learner.modules()] == before


def run(learner, domains, steps):
    """As the training loop: each step has its own seed."""
    losses = []
    for step in steps:
        torch.manual_seed(1000 + step)
        losses.append(learner.update(domains(step, 12))["loss"])
    return losses


def test_resumed_run_is_the_same_to_the_bit(name, method, domains):
    unbroken = method(name, total=12)
    expected = run(unbroken, domains, range(12))
    first = method(name, total=12)
    run(first, domains, range(5))
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "training": first.training_state()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed = method(name, total=12)
    run(resumed, domains, range(2))  # whatever it did before is forgotten
    resumed.load_state_dict(saved["model"])
    resumed.load_training_state(saved["training"])
    losses = run(resumed, domains, range(5, 12))
    assert all(torch.equal(a, b) for a, b in zip(losses, expected[5:], strict=True))
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_same_seed_same_run(name, method, domains):
    first, second = (run(method(name, total=12), domains, range(4)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_foreign_training_state_is_refused(learning, method):
    learner = method(learning)
    for state in ({}, {"optimiser": 3}, {"optimiser": {}}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            learner.load_training_state(state)


def test_no_step_waits_for_the_device(name, method, domains, monkeypatch):
    """No loss or weight is read back: on a GPU each such read would stop everything."""
    learner = method(name, augment="strong")
    data = domains()

    def refuse(self, *args):
        raise AssertionError("a step reads a value back from the device")

    for reader in ("item", "__float__"):
        monkeypatch.setattr(torch.Tensor, reader, refuse)
    learner.update(data)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_no_step_waits_for_a_gpu(name, precision, method, domains):
    """By the driver's own account, after a first step that sets things up."""
    learner = method(name, device="cuda", precision=precision, augment="strong")
    episodes = [_on(domains(step), "cuda") for step in range(3)]
    learner.update(episodes[0])
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = [learner.update(data)["loss"] for data in episodes[1:]]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.isfinite(torch.stack(losses)).all()


def _on(episode, device):
    def moved(batch):
        return batch and Batch(
            *(None if x is None else x.to(device) for x in vars(batch).values())
        )

    there = {
        domain: DomainBatch(moved(data.labelled), moved(data.unlabelled))
        for domain, data in episode.domains.items()
    }
    return replace(episode, domains=there)
