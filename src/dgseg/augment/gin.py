"""Global intensity non-linear augmentation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

_LAYERS = 4
_HIDDEN = 2


def random_convolutions(images: Tensor) -> Tensor:
    """Images as some other scanner might show them: random shallow convolutions.

    GIN of Ouyang et al., "Causality-inspired single-source domain
    generalization for medical image segmentation", IEEE TMI 2023, eq. 3: four
    convolutions with kernels of side 1 or 3, two hidden channels, weights and
    offsets from a standard normal distribution and leaky rectifiers between
    them; the result is blended with the image by a random share and brought
    to the Frobenius norm of the image. Each image has its own draw.

    The source works on images of zero mean and any range. Here the image's
    mean is taken off before and put back after, and a result that leaves
    [0, 1] is rescaled into it, as normalising a scan does.

    Parameters
    ----------
    images : Tensor, shape (N, 1, H, W)
        In [0, 1].

    Returns
    -------
    Tensor, shape (N, 1, H, W)
        In [0, 1].
    """
    n = len(images)
    mean = images.mean((1, 2, 3), keepdim=True)
    centred = images - mean
    x = centred.transpose(0, 1)  # each image is a group of the convolutions
    channels = [1, *[_HIDDEN] * (_LAYERS - 1), 1]
    for layer in range(_LAYERS):
        before, after = channels[layer], channels[layer + 1]
        kernels = torch.randn(n, after, before, 3, 3, device=images.device)
        kernels = _some_pointwise(kernels).flatten(0, 1)
        offsets = torch.randn(n * after, device=images.device)
        x = F.conv2d(x, kernels, offsets, padding=1, groups=n)
        if layer < _LAYERS - 1:
            x = F.leaky_relu(x, inplace=True)
    share = torch.rand(n, 1, 1, 1, device=images.device)
    mixed = torch.lerp(centred, x.transpose(0, 1), share)
    norms = [torch.linalg.vector_norm(y, dim=(1, 2, 3), keepdim=True) for y in (centred, mixed)]
    return _into_range(mixed * (norms[0] / (norms[1] + 1e-5)) + mean)


def _some_pointwise(kernels: Tensor) -> Tensor:
    """For half of the images only the kernel's centre: a kernel of side 1."""
    only_centre = torch.zeros(3, 3, device=kernels.device)
    only_centre[1, 1] = 1.0
    small = torch.rand(len(kernels), 1, 1, 1, 1, device=kernels.device) < 0.5
    return torch.where(small, kernels * only_centre, kernels)


def _into_range(images: Tensor) -> Tensor:
    low = images.amin((1, 2, 3), keepdim=True).clamp_max(0.0)
    high = images.amax((1, 2, 3), keepdim=True).clamp_min(1.0)
    return (images - low) / (high - low)
