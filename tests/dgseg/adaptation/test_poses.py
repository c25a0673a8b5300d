"""The pose of a scan is sought once for each bundle, by the network as it is given."""

from __future__ import annotations

import pytest
import torch

from dgseg.adaptation.poses import PoseFinder, _found
from dgseg.nets.poses import AS_IT_IS

CPU = torch.device("cpu")


class Counting(torch.nn.Module):
    """Class 1 where it is bright; surest of what is large."""

    def __init__(self):
        super().__init__()
        self.threshold = torch.nn.Parameter(torch.tensor(0.5))
        self.n_calls, self.modes = 0, set()

    def forward(self, images):
        self.n_calls += 1
        self.modes.add(self.training)
        steepness = 1 + 40 * (images > 0.5).float().mean(dim=(1, 2, 3), keepdim=True)
        return torch.cat(
            (torch.zeros_like(images), steepness * (images - self.threshold)), dim=1
        )


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
    finder = PoseFinder(net, "a" * 12, CPU, "fp32")
    pose = finder("scan", images)
    n_calls, seconds = net.n_calls, finder.seconds
    assert pose.zoom == 1.4
    assert seconds > 0
    assert net.modes == {False}
    assert net.training
    again = PoseFinder(net, "a" * 12, CPU, "fp32")
    assert again("scan", torch.zeros(6, 1, 48, 48)) == pose
    assert (net.n_calls, again.seconds) == (n_calls, 0.0)


def test_another_scan_and_another_bundle_are_sought(images):
    net = Counting()
    assert PoseFinder(net, "a" * 12, CPU, "fp32")("scan", images).zoom == 1.4
    assert PoseFinder(net, "a" * 12, CPU, "fp32")("other", torch.zeros_like(images)) == AS_IT_IS
    assert PoseFinder(net, "b" * 12, CPU, "fp32")("scan", torch.zeros_like(images)) == AS_IT_IS


def test_the_network_gets_back_as_it_was(images):
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1)).train()
    layout = net[0].weight.is_contiguous()
    PoseFinder(net, "c" * 12, CPU, "fp32")("scan", images)
    assert net.training
    assert net[0].weight.is_contiguous() == layout
    assert net[0].weight.requires_grad
