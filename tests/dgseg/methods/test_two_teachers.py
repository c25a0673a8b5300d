"""A bold and a wary student, and what is made of them."""

from __future__ import annotations

import pytest
import torch

from dgseg.methods.base import Labelled

GOOD, BAD, NONE = Labelled(4, dice=0.7), Labelled(4, dice=0.6), Labelled(0)


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def taught(learner, episode, known, steps=4, **slices):
    """After some steps, each with its own seed."""
    learner.prepare(known)
    for step in range(steps):
        torch.manual_seed(step)
        learner.update(episode(step, **slices))
    return learner


def test_the_bundle_gets_the_mean_of_both_students(method, episode):
    learner = taught(method("two-teachers"), episode, GOOD)
    first, second = (weights(student.deployable()) for student in learner.students)
    assert not torch.equal(first, second)
    torch.testing.assert_close(weights(learner.deployable()), (first + second) / 2)


def test_one_is_taught_by_its_running_mean_the_other_by_the_bundle(method, episode):
    learner = taught(method("two-teachers", few_weight=0.25), episode, GOOD)
    bold, wary = learner.students
    assert (bold.wary, wary.wary) == (False, True)
    now = episode()
    assert bold._teaching(now) is bold.mean.net
    assert wary._teaching(now) is wary.start
    assert (bold._trust(), wary._trust()) == (1.0, 0.25)


def test_the_students_share_no_weights(method, episode):
    learner = method("two-teachers")
    bold, wary = learner.students
    torch.testing.assert_close(weights(bold.net), weights(wary.net))
    assert not {id(p) for p in bold.parameters()} & {id(p) for p in wary.parameters()}
    before = weights(wary.net)
    bold.update(episode())
    assert torch.equal(weights(wary.net), before)


def test_the_wary_student_learns_less_from_the_corrections(method, episode):
    """Without unlabelled slices it is the corrections alone that move them."""
    learner = method("two-teachers", few_weight=0.0)
    start = weights(learner.deployable())
    bold, wary = taught(learner, episode, GOOD, unlabelled=0).students
    assert (weights(bold.deployable()) - start).norm() > 1e-3
    assert (weights(wary.deployable()) - start).norm() < 1e-3


@pytest.mark.parametrize(
    ("labelled", "slices"),
    [(BAD, {}), (Labelled(4), {}), (NONE, {"labelled": 0})],
    ids=["bad bundle", "not measured", "no corrections"],
)
def test_where_one_student_is_enough_it_is_a_mean_teacher(method, episode, labelled, slices):
    learner = taught(method("two-teachers"), episode, labelled, **slices)
    assert len(learner.students) == 1
    same = taught(method("mean-teacher"), episode, labelled, **slices)
    assert torch.equal(weights(learner.deployable()), weights(same.deployable()))


def test_few_slices_may_be_left_to_the_wary_student_alone(method, episode):
    learner = taught(method("two-teachers", few_slices=2), episode, Labelled(2, dice=0.7))
    assert [student.wary for student in learner.students] == [True]
    learner = taught(method("two-teachers"), episode, Labelled(3, dice=0.7))
    assert [student.wary for student in learner.students] == [False, True]


def test_what_is_reported_is_the_mean(method, episode, monkeypatch):
    learner = method("two-teachers")
    for student, loss in zip(learner.students, (1.0, 4.0), strict=True):
        told = {"loss": torch.tensor(loss), "supervised": torch.tensor(loss / 2)}
        monkeypatch.setattr(student, "update", lambda episode, told=told: told)
    losses = learner.update(episode())
    assert {name: float(value) for name, value in losses.items()} == {
        "loss": 2.5,
        "supervised": 1.25,
    }


def test_a_state_of_other_corrections_is_refused(method):
    one, two = method("two-teachers"), method("two-teachers")
    one.prepare(BAD)
    with pytest.raises(ValueError, match="students"):
        two.load_training_state(one.training_state())
