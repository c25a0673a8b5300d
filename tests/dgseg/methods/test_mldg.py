"""Meta-learning of a plain segmenter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.func import functional_call

from dgseg.errors import MethodError
from dgseg.losses.supervised import dice_ce
from dgseg.methods.base import DomainBatch


def gradient_of(learner, episode):
    """What one step would go down."""
    caught = {}
    learner._descend = lambda gradients, leaves, episode: caught.update(gradients)
    losses = learner.update(episode)
    return caught, losses


@pytest.mark.parametrize("order", [1, 2])
def test_gradient_is_that_of_both_losses(method, domains, order):
    """Differentiated here as a whole, through the inner step."""
    options = {"augment": "none", "step_size": 0.3, "order": order}
    learner = method("mldg", **options)
    episode = domains()
    torch.manual_seed(3)
    found, losses = gradient_of(learner, episode)
    torch.manual_seed(3)
    train, test = (list(episode.domains)[i] for i in torch.randperm(2).tolist())

    def loss(parameters, domain):
        batch = episode.domains[domain].labelled
        return dice_ce(functional_call(learner.net, parameters, (batch.images,)), batch.labels)

    p = dict(learner.net.named_parameters())
    first = loss(p, train)
    second_order = {"create_graph": order == 2, "retain_graph": True}
    inner = torch.autograd.grad(first, list(p.values()), **second_order)
    fast = {name: v - 0.3 * g for (name, v), g in zip(p.items(), inner, strict=True)}
    second = loss(fast, test)
    expected = torch.autograd.grad(first + second, list(p.values()))
    torch.testing.assert_close(losses["loss"], (first + second).detach())
    torch.testing.assert_close(losses["task held out"], second.detach())
    scale = max(float(g.abs().max()) for g in expected)
    for (name, _), g in zip(p.items(), expected, strict=True):
        torch.testing.assert_close(found[name], g, atol=1e-4 * scale, rtol=1e-3)


def test_unlabelled_slices_change_nothing(method, domains):
    episode = domains()
    bare = {name: DomainBatch(batch.labelled) for name, batch in episode.domains.items()}
    weights = []
    for each in (episode, replace(episode, domains=bare)):
        learner = method("mldg")
        torch.manual_seed(5)
        learner.update(each)
        weights.append(learner.net.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_one_labelled_domain_is_refused(method, domains, episode):
    with pytest.raises(MethodError, match="those of 1") as caught:
        method("mldg").update(episode())
    assert "deepall" in caught.value.remedy
    with pytest.raises(MethodError, match="those of 0"):
        method("mldg").update(episode(labelled=0))


def test_schedule_of_orders(method, domains, monkeypatch):
    orders = []
    import dgseg.methods.mldg as module

    found = module.meta_gradient

    def noted(*args, order, **kwargs):
        orders.append(order)
        return found(*args, order=order, **kwargs)

    monkeypatch.setattr(module, "meta_gradient", noted)
    learner = method("mldg", total=8, first_order_share=0.25, second_order_every=3)
    for step in range(8):
        learner.update(domains(step, 8))
    assert orders == [1, 1, 2, 1, 1, 2, 1, 1]
