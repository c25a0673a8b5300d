"""Random changes of how slices look that leave their anatomy where it is."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from kornia.enhance import adjust_gamma
from kornia.filters import gaussian_blur2d
from torch import Tensor

from dgseg.augment.bias import bias_field, n_coefficients
from dgseg.augment.config import AugmentConfig
from dgseg.augment.gin import random_convolutions
from dgseg.augment.resolution import low_resolution

_Change = Callable[[Tensor], Tensor]
_LEAST_SIGMA_PX = 0.1


class IntensityAugment:
    """Another scanner, coil, contrast or resolution for each slice of a batch.

    Each change is made to a random share of the slices, in the order of a
    scanner's work: tissue contrast, coil, resolution, noise.

    Parameters
    ----------
    config : AugmentConfig
    """

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        self._changes: tuple[tuple[float, _Change], ...] = (
            (config.gin_probability, random_convolutions),
            (config.tone_probability, random_tones),
            (config.inversion_probability, _invert),
            (config.gamma_probability, self._gamma),
            (config.contrast_probability, self._contrast),
            (config.bias_probability, self._bias),
            (config.blur_probability, self._blur),
            (config.low_resolution_probability, self._low_resolution),
            (config.noise_probability, self._noise),
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Change images (N, 1, H, W) in [0, 1] to others in [0, 1].

        Random numbers come from the global generators: which slices are
        changed from that of the CPU, so that a GPU need not be waited for,
        and how from that of the images' device.
        """
        for probability, change in self._changes:
            chosen = torch.nonzero(torch.rand(len(images)) < probability).flatten()
            if len(chosen):
                chosen = chosen.to(images.device, non_blocking=True)
                changed = change(images[chosen]).clamp(0.0, 1.0)
                images = images.index_copy(0, chosen, changed)
        return images

    def _gamma(self, images: Tensor) -> Tensor:
        exponent = torch.exp(self.config.gamma * _symmetric(images, 1))
        changed: Tensor = adjust_gamma(
            images, exponent.flatten(), torch.ones_like(exponent).flatten()
        )
        return changed

    def _contrast(self, images: Tensor) -> Tensor:
        factor = 1 + self.config.contrast * _symmetric(images, 1)
        return (images - 0.5) * factor + 0.5 + self.config.brightness * _symmetric(images, 1)

    def _bias(self, images: Tensor) -> Tensor:
        draws = _symmetric(images, n_coefficients()).flatten(1)
        draws[:, 0] = 0.0  # a constant factor would be no field
        field = bias_field(self.config.bias * draws, (images.shape[-2], images.shape[-1]))
        return images * field / field.mean((2, 3), keepdim=True)

    def _blur(self, images: Tensor) -> Tensor:
        sigma = (self.config.blur_px * _uniform(images, 1).flatten(1)).clamp_min(
            _LEAST_SIGMA_PX
        )
        reach = min(math.ceil(3 * self.config.blur_px), min(images.shape[-2:]) - 1)
        kernel = (2 * reach + 1, 2 * reach + 1)
        blurred: Tensor = gaussian_blur2d(images, kernel, sigma.expand(-1, 2))
        return blurred

    def _low_resolution(self, images: Tensor) -> Tensor:
        largest = self.config.low_resolution
        return low_resolution(images, 1 + (largest - 1) * _uniform(images, 2).flatten(1))

    def _noise(self, images: Tensor) -> Tensor:
        sd = self.config.noise * _uniform(images, 1)
        return images + sd * torch.randn_like(images)


def random_tones(images: Tensor) -> Tensor:
    """Intensities through a random Bezier curve from 0 to 1.

    The cubic Bernstein polynomial with control values 0, p, q, 1 and p, q
    uniform in [0, 1], as in Zhou et al., "Models Genesis", MedIA 2021 (with
    control points evenly spaced). It stays in [0, 1], and rises: contrasts that
    do not keep the order of tissues come from inversion and random convolutions.

    Parameters
    ----------
    images : Tensor, shape (N, 1, H, W)
        In [0, 1].
    """
    p, q = _uniform(images, 1), _uniform(images, 1)
    rest = 1 - images
    return images * (3 * rest * (rest * p + images * q) + images * images)


def _invert(images: Tensor) -> Tensor:
    return 1 - images


def _uniform(images: Tensor, k: int) -> Tensor:
    """`k` draws from [0, 1) for each image, (N, k, 1, 1)."""
    return torch.rand(len(images), k, 1, 1, device=images.device)


def _symmetric(images: Tensor, k: int) -> Tensor:
    return 2 * _uniform(images, k) - 1
