"""The U-Net takes any size, and moves with its image."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgseg.nets.build import count_parameters
from dgseg.nets.unet import UNet

NET = UNet(n_classes=3, width=4, depth=4, groups=2).eval()


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_any_size_comes_back(height, width):
    with torch.no_grad():
        logits = NET(torch.rand(2, 1, height, width))
    assert logits.shape == (2, 3, height, width)
    assert torch.isfinite(logits).all()


def test_smallest_and_longest():
    with torch.no_grad():
        assert NET(torch.rand(1, 1, 1, 1)).shape == (1, 3, 1, 1)
        assert NET(torch.rand(1, 1, 1, 300)).shape == (1, 3, 1, 300)


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("upsampling", ["bilinear", "transposed"])
def test_depths_and_upsampling(depth, upsampling):
    net = UNet(in_channels=2, n_classes=5, width=4, depth=depth, upsampling=upsampling)
    logits = net(torch.rand(1, 2, 33, 20))
    assert logits.shape == (1, 5, 33, 20)
    logits.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("upsampling", ["bilinear", "transposed"])
@pytest.mark.parametrize("shift", [(4, 0), (0, 8), (-4, 12)])
def test_moves_with_the_image(upsampling, shift):
    """By multiples of the coarsest pixel; the image is far from the edge."""
    net = UNet(n_classes=2, width=4, depth=3, upsampling=upsampling).double().eval()
    image = torch.zeros(1, 1, 192, 192, dtype=torch.float64)
    image[..., 88:104, 88:104] = torch.rand(16, 16, dtype=torch.float64)
    with torch.no_grad():
        before, after = net(image), net(image.roll(shift, (-2, -1)))
    middle = (..., slice(72, 120), slice(72, 120))
    torch.testing.assert_close(
        after.roll((-shift[0], -shift[1]), (-2, -1))[middle], before[middle]
    )


def test_padding_is_below_and_right_and_whole_sizes_are_not_padded():
    whole = torch.rand(1, 1, 32, 32)
    part = whole[..., :31, :]
    reflected = torch.cat([part, part[..., 29:30, :]], dim=-2)
    with torch.no_grad():
        torch.testing.assert_close(NET(part), NET(reflected)[..., :31, :])


def test_batch_mates_do_not_matter():
    images = torch.rand(3, 1, 24, 24)
    with torch.no_grad():
        alone, together = NET(images[:1]), NET(images)[:1]
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)


def test_training_and_evaluation_compute_the_same():
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        first = NET(image)
        second = NET.train()(image)
    NET.eval()
    assert torch.equal(first, second)


def test_parameters_by_hand():
    """Depth 2, width 4: the sum of every layer, written out."""

    def block(before, after):
        return 9 * before * after + 9 * after * after + 2 * 2 * after

    encoder = block(1, 4) + block(4, 8)
    up = 8 * 4 + 4
    head = 4 * 3 + 3
    net = UNet(n_classes=3, width=4, depth=2)
    assert count_parameters(net) == encoder + up + block(8, 4) + head
    net.head.requires_grad_(False)
    assert count_parameters(net) == encoder + up + block(8, 4)


def test_signal_keeps_its_size_at_the_start():
    with torch.no_grad():
        logits = UNet(n_classes=3)(torch.rand(4, 1, 64, 64))
    assert 0.1 < logits.std() < 10


def test_bfloat16_is_close():
    image = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        exact = NET(image)
        with torch.autocast("cpu", torch.bfloat16):
            rough = NET(image).float()
    assert (exact - rough).abs().max() < 0.1 * exact.abs().max()
