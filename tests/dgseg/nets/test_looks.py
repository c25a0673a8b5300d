"""Mean features are those of the level, and nothing stays behind in the network."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dgseg.nets.looks import Looks
from dgseg.nets.unet import UNet


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Identity(), UNet(width=4, depth=3, groups=2)).eval()


@pytest.mark.parametrize("level", [0, 1, 2, -1])
def test_they_are_the_means_of_a_level(net, level):
    images = torch.rand(3, 1, 16, 20)
    with Looks(net, level) as looks, torch.no_grad():
        net(images)
        found = looks.take(3)
        assert looks.take(3) is None
    with torch.no_grad():
        x = images
        for place in range(level % 3 + 1):
            x = net[1].encoder[place](F.max_pool2d(x, 2) if place else x)
    torch.testing.assert_close(found, x.mean(dim=(2, 3)))
    assert looks.n_features == x.shape[1]
    assert looks.noted == []
    assert not any(block._forward_hooks for block in net[1].encoder)


def test_of_slices_that_were_not_seen_whole_nothing_is_known(net):
    with Looks(net, 1) as looks, torch.no_grad():
        net(torch.rand(2, 1, 16, 16))
        assert looks.take(3) is None
        net(torch.rand(1, 1, 16, 16))
        net(torch.rand(1, 1, 16, 16))
        assert looks.take(2) is None
        assert looks.noted == []


@pytest.mark.parametrize(("other", "level"), [(nn.Conv2d(1, 1, 1), -1), (None, 3)])
def test_networks_without_such_a_level_note_nothing(net, other, level):
    with Looks(other or net, level) as looks, torch.no_grad():
        (other or net)(torch.rand(1, 1, 16, 16))
    assert looks.n_features == 0
    assert looks.take(1) is None
