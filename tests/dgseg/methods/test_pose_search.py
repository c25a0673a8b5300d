"""A method that leaves the weights as they are."""

from __future__ import annotations

import pytest
import torch

from dgseg.errors import MethodError
from dgseg.methods import registry


def test_no_step_changes_a_weight(method, domains):
    learner = method("pose-search")
    before = {key: value.clone() for key, value in learner.deployable().state_dict().items()}
    for step in range(2):
        assert learner.update(domains(step))["loss"] == 0
    after = learner.deployable().state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert not any(p.grad is not None for p in learner.parameters())


def test_the_state_of_a_training_is_not_its_own(method):
    learner = method("pose-search")
    learner.load_training_state(learner.training_state())
    with pytest.raises(ValueError, match="learns nothing"):
        learner.load_training_state({"optimiser": {}})


@pytest.mark.parametrize("options", [{"learning_rate": 0.1}, {"seek_pose": False}])
def test_there_is_nothing_to_choose(options):
    with pytest.raises(MethodError, match="does not take this setting"):
        registry.configured("pose-search", options)


def test_it_is_offered_where_nothing_has_been_corrected():
    kind, settings = registry.resolve("pose-search")
    assert kind.adapts
    assert not kind.needs_labels
    assert settings.seek_pose
