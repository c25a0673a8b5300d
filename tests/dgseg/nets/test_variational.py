"""The network with a distribution of features at every pixel."""

from __future__ import annotations

import pytest
import torch

from dgseg.errors import BundleError
from dgseg.nets.build import build

DESCRIPTION = {
    "kind": "variational",
    "n_classes": 3,
    "width": 4,
    "depth": 3,
    "groups": 2,
    "latent_channels": 5,
}


@pytest.fixture
def net():
    return build(DESCRIPTION).eval()


def test_shapes_for_slices_of_any_size(net):
    for size in ((16, 16), (13, 22)):
        images = torch.rand(2, 1, *size)
        mean, log_variance = net.distribution(images)
        assert mean.shape == log_variance.shape == (2, 5, *size)
        assert net(images).shape == (2, 3, *size)


def test_inference_takes_the_mean(net):
    images = torch.rand(2, 1, 16, 16)
    mean, _ = net.distribution(images)
    assert torch.equal(net(images), net.segment(mean))
    assert torch.equal(net.train()(images), net(images))


def test_classes_are_linear_in_the_features_of_their_pixel(net):
    first, second = torch.rand(2, 1, 5, 6, 6)
    between = net.segment(0.3 * first + 0.7 * second)
    torch.testing.assert_close(between, 0.3 * net.segment(first) + 0.7 * net.segment(second))
    changed = first.clone()
    changed[..., 2, 3] += 1
    moved = (net.segment(changed) != net.segment(first)).any(1)[0]
    assert moved.nonzero().tolist() == [[2, 3]]


def test_distribution_is_exact_in_half_precision(net):
    with torch.autocast("cpu", torch.bfloat16):
        found = net.distribution(torch.rand(1, 1, 16, 16))
    assert all(x.dtype == torch.float32 for x in found)


def test_no_features_are_refused():
    with pytest.raises(BundleError, match="latent_channels"):
        build(DESCRIPTION | {"latent_channels": 0})
