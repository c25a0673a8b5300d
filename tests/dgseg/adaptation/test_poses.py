"""The pose of a scan is sought once for each bundle, by the network as it is given."""

from __future__ import annotations

import pytest
import torch
from lightning_fabric import Fabric

from dgseg.adaptation.poses import PoseFinder, _found
from dgseg.nets.poses import AS_IT_IS

FABRIC = Fabric(accelerator="cpu", devices=1)


class Counting(torch.nn.Module):
    """Class 1 where it is bright; surest of what is large."""

    def __init__(self):
        super().__init__()
        self.n_calls, self.modes = 0, set()

    def forward(self, images):
        self.n_calls += 1
        self.modes.add(self.training)
        steepness = 1 + 40 * (images > 0.5).float().mean(dim=(1, 2, 3), keepdim=True)
        return torch.cat((torch.zeros_like(images), steepness * (images - 0.5)), dim=1)


@pytest.fixture(autouse=True)
def _forget():
    _found.clear()
    yield
    _found.clear()


@pytest.fixture
def images():
    one = torch.zeros(6, 1, 48, 48)
    one[..., 18:30, 18:30] = 1.0
    return one


def test_what_was_found_is_not_sought_again(images):
    net = Counting().train()
    finder = PoseFinder(net, "a" * 12, FABRIC)
    pose = finder("scan", images)
    n_calls, seconds = net.n_calls, finder.seconds
    assert pose.zoom == 1.4
    assert seconds > 0
    assert net.modes == {False}
    assert net.training
    again = PoseFinder(net, "a" * 12, FABRIC)
    assert again("scan", torch.zeros(6, 1, 48, 48)) == pose
    assert (net.n_calls, again.seconds) == (n_calls, 0.0)


def test_another_scan_and_another_bundle_are_sought(images):
    net = Counting()
    assert PoseFinder(net, "a" * 12, FABRIC)("scan", images).zoom == 1.4
    assert PoseFinder(net, "a" * 12, FABRIC)("other", torch.zeros_like(images)) == AS_IT_IS
    assert PoseFinder(net, "b" * 12, FABRIC)("scan", torch.zeros_like(images)) == AS_IT_IS
