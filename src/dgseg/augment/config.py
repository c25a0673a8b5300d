"""How strongly slices are changed in training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

PresetName = Literal["none", "weak", "strong"]

_Probability = Annotated[float, Field(ge=0, le=1)]
_Size = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class AugmentConfig:
    """Ranges of random changes; every slice of a batch draws its own.

    A range ``r`` means a uniform draw from ``-r`` to ``r`` unless said
    otherwise. The defaults change nothing.

    Attributes
    ----------
    spatial_probability : float
        Share of slices that are moved and bent at all.
    rotation_deg, shear_deg : float
        Degrees.
    scale : float
        Size is multiplied by ``exp(u)`` with u up to this: 0.2 is about 20 %.
    translation_px : float
        Pixels, along each axis.
    elastic_px : float
        Standard deviation of the displacement of a pixel along each axis, pixels.
    elastic_grid_px : float
        Distance of the control points of the bending, pixels.
    flip_probability : float
        Share of slices that are mirrored left to right. Only for anatomy
        that is its own mirror image: never for the heart.
    gamma : float
        Intensities in [0, 1] to the power of ``exp(u)`` with u up to this.
    gamma_probability, contrast_probability, tone_probability,
    inversion_probability, gin_probability, bias_probability,
    blur_probability, low_resolution_probability, noise_probability : float
        Share of slices that the change is applied to.
    contrast, brightness : float
        Intensities times ``1 + u`` around 0.5, and plus v.
    tone_probability : float
        A random rising Bezier curve from intensity to intensity.
    inversion_probability : float
        Dark becomes bright.
    gin_probability : float
        Random shallow convolutions; see `dgseg.augment.gin`.
    bias : float
        Largest coefficient of the logarithm of the bias field; see
        `dgseg.augment.bias`.
    blur_px : float
        Largest standard deviation of a Gaussian, pixels.
    low_resolution : float
        Largest factor by which pixels are made larger, along each axis; at least 1.
    noise : float
        Largest standard deviation of Gaussian noise; intensities are in [0, 1].
    """

    spatial_probability: _Probability = 1.0
    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 0.0
    shear_deg: Annotated[float, Field(ge=0, le=45)] = 0.0
    scale: Annotated[float, Field(ge=0, le=1)] = 0.0
    translation_px: _Size = 0.0
    elastic_px: _Size = 0.0
    elastic_grid_px: Annotated[float, Field(ge=4)] = 24.0
    flip_probability: _Probability = 0.0
    gamma: Annotated[float, Field(ge=0, le=2)] = 0.0
    gamma_probability: _Probability = 0.0
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.0
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    contrast_probability: _Probability = 0.0
    tone_probability: _Probability = 0.0
    inversion_probability: _Probability = 0.0
    gin_probability: _Probability = 0.0
    bias: Annotated[float, Field(ge=0, le=2)] = 0.0
    bias_probability: _Probability = 0.0
    blur_px: Annotated[float, Field(ge=0, le=8)] = 0.0
    blur_probability: _Probability = 0.0
    low_resolution: Annotated[float, Field(ge=1, le=8)] = 1.0
    low_resolution_probability: _Probability = 0.0
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    noise_probability: _Probability = 0.0

    @classmethod
    def preset(cls, name: PresetName) -> AugmentConfig:
        """``"none"``, ``"weak"`` (for a teacher's view), or ``"strong"`` (for training).

        Raises
        ------
        ValueError
            For any other name.
        """
        try:
            return _PRESETS[name]
        except KeyError:
            known = ", ".join(_PRESETS)
            raise ValueError(f"there is no preset {name!r}; there are {known}") from None


_PRESETS: dict[str, AugmentConfig] = {
    "none": AugmentConfig(spatial_probability=0.0),
    "weak": AugmentConfig(
        rotation_deg=5.0,
        scale=0.05,
        translation_px=3.0,
        gamma=0.1,
        gamma_probability=0.5,
        noise=0.02,
        noise_probability=0.3,
    ),
    "strong": AugmentConfig(
        spatial_probability=0.9,
        rotation_deg=20.0,
        shear_deg=5.0,
        scale=0.25,
        translation_px=8.0,
        elastic_px=3.0,
        elastic_grid_px=24.0,
        gamma=0.5,
        gamma_probability=0.4,
        contrast=0.3,
        brightness=0.15,
        contrast_probability=0.4,
        tone_probability=0.3,
        inversion_probability=0.1,
        gin_probability=0.4,
        bias=0.5,
        bias_probability=0.4,
        blur_px=1.2,
        blur_probability=0.25,
        low_resolution=2.5,
        low_resolution_probability=0.25,
        noise=0.08,
        noise_probability=0.4,
    ),
}
