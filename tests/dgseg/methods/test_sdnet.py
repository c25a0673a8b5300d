"""One code, no meta-learning, and a judge."""

from __future__ import annotations

import copy

import pytest
import torch

from dgseg.errors import MethodError
from dgseg.methods.base import Batch, DomainBatch, Episode
from dgseg.methods.sdnet import _drawn
from dgseg.methods.views import View

TERMS = {"task", "reconstruction", "kl", "latent", "adversarial"}
WEIGHTS = {"task": 10, "reconstruction": 1, "kl": 0.01, "latent": 1, "adversarial": 10}


def changed(before, module):
    after = module.state_dict()
    return any(not torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_fixed_slices_are_learnt(method, domains, precision):
    learner = method("sdnet", total=50, precision=precision)
    episode = domains()
    found = []
    for step in range(50):
        terms = learner.update(Episode(episode.domains, step, 50))
        found.append(torch.stack([terms[name] for name in ("task", "reconstruction")]))
    found = torch.stack(found)
    assert torch.isfinite(found).all()
    assert (found[-5:].mean(0) < 0.85 * found[:5].mean(0)).all()


def test_loss_is_the_weighted_sum_of_the_published_terms(method, domains):
    terms = method("sdnet").update(domains())
    assert set(terms) == TERMS | {"loss", "judge"}
    expected = sum(WEIGHTS[name] * terms[name] for name in TERMS)
    torch.testing.assert_close(terms["loss"], expected)


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "left_out"),
    [
        (4, 0, {"adversarial", "judge"}),
        (0, 4, {"task", "judge"}),
    ],
)
def test_either_kind_of_slices_is_enough(method, episode, labelled, unlabelled, left_out):
    learner = method("sdnet")
    net, judge = (copy.deepcopy(m.state_dict()) for m in (learner.net, learner.judge))
    terms = learner.update(episode(labelled=labelled, unlabelled=unlabelled))
    assert set(terms) == (TERMS | {"loss", "judge"}) - left_out
    assert changed(net, learner.net)
    weights = {k: v for k, v in judge.items() if not k.endswith(("_u", "_v"))}
    assert not changed(weights, learner.judge)


def test_no_slice_is_refused(method, episode):
    with pytest.raises(MethodError, match="no slice"):
        method("sdnet").update(episode(labelled=0, unlabelled=0))


def test_the_judge_learns_and_is_not_deployed(method, domains):
    learner = method("sdnet", adversarial_weight=1.0, judge_learning_rate=3e-3)
    scores = []
    for step in range(25):
        before = copy.deepcopy(learner.judge.state_dict())
        scores.append(learner.update(domains(step))["judge"])
        assert changed(before, learner.judge)
    assert torch.stack(scores[-5:]).mean() < torch.stack(scores[:5]).mean()
    judges = {id(p) for p in learner.judge.parameters()}
    assert not judges & {id(p) for p in learner.deployable().parameters()}
    optimised = learner._optimiser.param_groups
    assert not judges & {id(p) for group in optimised for p in group["params"]}


def test_the_networks_step_leaves_the_judge_without_gradient(method, episode):
    learner = method("sdnet")
    learner.update(episode(labelled=0))
    assert all(p.grad is None for p in learner.judge.parameters())


def test_the_judges_optimiser_is_part_of_the_state(method, domains):
    learner = method("sdnet")
    learner.update(domains())
    state = learner.training_state()
    assert state["judge"]["state"]
    with pytest.raises(KeyError):
        method("sdnet").load_training_state({k: state[k] for k in state if k != "judge"})
    with pytest.raises(TypeError, match="judge"):
        method("sdnet").load_training_state(state | {"judge": 3})


def test_pixels_that_nobody_vouches_for_are_as_predicted():
    labels = torch.tensor([[[0, 1], [2, 2]]])
    annotated = torch.tensor([[[True, True], [True, False]]])
    predicted = torch.tensor([0.5, 0.3, 0.2])[None, :, None, None].expand(1, 3, 2, 2)
    view = View(torch.zeros(1, 1, 2, 2), torch.zeros(1), labels, annotated, None, None)
    expected = torch.tensor([[[0.0, 1.0], [0.0, 0.3]], [[0.0, 0.0], [1.0, 0.2]]])
    torch.testing.assert_close(_drawn(view, predicted)[0], expected)


def test_anything_may_be_in_unannotated_labels(method, slices):
    images, labels = slices(4)
    annotated = torch.ones_like(labels, dtype=torch.bool)
    annotated[:, :8] = False
    batch = Batch(images, labels.where(annotated, 255), annotated)
    unlabelled = Batch(slices(4)[0])
    terms = method("sdnet").update(Episode({"a": DomainBatch(batch, unlabelled)}, 0, 10))
    assert all(torch.isfinite(v) for v in terms.values())


def test_one_code(method, slices):
    """Factors say so, and the network has neither a second encoder nor a classifier."""
    learner = method("sdnet")
    factors = learner.factors(slices(2)[0])
    assert factors.style.shape == (2, 8)
    assert factors.domain.shape == (2, 0)
    assert set(factors.anatomy.unique().tolist()) <= {0.0, 1.0}
    assert len(learner.net.encoders) == 1
    assert not list(learner.net.classifier.parameters())


def test_codes_are_found_again_without_the_anatomys_help(method, domains):
    learner = method("sdnet")
    seen = learner._see(learner._viewer.view([(0, domains().domains["a"])]))
    leaves = learner._leaves()
    found = torch.autograd.grad(
        learner._regression(seen), list(leaves.values()), allow_unused=True
    )
    moved = {name for name, g in zip(leaves, found, strict=True) if g is not None}
    assert {name.split(".")[1] for name in moved} == {"encoders", "decoder"}
