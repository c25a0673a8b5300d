"""Which weights an adaptation changes, and what holds them."""

from __future__ import annotations

import io

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from dgseg.errors import MethodError
from dgseg.losses.supervised import dice_ce
from dgseg.methods.anchoring import (
    frozen_copy,
    held_loss,
    merge_absent,
    norm_parameters,
    train_only,
)
from dgseg.methods.base import Batch, DomainBatch, Episode, Labelled
from dgseg.methods.one_network import learning_rate
from dgseg.methods.registry import create, network
from dgseg.nets.build import build

UNET = {"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 4, "depth": 2, "groups": 2}


def changed(before, net):
    after = dict(net.named_parameters())
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def snapshot(net):
    return {name: value.detach().clone() for name, value in net.named_parameters()}


def norm_names(net):
    return {
        f"{place}.{kind}"
        for place, module in net.named_modules()
        for kind in ("weight", "bias")
        if isinstance(module, nn.GroupNorm)
    }


def test_all_scales_and_offsets_of_a_u_net():
    net = build(UNET)
    found = {id(p) for p in norm_parameters(net)}
    names = {name for name, p in net.named_parameters() if id(p) in found}
    assert names == norm_names(net)
    assert names


def test_what_makes_them_from_a_code_is_among_them(method):
    net = method("dgnet").net
    found = {id(p) for p in norm_parameters(net)}
    names = {name for name, p in net.named_parameters() if id(p) in found}
    of_codes = {name for name, _ in net.named_parameters() if name.startswith("decoder.code.")}
    assert of_codes
    assert names == norm_names(net) | of_codes


@pytest.mark.parametrize("name", ["finetune", "mean-teacher", "tent"])
def test_only_these_change(name, method, episode):
    learner = method(name, trained="norm", anchor=1.0)
    before = snapshot(learner.net)
    for step in range(2):
        learner.update(episode(step))
    assert changed(before, learner.net) == norm_names(learner.net)
    assert changed(before, learner.deployable()) == norm_names(learner.net)


@pytest.mark.parametrize("name", ["finetune", "mean-teacher", "tent"])
def test_or_all_weights_do(name, method, episode):
    learner = method(name, trained="all")
    before = snapshot(learner.net)
    learner.update(episode())
    assert changed(before, learner.net) == set(before)


def test_a_network_without_any_is_refused():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.InstanceNorm2d(2), nn.Conv2d(2, 2, 1))
    with pytest.raises(MethodError, match="no weights") as caught:
        create("tent", net, Fabric(accelerator="cpu", devices=1), {}, 10)
    assert "mean-teacher" in caught.value.remedy
    assert all(p.requires_grad for p in net.parameters())
    train_only(net, "all")


def test_a_frozen_copy_stays_as_it_was():
    net = build(UNET)
    copy = frozen_copy(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    assert changed(snapshot(net), copy) == set(dict(net.named_parameters()))
    assert not any(p.requires_grad for p in copy.parameters())


@pytest.mark.parametrize("name", ["finetune", "mean-teacher", "tent"])
def test_the_anchor_is_the_formula(name, method, episode):
    """After the optimiser's own step: w -= rate * anchor * (w - w_start)."""
    results = {}
    for anchor in (0.0, 30.0):
        torch.manual_seed(4)
        learner = method(name, anchor=anchor, warm_up=0.0)
        start = snapshot(learner.net)
        learner.update(episode(0))
        results[anchor] = snapshot(learner.net)
    share = 30.0 * learning_rate(0, 40, learner.config)
    assert 0.1 < share < 1
    for key, free in results[0.0].items():
        expected = free - share * (free - start[key])
        torch.testing.assert_close(results[30.0][key], expected, atol=1e-7, rtol=1e-5)


def test_the_running_mean_takes_in_anchored_weights(method, episode):
    learner = method("finetune", anchor=30.0)
    start = snapshot(learner.net)
    learner.update(episode(0))
    for key, mean in snapshot(learner.deployable()).items():
        expected = (start[key] + dict(learner.net.named_parameters())[key]) / 2
        torch.testing.assert_close(mean, expected)


def test_an_anchor_stronger_than_a_step_goes_no_further_than_the_start(method, episode):
    learner = method("finetune", anchor=1e9)
    before = snapshot(learner.net)
    learner.update(episode(20))
    assert changed(before, learner.net) == set()


@pytest.mark.parametrize("trained", ["all", "norm"])
@pytest.mark.parametrize("name", ["finetune", "mean-teacher", "tent"])
def test_codes_of_a_disentangled_model_stay_as_they_were(name, trained, episode):
    """What a bundle's style bank was measured with: these methods never call it."""
    options = {"augment": "weak", "trained": trained, "learning_rate": 1e-2}
    described = network("dgnet", {}, n_classes=3, width=4, depth=2, n_domains=2)
    learner = create(name, build(described), Fabric(accelerator="cpu", devices=1), options, 40)
    before = snapshot(learner.net)
    learner.update(episode(20))
    places = {key.split(".")[0] for key in changed(before, learner.net)}
    assert "feature" in places
    assert places <= {"feature", "task"}


RESUMED = [
    ("finetune", {"anchor": 20.0, "trained": "norm"}),
    ("tent-sar", {"recovery": 0.97, "learning_rate": 0.1}),
    ("mean-teacher-paper", {"ema_switch": 0.5, "anchor": 5.0, "learning_rate": 1e-2}),
]


@pytest.mark.parametrize(("name", "options"), RESUMED)
def test_resumed_run_is_the_same_to_the_bit(name, options, method, episode):
    """Another network to begin with, too: the start is part of what is resumed."""

    def run(learner, steps):
        for step in steps:
            torch.manual_seed(50 + step)
            learner.update(episode(step, 8))

    unbroken = method(name, total=8, **options)
    run(unbroken, range(8))
    first = method(name, total=8, **options)
    run(first, range(4))
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "training": first.training_state()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    elsewhere = {k: v + 0.1 for k, v in first.net.state_dict().items()}
    resumed = method(name, total=8, weights=elsewhere, **options)
    resumed.load_state_dict(saved["model"])
    resumed.load_training_state(saved["training"])
    run(resumed, range(4, 8))
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


# --- classes that no correction shows ---------------------------------------------------


def test_merged_background_has_the_probability_of_what_it_is_made_of():
    logits = torch.randn(2, 5, 3, 4, requires_grad=True)
    labels = torch.tensor([0, 2, 4])[torch.randint(0, 3, (2, 3, 4))]
    merged, places = merge_absent(logits, labels, (1, 3))
    p = logits.softmax(dim=1)
    expected = torch.stack([p[:, 0] + p[:, 1] + p[:, 3], p[:, 2], p[:, 4]], dim=1)
    torch.testing.assert_close(merged.softmax(dim=1), expected)
    assert torch.equal(places, (labels / 2).long())
    # What is called background may be any of them: nothing is pushed.
    everywhere = torch.zeros_like(labels)
    merged, places = merge_absent(logits, everywhere, (1, 3))
    (gradient,) = torch.autograd.grad(dice_ce(merged, places), logits)
    shares = p[:, [0, 1, 3]] / expected[:, :1]
    torch.testing.assert_close(
        gradient[:, [0, 1, 3]], shares * gradient[:, [0, 1, 3]].sum(dim=1, keepdim=True)
    )


def test_held_classes_cost_nothing_where_both_say_the_same():
    logits = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    before = logits.softmax(dim=1)
    assert held_loss(logits, before, (1, 3)).abs() < 1e-5
    # Nor does it matter how the others share what is left.
    others = logits.clone()
    others[:, [0, 2]] = logits[:, [2, 0]]
    assert held_loss(others, before, (1, 3)).abs() < 1e-5
    off = logits.clone()
    off[:, 1] -= 3
    assert held_loss(off, before, (1, 3)) > 0.05
    nowhere = torch.zeros(2, 3, 3, dtype=torch.bool)
    assert held_loss(off, before, (1, 3), nowhere) == 0
    first = nowhere.clone()
    first[0] = True
    alone = held_loss(off[:1], before[:1], (1, 3))
    torch.testing.assert_close(held_loss(off, before, (1, 3), first), alone)


def only_the_larger(batch):
    """The slices without the inner disc, as slices of another height would be."""
    return Batch(batch.images.clamp_max(0.55), batch.labels.clamp_max(1))


def adapt(name, method, slices, weights, absent, steps=25):
    learner = method(name, weights=weights, learning_rate=5e-3, augment="weak")
    learner.prepare(Labelled(3, absent))
    torch.manual_seed(5)
    corrected = only_the_larger(Batch(*slices(3)))
    for step in range(steps):
        torch.manual_seed(step)
        others = Batch(slices(3)[0])
        report = learner.update(Episode({"a": DomainBatch(corrected, others)}, step, 25))
    return learner, report


def overlap(learner, slices):
    torch.manual_seed(99)
    images, labels = slices(12)
    found, truth = learner.predict(images).argmax(dim=1) == 2, labels == 2
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


KEEPING = ("finetune", "mean-teacher", "meta-disentangle")


@pytest.mark.parametrize("name", KEEPING)
def test_a_structure_that_no_correction_shows_is_not_forgotten(
    method, slices, trained_for, name
):
    trained = trained_for(name)
    before = overlap(method(name, weights=trained), slices)
    steps = 15 if name == "meta-disentangle" else 25  # it forgets sooner
    lost, report = adapt(name, method, slices, trained, (), steps)
    assert "absent" not in report
    kept, report = adapt(name, method, slices, trained, (2,), steps)
    assert report["absent"] >= 0
    assert before > 0.6
    assert overlap(kept, slices) > before - 0.1
    assert overlap(lost, slices) < overlap(kept, slices) - 0.2


@pytest.mark.parametrize("name", KEEPING)
def test_what_holds_it_is_part_of_the_checkpoint(method, slices, trained_for, name):
    trained = trained_for(name)
    learner, _ = adapt(name, method, slices, trained, (2,), steps=2)
    again = method(name, learning_rate=5e-3)
    again.prepare(Labelled(3, (2,)))
    again.load_state_dict(learner.state_dict())
    found = again.start.state_dict()
    # The classifier of domains alone is larger than that of the bundle.
    assert {key for key in found if not torch.equal(found[key], trained[key])} <= {
        "classifier.weight",
        "classifier.bias",
    }
