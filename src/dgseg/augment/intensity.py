"""Other scanners, protocols and coils: changes of intensity, batched on the device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (the field's name for it)

from dgseg.augment.config import IntensityConfig
from dgseg.augment.gin import gin

_BLUR_KERNEL = (7, 7)


class IntensityAugment:
    """Changes slices as another scanner would; positions stay as they are.

    Parameters
    ----------
    config : IntensityConfig
    """

    def __init__(self, config: IntensityConfig) -> None:
        self.config = config

    def __call__(self, images: Tensor) -> Tensor:
        """Change slices (N, 1, H, W) in [0, 1] into others of the same range, float32."""
        c = self.config
        steps: tuple[tuple[float, Callable[[Tensor], Tensor]], ...] = (
            (c.gin, lambda x: stretch(gin(x))),
            (c.curve, self._curve),
            (c.gamma, self._gamma),
            (c.contrast, self._contrast),
            (c.bias, self._bias),
            (c.blur, self._blur),
            (c.low_resolution, self._low_resolution),
            (c.noise, self._noise),
        )
        images = images.float()
        with torch.no_grad():
            for share, change in steps:
                if share > 0:
                    images = _some(images, share, change)
        return images

    def _curve(self, images: Tensor) -> Tensor:
        """A piecewise linear curve through random points, rising or falling."""
        n, points = len(images), 6
        heights = torch.rand(n, points, device=images.device).sort(dim=1).values
        heights = (heights - heights[:, :1]) / (heights[:, -1:] - heights[:, :1]).clamp_min(
            1e-3
        )
        falls = torch.rand(n, 1, device=images.device) < self.config.curve_inverted
        heights = torch.where(falls, 1.0 - heights, heights)
        at = images.clamp(0, 1).flatten(1) * (points - 1)
        low = at.floor().clamp_max(points - 2).long()
        left, right = heights.gather(1, low), heights.gather(1, low + 1)
        return (left + (right - left) * (at - low)).view_as(images)

    def _gamma(self, images: Tensor) -> Tensor:
        exponent = torch.exp(_uniform(images, -self.config.gamma_log, self.config.gamma_log))
        return images.clamp(0, 1).clamp_min(1e-6) ** exponent

    def _contrast(self, images: Tensor) -> Tensor:
        limit = self.config.contrast_range
        slope = 1.0 + _uniform(images, -limit, limit)
        lift = _uniform(images, -limit / 2, limit / 2)
        return ((images - 0.5) * slope + 0.5 + lift).clamp(0, 1)

    def _bias(self, images: Tensor) -> Tensor:
        """Multiply by the exponential of a smooth random field."""
        coarse = torch.randn(len(images), 1, 4, 4, device=images.device) * self.config.bias_log
        field = F.interpolate(coarse, images.shape[-2:], mode="bicubic", align_corners=True)
        return stretch(images * torch.exp(field))

    def _blur(self, images: Tensor) -> Tensor:
        sigma = _uniform(images, 0.3, max(self.config.blur_px, 0.31)).view(-1, 1)
        return gaussian_blur2d(
            images, _BLUR_KERNEL, sigma.expand(-1, 2), border_type="replicate"
        )

    def _low_resolution(self, images: Tensor) -> Tensor:
        """Sample coarser along rows, columns or both, and interpolate back."""
        top = self.config.low_resolution_factor
        factors = 1.0 + torch.rand(2) * (top - 1.0)
        if torch.rand(()) < 0.3:
            factors[int(torch.randint(2, ()))] = 1.0
        height, width = images.shape[-2:]
        size = [
            max(int(side / float(f)), 1)
            for side, f in zip((height, width), factors, strict=True)
        ]
        small = F.interpolate(
            images, size, mode="bilinear", antialias=True, align_corners=False
        )
        return F.interpolate(small, (height, width), mode="bilinear", align_corners=False)

    def _noise(self, images: Tensor) -> Tensor:
        sd = _uniform(images, 0.0, self.config.noise_sd)
        return (images + sd * torch.randn_like(images)).clamp(0, 1)


def stretch(images: Tensor) -> Tensor:
    """Linearly to [0, 1], each slice by itself; a constant slice becomes 0."""
    low = images.amin(dim=(1, 2, 3), keepdim=True)
    high = images.amax(dim=(1, 2, 3), keepdim=True)
    return (images - low) / (high - low).clamp_min(1e-5)


def _some(images: Tensor, share: float, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Change a random share of the slices."""
    chosen = torch.rand(len(images)) < share
    if not bool(chosen.any()):
        return images
    index = chosen.nonzero()[:, 0].to(images.device)
    result = images.clone()
    result[index] = change(images[index])
    return result


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    draw = torch.rand(len(images), 1, 1, 1, device=images.device)
    return low + (high - low) * draw
