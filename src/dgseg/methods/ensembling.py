"""A teacher that looks at a slice more than once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from dgseg.augment.intensity import IntensityAugment
from dgseg.methods.adapting_config import TeacherConfig

_ZOOMS = 5
"""Sizes to choose from: networks compile, or plan, for each size that they have not seen."""

_LEAST_PX = 16


class Ensemble:
    """A teacher's answer as a method's settings have it.

    Parameters
    ----------
    config : TeacherConfig
    """

    def __init__(self, config: TeacherConfig) -> None:
        self._config = config
        self._change = IntensityAugment(config.teacher_augment)

    def __call__(self, predict: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """See `ensembled`."""
        return ensembled(
            predict,
            images,
            self._change,
            views=self._config.teacher_views,
            zoom=self._config.teacher_zoom,
            temperature=self._config.temperature,
        )


@torch.no_grad()
def ensembled(
    predict: Callable[[Tensor], Tensor],
    images: Tensor,
    change: Callable[[Tensor], Tensor],
    *,
    views: int,
    zoom: float = 1.0,
    temperature: float = 1.0,
) -> Tensor:
    """Mean probabilities over an image as it is and over other views of it, sharpened.

    ``p = normalised(mean(p_0, ..., p_views) ^ (1 / temperature))``. What a network says of
    one view of a scanner that it does not know changes with contrast and size; the mean
    is unsure where it does. Without sharpening (as in MixMatch, Berthelot et
    al., NeurIPS 2019, equation 7) a student of such means becomes less sure with every
    step, until it finds nothing.

    Parameters
    ----------
    predict : callable
        From images (N, 1, H, W) of any size to probabilities (N, C, H, W).
    images : Tensor, shape (N, 1, H, W)
    change : callable
        From images to images of the same size with other intensities.
    views : int
        Views beside the image as it is; 0 for none.
    zoom : float
        At least 1: each of them is enlarged by one of `_ZOOMS` factors from its inverse
        to itself, drawn from the global random generator. 1 for none.
    temperature : float
        Above 0; below 1 sharpens.

    Returns
    -------
    Tensor, shape (N, C, H, W)
        float32; sums to 1 over the classes.
    """
    total = predict(images)
    for _ in range(views):
        size = _size(images, zoom)
        seen = predict(change(_resized(images, size)))
        total = total + _resized(seen, (images.shape[-2], images.shape[-1]))
    if temperature == 1.0:
        return total / (views + 1)
    # Relative to the largest, so that no power underflows where it matters.
    sharp = (total / total.amax(dim=1, keepdim=True)).pow(1.0 / temperature)
    return sharp / sharp.sum(dim=1, keepdim=True)


def _size(images: Tensor, zoom: float) -> tuple[int, int]:
    height, width = images.shape[-2:]
    if zoom == 1.0:
        return height, width
    place = int(torch.randint(_ZOOMS, ())) / (_ZOOMS - 1)
    factor = zoom ** (2.0 * place - 1.0)
    return max(_LEAST_PX, round(factor * height)), max(_LEAST_PX, round(factor * width))


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    if (images.shape[-2], images.shape[-1]) == size:
        return images
    return F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
