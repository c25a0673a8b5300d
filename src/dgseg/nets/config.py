"""How networks are described in bundles: plain values, checked."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class UNetConfig(BaseModel):
    """A two-dimensional U-Net.

    Attributes
    ----------
    in_channels : int
        Channels of an image.
    n_classes : int
        Classes with the background.
    width : int
        Channels at full resolution; they double with every halving.
    depth : int
        Number of resolutions; ``depth - 1`` halvings.
    groups : int
        Groups of each normalisation; divides `width`.
    upsampling : {'bilinear', 'transposed'}
        Bilinear interpolation after a 1 x 1 convolution, or a transposed
        convolution of stride 2, which is a little faster.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["unet"] = "unet"
    in_channels: Annotated[int, Field(ge=1, le=64)] = 1
    n_classes: Annotated[int, Field(ge=2, le=256)] = 2
    width: Annotated[int, Field(ge=1, le=512)] = 16
    depth: Annotated[int, Field(ge=1, le=8)] = 4
    groups: Annotated[int, Field(ge=1, le=64)] = 4
    upsampling: Literal["bilinear", "transposed"] = "bilinear"

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        if self.width % self.groups:
            raise ValueError(f"{self.groups} groups do not divide a width of {self.width}")
        return self
