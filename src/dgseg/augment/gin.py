"""Global intensity non-linear augmentation: a random shallow network as a new contrast."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (the field's name for it)

_HIDDEN = 2
_LAYERS = 4


def gin(images: Tensor) -> Tensor:
    """Blend each slice with its image under a random convolutional network.

    Four layers with kernels of 1 or 3 pixels, two hidden channels, leaky ReLU
    between, a random share of the original in the blend, and the Frobenius norm
    of the original (Ouyang et al., IEEE TMI 2022, section III-A).

    Parameters
    ----------
    images : Tensor, shape (N, 1, H, W), float32

    Returns
    -------
    Tensor
        Of the same shape; every slice has its own network.
    """
    n, _, height, width = images.shape
    x = images.reshape(1, n, height, width)
    channels = [1, *[_HIDDEN] * (_LAYERS - 1), 1]
    for layer in range(_LAYERS):
        before, after = channels[layer], channels[layer + 1]
        kernel = 3 if torch.rand(()) < 0.5 else 1
        shape = (n * after, before, kernel, kernel)
        weight = torch.randn(shape, device=images.device)
        shift = torch.randn(n * after, device=images.device)
        x = F.conv2d(x, weight, padding=kernel // 2, groups=n)
        x = x + shift.view(1, -1, 1, 1)
        if layer < _LAYERS - 1:
            x = F.leaky_relu(x)
    mixed = x.reshape(n, 1, height, width)
    alpha = torch.rand(n, 1, 1, 1, device=images.device)
    blended = alpha * mixed + (1.0 - alpha) * images
    norm = images.flatten(1).norm(dim=1) / blended.flatten(1).norm(dim=1).clamp_min(1e-5)
    return blended * norm.view(-1, 1, 1, 1)
