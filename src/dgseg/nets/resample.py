"""From a scan's pixels to a model's grid and back, edge to edge."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring images, or maps of probabilities, to another number of pixels.

    Both grids cover the same extent edge to edge, so a point keeps its place
    in millimetres. Linear interpolation; where pixels grow larger, the mean
    over each (a linear, "antialiasing" filter), so that thin structures
    neither vanish nor alias.

    Parameters
    ----------
    images : Tensor, shape (N, C, H, W)
        Floating point.
    size : tuple of int
        Rows and columns wanted.

    Returns
    -------
    Tensor, shape (N, C, *size)
        Linear in the input, and within its range; the input itself where the
        size is the same.
    """
    if images.shape[-2:] == size:
        return images
    shrinks = size[0] < images.shape[-2] or size[1] < images.shape[-1]
    return F.interpolate(
        images, size=size, mode="bilinear", align_corners=False, antialias=shrinks
    )


def resize_labels(labels: Tensor, size: tuple[int, int], n_classes: int) -> Tensor:
    """Bring labels to another number of pixels: the class with the largest share of each.

    Parameters
    ----------
    labels : Tensor of integers, shape (N, H, W)
        Classes below `n_classes`.
    size : tuple of int
        Rows and columns wanted.
    n_classes : int
        Number of classes with the background.

    Returns
    -------
    Tensor of uint8, shape (N, *size)
    """
    if labels.shape[-2:] == size:
        return labels.to(torch.uint8)
    shares = torch.stack([(labels == c).float() for c in range(n_classes)], dim=1)
    return resize(shares, size).argmax(dim=1).to(torch.uint8)
