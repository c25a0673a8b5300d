"""Measures of how well anatomy and appearance are told apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from dgseg.inspection.measures import distance_correlations
from dgseg.metrics.dependence import distance_correlation
from dgseg.nets.config import DisentangledConfig
from dgseg.nets.disentangled import DisentangledNet


class Coded(nn.Module):
    """The anatomy is the image; the style is how bright it is; the domain code is noise."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.modes = []

    def anatomy(self, images):
        self.modes.append(self.training)
        return images

    def encode(self, images):
        noise = torch.sin(1e4 * images.flatten(1)[:, :1])
        return SimpleNamespace(style_mean=images.mean((2, 3)), domain_mean=noise)


def test_what_depends_is_told_from_what_does_not():
    generator = torch.Generator().manual_seed(0)
    level = torch.rand((150, 1, 1, 1), generator=generator)
    images = level + 0.01 * torch.rand((150, 1, 8, 8), generator=generator)
    net = Coded().train()
    found = distance_correlations(net, images)
    assert found["style"] > 0.99
    assert found["domain"] < 0.25
    assert found["domain"] < found["both"] < 1
    assert net.training
    assert not any(net.modes)
    anatomy = torch.cat(
        [images.mean((2, 3)), images.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)).flatten(1)], 1
    )
    codes = net.encode(images)
    assert found["style"] == pytest.approx(
        distance_correlation(anatomy.numpy(), codes.style_mean.numpy()), abs=1e-5
    )


def test_slices_of_several_sizes_are_one_sample():
    torch.manual_seed(0)
    config = DisentangledConfig(
        in_channels=1, n_classes=3, width=4, depth=2, groups=2, n_domains=3
    )
    net = DisentangledNet(config).eval()
    parts = [torch.rand(20, 1, 16, 16), torch.rand(3, 1, 24, 20)]
    found = distance_correlations(net, parts)
    assert set(found) == {"style", "domain", "both"}
    assert all(0 <= value <= 1 for value in found.values())
    whole = torch.rand(20, 1, 16, 16)
    expected = distance_correlations(net, whole)
    assert distance_correlations(net, list(whole.split(7))) == pytest.approx(expected, abs=1e-4)


def test_a_network_without_codes_has_none():
    assert distance_correlations(nn.Conv2d(1, 1, 1), torch.rand(4, 1, 8, 8)) is None
