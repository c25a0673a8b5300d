"""DGNet's presets: each learns, and each is what it says it is."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import torch
from torch import nn

from dgseg.methods import dgnet as dgnet_module
from dgseg.methods.base import DomainBatch
from dgseg.methods.dgnet_config import DGNET_PRESETS
from dgseg.methods.registry import resolve

EVERY = [(name, size) for name, sizes in DGNET_PRESETS.items() for size in sizes]
ADAPTED_AS_PUBLISHED = ("encoders.", "decoder.", "feature.head.")


def preset(name, size="cpu"):
    return DGNET_PRESETS[name][size]


def learn(learner, data, steps):
    """As the training loop: each step has its own seed."""
    reports = []
    for step in steps:
        torch.manual_seed(1000 + step)
        reports.append(learner.update(replace(data, step=step)))
    return reports


def finite(tensors):
    return all(torch.isfinite(tensor).all() for tensor in tensors)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(("name", "size"), EVERY)
def test_two_steps(dgnet, domains, name, size, precision):
    config = preset(name, size)
    learner = dgnet(config, precision=precision, augment=config.augment, n_domains=3)
    before = [p.detach().clone() for p in learner.net.parameters()]
    data = domains(size=16, names=("a", "b", "c"), labelled=1)
    reports = learn(learner, data, [0, 30])
    assert all(finite(report.values()) for report in reports)
    assert all(not term.requires_grad for report in reports for term in report.values())
    assert finite(learner.parameters())
    assert finite(p.grad for p in learner.net.parameters() if p.grad is not None)
    moved = [
        not torch.equal(p, q) for p, q in zip(learner.net.parameters(), before, strict=True)
    ]
    assert all(moved)


@pytest.mark.parametrize(("name", "size"), EVERY)
def test_is_found_by_its_name(name, size):
    kind, config = resolve(f"dgnet-{name}", size)
    assert kind is dgnet_module.DGNet
    assert config is preset(name, size)


@pytest.mark.parametrize("name", list(DGNET_PRESETS))
def test_goes_on_from_a_checkpoint_to_the_bit(dgnet, domains, name):
    def fresh():
        return dgnet(preset(name), augment="strong", total=6)

    data = domains(size=16)
    unbroken, first, resumed = fresh(), fresh(), fresh()
    expected = learn(unbroken, data, range(6))
    learn(first, data, range(3))
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "training": first.training_state()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    learn(resumed, data, [4])  # whatever it did before is forgotten
    resumed.load_state_dict(saved["model"])
    resumed.load_training_state(saved["training"])
    for report, other in zip(learn(resumed, data, range(3, 6)), expected[3:], strict=True):
        assert report.keys() == other.keys()
        assert all(torch.equal(report[key], other[key]) for key in report)
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


# As published -------------------------------------------------------------------------------


def test_published_adapts_few_parameters(dgnet, domains, monkeypatch):
    """Encoders, decoder and the feature network's last layer, as the test loss sees them."""
    learner, adapted = dgnet(preset("official")), []
    original = dgnet_module.meta_gradient

    def spy(train, test, parameters, **keywords):
        def look(fast):
            adapted.append(
                {
                    k.removeprefix("net.")
                    for k in fast
                    if not torch.equal(fast[k], parameters[k])
                }
            )
            return test(fast)

        return original(train, look, parameters, **keywords | {"step_size": 1.0})

    monkeypatch.setattr(dgnet_module, "meta_gradient", spy)
    learner.update(domains(size=16))
    names = [name for name, _ in learner.net.named_parameters()]
    expected = {name for name in names if name.startswith(ADAPTED_AS_PUBLISHED)}
    assert expected < set(names)
    assert adapted == [expected, expected]
    adapted.clear()
    everything = dgnet(preset("official"), adapted="all")
    everything.update(domains(size=16))
    assert adapted[0] > expected


def test_published_takes_two_steps_the_unlabelled_first(dgnet, domains, monkeypatch):
    learner = dgnet(preset("official"))
    seen, original = [], learner._gradient
    monkeypatch.setattr(
        learner,
        "_gradient",
        lambda train, test, episode: (
            seen.append((train.n_labelled, test.n_labelled, len(train.images))),
            original(train, test, episode),
        )[1],
    )
    report = learner.update(domains(size=16, labelled=2, unlabelled=3))
    assert seen == [(0, 0, 3), (2, 2, 2)]
    assert learner.mean.n_updates == 2
    steps = {int(state["step"]) for state in learner._optimiser.state.values()}
    assert steps == {2}
    assert {"task", "task held out", "reconstruction (unlabelled)"} <= set(report)
    assert "task (unlabelled)" not in report


def test_loss_of_two_steps_is_that_of_both(dgnet, domains):
    learner = dgnet(preset("official"))
    report = learner.update(domains(size=16, labelled=4, unlabelled=4))
    weights = learner._weights(domains(size=16))
    expected = 0.0
    for name, term in report.items():
        if name != "loss":
            plain = name.removesuffix(" (unlabelled)").removesuffix(" held out")
            expected += weights[plain] * term
    torch.testing.assert_close(report["loss"], expected)


@pytest.mark.parametrize("limit", [1e-3, 0.0])
def test_published_clips_by_value(dgnet, domains, limit):
    learner = dgnet(preset("official"), clip_value=limit)
    learner.update(domains(size=16))
    largest = [p.grad.abs().max() for p in learner.net.parameters() if p.grad is not None]
    if limit:
        assert max(largest) == pytest.approx(limit)
        assert sum(value == max(largest) for value in largest) > 5
    else:
        assert max(largest) > 0.01


def test_published_classes_are_the_first_channels(dgnet, slices):
    learner = dgnet(preset("official"))
    assert isinstance(learner.net.task, nn.Identity)
    assert len(learner.net.encoders) == 1
    images = slices(2)[0]
    anatomy = learner.factors(images).anatomy
    torch.testing.assert_close(learner.predict(images), anatomy[:, :3].softmax(1))


def test_published_classification_cannot_fall_below_its_floor(dgnet):
    """Squashed twice: for three domains not below 0.567, and with hardly a gradient."""
    right = torch.tensor([[99.0, 0.0, 0.0], [0.0, 99.0, 0.0]]).requires_grad_()
    where = torch.tensor([0, 1])
    squashed = dgnet(preset("official"), n_domains=3)._classification(right, where)
    assert float(squashed.detach()) == pytest.approx(0.5665, abs=1e-4)
    plain = dgnet(preset("paper"), n_domains=3)._classification(right, where)
    assert float(plain.detach()) == pytest.approx(0.0, abs=1e-6)


# The paper's, and ours ----------------------------------------------------------------------


@pytest.mark.parametrize("size", ["cpu", "gpu"])
def test_paper_has_the_weights_of_the_paper(size):
    config = preset("paper", size)
    assert (config.task_weight, config.dice_weight, config.ce_weight) == (5.0, 1.0, 0.0)
    assert config.reconstruction_weight == config.classification_weight == 1.0
    assert config.kl_weight == config.rank_weight == config.hsic_weight == 0.1
    assert config.latent_weight == config.consistency_weight == 0.0
    assert (config.order, config.first_order_share, config.second_order_every) == (2, 0.0, 1)
    assert (config.adapted, config.steps_apart, config.encoders) == ("all", False, "separate")
    assert (config.style_dims, config.domain_dims, config.anatomy_channels) == (8, 8, 8)


def test_the_rates_of_the_paper_and_of_its_code():
    rates = {name: preset(name, "gpu") for name in ("paper", "official")}
    assert rates["paper"].learning_rate == 2e-5
    assert rates["official"].learning_rate == 4e-5
    assert all(config.step_size == 1e-3 for config in rates.values())


def test_plus_learns_from_a_teacher_that_gets_no_gradient(dgnet, domains):
    learner = dgnet(preset("plus"), confidence=0.0, ramp=0.0)
    data = domains(size=16)
    report = learner.update(data)
    assert report["consistency"] > 0
    assert report["consistency held out"] > 0
    assert learner.deployable() is learner.mean.net
    assert all(p.grad is None and not p.requires_grad for p in learner.mean.net.parameters())
    alone = {name: DomainBatch(batch.labelled, None) for name, batch in data.domains.items()}
    assert "consistency" not in learner.update(replace(data, domains=alone))
