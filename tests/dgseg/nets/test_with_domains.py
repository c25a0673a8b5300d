"""A classifier of domains that learns of more of them."""

from __future__ import annotations

import torch

from dgseg.nets.config import DisentangledConfig
from dgseg.nets.disentangled import DisentangledNet, with_domains


def make(**changes) -> DisentangledNet:
    torch.manual_seed(0)
    return DisentangledNet(DisentangledConfig(width=4, depth=2, n_domains=3, **changes))


def test_known_domains_keep_their_scores_and_everything_else_is_as_it_was():
    net = make()
    grown = with_domains(net, 5)
    codes, images = torch.randn(6, 8), torch.rand(2, 1, 16, 16)
    scores = grown.classify(codes)
    assert scores.shape == (6, 5)
    torch.testing.assert_close(scores[:, :3], net.classify(codes))
    torch.testing.assert_close(grown(images), net(images))
    assert torch.equal(scores[:, 3], scores[:, 4])
    assert grown.config == net.config.model_copy(update={"n_domains": 5})


def test_it_is_a_copy():
    net = make()
    grown = with_domains(net, 4)
    with torch.no_grad():
        for parameter in grown.parameters():
            parameter.zero_()
    assert any(parameter.any() for parameter in net.parameters())
    assert net.config.n_domains == 3


def test_no_domain_is_ever_taken_away():
    net = make()
    assert with_domains(net, 2) is net


def test_a_network_without_a_domain_code_has_no_classifier_to_grow():
    net = make(domain_dims=0)
    assert with_domains(net, 9) is net
