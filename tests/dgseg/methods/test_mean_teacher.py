"""The teacher and what it teaches."""

from __future__ import annotations

import copy

import pytest
import torch

from dgseg.errors import MethodError
from dgseg.losses.supervised import dice_ce
from dgseg.methods.base import Batch, DomainBatch, Episode, Labelled

PLAIN = {
    "consistency": "mse",
    "confidence": 0.0,
    "teacher_views": 0,
    "temperature": 1.0,
    "ramp": 0.25,
}
"""What the student is compared with is what its running mean says of the slice."""


def teacher(learner):
    return learner.deployable()


def test_the_teacher_is_deployed_and_never_gets_a_gradient(method, episode):
    learner = method("mean-teacher")
    assert teacher(learner) is learner.mean.net
    for step in range(3):
        learner.update(episode(step))
        assert all(
            p.grad is None and not p.requires_grad for p in teacher(learner).parameters()
        )
        assert all(p.grad is not None for p in learner.net.parameters())
    trained = {id(p) for group in learner._optimiser.param_groups for p in group["params"]}
    assert trained == {id(p) for p in learner.net.parameters()}


def test_the_teacher_is_the_running_mean_of_the_student(method, episode):
    learner = method("mean-teacher", ema_decay=0.6)
    expected = [p.double() for p in teacher(learner).parameters()]
    for step in range(6):
        learner.update(episode(step))
        decay = min(1 - 1 / (step + 2), 0.6)
        expected = [
            decay * e + (1 - decay) * p.detach().double()
            for e, p in zip(expected, learner.net.parameters(), strict=True)
        ]
    for mine, theirs in zip(teacher(learner).parameters(), expected, strict=True):
        torch.testing.assert_close(mine.double(), theirs, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "terms"),
    [
        (4, 4, {"loss", "supervised", "consistency"}),
        (0, 4, {"loss", "consistency"}),
        (4, 0, {"loss", "supervised"}),
    ],
)
def test_either_kind_of_slices_is_enough(method, episode, labelled, unlabelled, terms):
    learner = method("mean-teacher")
    before = copy.deepcopy(learner.net.state_dict())
    losses = learner.update(episode(20, labelled=labelled, unlabelled=unlabelled))
    assert set(losses) == terms
    after = learner.net.state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)


def test_nothing_at_all_is_refused(method, episode):
    with pytest.raises(MethodError, match="no slice"):
        method("mean-teacher").update(episode(labelled=0, unlabelled=0))
    with pytest.raises(MethodError, match="labelled"):
        method("deepall").update(episode(labelled=0, unlabelled=4))


def test_the_loss_is_the_weighted_sum(method, episode):
    learner = method("mean-teacher", consistency_weight=7.0, ramp=0.5)
    losses = learner.update(episode(10, 40))  # half of the ramp of 20 steps
    ramp = torch.exp(torch.tensor(-5 * 0.5**2))
    expected = losses["supervised"] + 7 * ramp * losses["consistency"]
    torch.testing.assert_close(losses["loss"], expected)


FEW, MANY = Labelled(2, dice=0.7), Labelled(3, dice=0.7)
BAD, UNKNOWN = Labelled(2, dice=0.6), Labelled(2)


@pytest.mark.parametrize(
    ("labelled", "trust"), [(FEW, 0.25), (MANY, 1.0), (BAD, 1.0), (UNKNOWN, 1.0)]
)
def test_few_corrections_weigh_less_where_the_bundle_is_good(method, episode, labelled, trust):
    learner = method(
        "mean-teacher", consistency_weight=7.0, few_slices=2, few_weight=0.25, good_dice=0.65
    )
    learner.prepare(labelled)
    losses = learner.update(episode())
    expected = trust * losses["supervised"] + 7 * losses["consistency"]
    torch.testing.assert_close(losses["loss"], expected)


def test_pointwise_network_agrees_with_its_teacher_under_the_same_movement(slices):
    """Perone's rule by equivariance: a network that looks at single pixels commutes with
    the movement, so with the teacher's output moved alike there is nothing to learn."""
    learner = _pointwise({"rotation_deg": 30.0, "translation_px": 5.0, "elastic_px": 2.0})
    losses = learner.update(_unlabelled(slices))
    # Linear in the intensity but for the softmax, which interpolation does not quite
    # commute with; without moving the teacher's output the error is fifty times larger.
    assert losses["consistency"] < 2e-5
    unmoved = _pointwise({"rotation_deg": 30.0, "translation_px": 5.0, "elastic_px": 2.0})
    plain = unmoved._spatial.apply
    unmoved._spatial.apply = lambda drawn, x, mode="bilinear": (
        x if x.shape[1] == 3 else plain(drawn, x, mode)
    )
    assert unmoved.update(_unlabelled(slices))["consistency"] > 50 * losses["consistency"]


def _unlabelled(slices):
    images = slices(8)[0]
    return Episode({"a": DomainBatch(None, Batch(images))}, 20, 40)


def _pointwise(augment):
    from lightning_fabric import Fabric

    from dgseg.methods.registry import create

    net = torch.nn.Conv2d(1, 3, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1, 1))
        net.bias.zero_()
    fabric = Fabric(accelerator="cpu", devices=1)
    settings = PLAIN | {"augment": augment}
    return create("mean-teacher", net, fabric, settings, 40)


@pytest.mark.parametrize("views", [0, 2])
def test_the_teacher_sees_the_slices_as_they_are_and_then_other_views(method, slices, views):
    learner = method("mean-teacher", augment="strong", teacher_views=views, teacher_zoom=2.0)
    images = slices(4)[0]
    seen = []
    learner.start.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    learner.update(Episode({"a": DomainBatch(None, Batch(images))}, 20, 40))
    assert len(seen) == 1 + views
    assert torch.equal(seen[0], images)
    assert not any(torch.equal(view, images) for view in seen[1:])


@pytest.mark.parametrize(
    ("labelled", "facts", "asked"),
    [
        (2, MANY, "mean"),
        (2, BAD, "mean"),
        (2, UNKNOWN, "mean"),
        (2, FEW, "start"),
        (0, Labelled(0), "start"),
    ],
)
def test_where_little_is_to_be_learnt_the_teacher_stays_what_it_was(
    method, episode, labelled, facts, asked
):
    learner = method("mean-teacher", learning_rate=1e-2, few_slices=2, good_dice=0.65)
    learner.prepare(facts)
    first = copy.deepcopy(learner.start.state_dict())
    calls = {"mean": 0, "start": 0}

    def count(name):
        def hook(_module, _args):
            calls[name] += 1

        return hook

    learner.mean.net.register_forward_pre_hook(count("mean"))
    learner.start.register_forward_pre_hook(count("start"))
    for step in range(3):
        learner.update(episode(step, labelled=labelled))
    assert calls[asked] > 0
    assert sum(calls.values()) == calls[asked]
    for name, weight in learner.start.state_dict().items():
        assert torch.equal(weight, first[name])
    assert any(
        not torch.equal(weight, first[name])
        for name, weight in learner.mean.net.state_dict().items()
    )


def test_unsure_teacher_is_not_listened_to(method, episode):
    learner = method("mean-teacher", confidence=1.0)
    losses = learner.update(episode(20, labelled=0))
    assert losses["consistency"] == 0


def test_only_annotated_pixels_teach(method, slices):
    """Labels where nobody vouched for them may say anything."""
    results = []
    images, labels = slices(4)
    annotated = torch.zeros_like(labels, dtype=torch.bool)
    annotated[:, 10:22] = True
    for nonsense in (0, 2):
        torch.manual_seed(3)
        learner = method("mean-teacher", augment="strong")
        batch = Batch(images, labels.where(annotated, nonsense), annotated)
        learner.update(Episode({"a": DomainBatch(batch, None)}, 0, 40))
        results.append(learner.net.state_dict())
    assert all(torch.equal(results[0][key], results[1][key]) for key in results[0])


def test_anchor_holds_the_student(method, episode):
    moved = {}
    for anchor in (0.0, 150.0):
        torch.manual_seed(1)
        learner = method("mean-teacher", anchor=anchor)
        begin = [p.detach().clone() for p in learner.net.parameters()]
        for step in range(10):
            learner.update(episode(step))
        moved[anchor] = sum(
            float((p - q).square().sum())
            for p, q in zip(learner.net.parameters(), begin, strict=True)
        )
    assert moved[150.0] < 0.6 * moved[0.0]


def test_anchor_survives_a_checkpoint(method, episode):
    first = method("mean-teacher", anchor=10.0)
    first.update(episode())
    second = method("mean-teacher", anchor=10.0)
    with torch.no_grad():
        for parameter in second.start.parameters():
            parameter.add_(1.0)
    second.load_state_dict(first.state_dict())
    for a, b in zip(first.start.parameters(), second.start.parameters(), strict=True):
        assert torch.equal(a, b)


def test_labelled_views_repeat_the_corrections(method, episode):
    learner = method("mean-teacher", labelled_views=3)
    sizes = []
    learner.net.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    learner.update(episode(labelled=2, unlabelled=4))
    assert sizes == [6 + 4]
    marked = torch.ones(2, 32, 32, dtype=torch.bool)
    learner.update(episode(labelled=2, unlabelled=0, annotated=marked))
    assert sizes[1:] == [6]


def test_the_teacher_remembers_longer_after_the_switch(method, episode):
    """Brute force over all weights of the student: 0.5 for 4 steps of 8, then 0.9, and
    never more than makes the plain mean of all weights so far."""
    options = {"ema_decay": 0.5, "late_ema_decay": 0.9, "ema_switch": 0.5}
    learner = method("mean-teacher", total=8, **options)
    seen = [[p.detach().double() for p in learner.net.parameters()]]
    shares = [1.0]
    for step in range(8):
        learner.update(episode(step, 8))
        seen.append([p.detach().double() for p in learner.net.parameters()])
        decay = min(1 - 1 / (step + 2), 0.5 if step < 4 else 0.9)
        shares = [decay * share for share in shares] + [1 - decay]
    assert shares[0] == pytest.approx(0.5**4 * (5 / 6) * (6 / 7) * (7 / 8) * (8 / 9))
    for mean, *weights in zip(teacher(learner).parameters(), *seen, strict=True):
        expected = sum(share * w for share, w in zip(shares, weights, strict=True))
        torch.testing.assert_close(mean.double(), expected, atol=1e-6, rtol=1e-5)


def test_the_teacher_never_changes_its_mind_by_default(method, episode):
    learner = method("mean-teacher", total=4)
    for step in range(4):
        learner.update(episode(step, 4))
        assert learner.mean.decay == 0.99


@pytest.mark.parametrize("kind", ["mse", "ce", "dice", "tversky", "labels"])
def test_any_kind_of_consistency_teaches_by_unlabelled_slices(method, episode, kind):
    learner = method("mean-teacher", consistency=kind, ramp=0.0, consistency_weight=1.0)
    losses = torch.stack(
        [learner.update(episode(step, labelled=0))["consistency"] for step in range(4)]
    )
    assert torch.isfinite(losses).all()
    assert (losses > 0).all()
    assert all(p.grad.abs().sum() > 0 for p in learner.net.parameters())


def test_any_network_moves_with_its_slices_when_they_are_mirrored(method, slices):
    """Equivariance of what is compared, for a network that is not: a mirrored slice is
    compared with the mirrored answer to the slice as it was."""
    learner = method("mean-teacher", **PLAIN | {"augment": {"flip_probability": 1.0}})
    images = slices(3)[0]
    with torch.no_grad():
        answer = learner.net(images).softmax(1).flip(-1)
        student = learner.net(images.flip(-1)).softmax(1)
    losses = learner.update(_only(images))
    expected = (student - answer).square().mean()
    assert expected > 1e-5
    torch.testing.assert_close(losses["consistency"], expected, rtol=1e-3, atol=0)


def _only(images):
    return Episode({"a": DomainBatch(None, Batch(images))}, 20, 40)


def test_labelled_slices_of_the_sources_are_learnt_from_beside(method, slices):
    """The paper's setting: labels at the sources, none at the target; or some there, too."""
    source, other, target = (Batch(*slices(2)) for _ in range(3))
    unlabelled = Batch(slices(3)[0])
    for corrections, labelled in ((None, [source, other]), (target, [source, other, target])):
        learner = method("mean-teacher", augment="none")
        with torch.no_grad():
            logits = learner.net(torch.cat([b.images for b in labelled]))
            expected = dice_ce(logits, torch.cat([b.labels for b in labelled]))
        given = {
            "source": DomainBatch(source),
            "other": DomainBatch(other),
            "site": DomainBatch(corrections, unlabelled),
        }
        losses = learner.update(Episode(given, 20, 40))
        assert set(losses) == {"loss", "supervised", "consistency"}
        torch.testing.assert_close(losses["supervised"], expected)
