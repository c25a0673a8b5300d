"""Random convolutions."""

from __future__ import annotations

import torch

from dgseg.augment.gin import random_convolutions


def test_range_and_shape():
    images = torch.rand(12, 1, 20, 30)
    changed = random_convolutions(images)
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1 + 1e-6
    assert (changed - images).abs().amax((1, 2, 3)).median() > 0.05


def test_every_image_by_itself():
    """Equal images come out different; the draw of one does not depend on the others."""
    image = torch.rand(1, 1, 16, 16)
    changed = random_convolutions(image.expand(4, -1, -1, -1))
    assert (changed[0] - changed[1]).abs().max() > 1e-3
    other = torch.rand(1, 1, 16, 16)
    torch.manual_seed(1)
    first = random_convolutions(torch.cat([image, other]))
    torch.manual_seed(1)
    second = random_convolutions(torch.cat([image, torch.zeros(1, 1, 16, 16)]))
    torch.testing.assert_close(first[0], second[0])


def test_keeps_norm_and_mean_until_rescaled():
    """Within [0, 1] nothing is rescaled: the norm about the mean is that of the image."""
    images = 0.5 + 0.01 * (torch.rand(20, 1, 24, 24) - 0.5)
    changed = random_convolutions(images)
    about = [x - images.mean((1, 2, 3), keepdim=True) for x in (images, changed)]
    torch.testing.assert_close(
        about[0].flatten(1).norm(dim=1), about[1].flatten(1).norm(dim=1), rtol=1e-2, atol=0
    )


def test_constant_image_stays():
    images = torch.full((3, 1, 8, 8), 0.3)
    torch.testing.assert_close(random_convolutions(images), images, atol=1e-4, rtol=0)


def test_positions_stay():
    """One bright pixel reaches no further than four 3 x 3 kernels."""
    images = torch.zeros(8, 1, 33, 33)
    images[..., 16, 16] = 1.0
    torch.manual_seed(0)
    with_pixel = random_convolutions(images)
    far = torch.ones(33, 33, dtype=torch.bool)
    far[12:21, 12:21] = False
    far[:4], far[-4:], far[:, :4], far[:, -4:] = False, False, False, False
    values = with_pixel[:, 0, far]
    assert (values.amax(1) - values.amin(1)).max() < 1e-5
