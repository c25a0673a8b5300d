"""Features of a low rank that are near to a normal distribution."""

from __future__ import annotations

import pytest
import torch

from dgseg.errors import MethodError
from dgseg.losses.rank import rank_value
from dgseg.methods.lddg import LDDG
from dgseg.methods.registry import network
from dgseg.nets.build import build


def test_loss_is_the_weighted_sum(method, domains):
    learner = method("lddg", kl_weight=0.3, rank_weight=0.2)
    terms = learner.update(domains())
    expected = terms["task"] + 0.3 * terms["kl"] + 0.2 * terms["rank"]
    torch.testing.assert_close(terms["loss"], expected)


def test_terms_are_those_of_features_drawn_once(method, domains, monkeypatch):
    """Mean plus deviation times noise."""
    learner = method("lddg", augment="none")
    episode = domains()
    with torch.no_grad():
        mean, log_variance = learner.net.distribution(episode.labelled().images)
    noise = torch.randn_like(mean)
    monkeypatch.setattr(torch, "randn_like", lambda like: noise)
    terms = learner.update(episode)
    drawn = mean + (0.5 * log_variance).exp() * noise
    torch.testing.assert_close(terms["rank"], rank_value(drawn, 3), rtol=1e-4, atol=1e-4)
    each = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
    torch.testing.assert_close(terms["kl"], each.mean(), rtol=1e-4, atol=1e-6)


def test_rank_term_presses_directions_out(method, domains):
    def final(weight):
        learner = method("lddg", total=30, kl_weight=0.0, rank_weight=weight)
        for step in range(30):
            torch.manual_seed(step)
            terms = learner.update(domains(step, 30))
        return terms["rank"]

    assert final(1.0) < 0.9 * final(0.0)


def test_network_has_more_features_than_classes():
    for n_classes, channels in ((4, 8), (8, 9)):
        described = network("lddg", {}, n_classes, width=4, depth=2, n_domains=2)
        assert described["latent_channels"] == channels
    assert network("lddg", {"latent_channels": 12}, 4, 4, 2, 2)["latent_channels"] == 12


def test_other_networks_and_no_labels_are_refused(method, episode):
    with pytest.raises(MethodError, match="labelled"):
        method("lddg").update(episode(labelled=0))
    plain = build({"kind": "unet", "width": 4, "depth": 2})
    with pytest.raises(MethodError, match="not a UNet"):
        LDDG(plain, None, LDDG.Config(), 10)
