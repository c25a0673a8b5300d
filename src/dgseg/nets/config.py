"""How networks are described in bundles: plain values, checked."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

AnatomyKind = Literal["none", "sigmoid", "softmax", "binary"]
_Dims = Annotated[int, Field(ge=1, le=256)]


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


class DisentangledConfig(UNetConfig):
    """Networks for anatomy, style and domain; see `dgseg.nets.disentangled`.

    Attributes
    ----------
    n_domains : int
        Domains that the classifier tells apart.
    anatomy_channels : int
        Channels of the anatomy.
    anatomy : {'none', 'sigmoid', 'softmax', 'binary'}
        What is done to the channels: nothing; each in [0, 1]; all sum to one; the
        same, rounded to 0 and 1 with the gradient of the unrounded.
    task : {'network', 'first-channels'}
        A small network from anatomy to classes, or, as in DGNet's published code,
        the first channels themselves.
    style_dims, domain_dims : int
        Dimensions of the codes; without any for the domain there is no such code.
    encoders : {'separate', 'shared'}
        One encoder for each code, or one whose output is divided.
    """

    kind: Literal["disentangled"] = "disentangled"  # type: ignore[assignment]
    n_domains: _Dims = 2
    anatomy_channels: Annotated[int, Field(ge=2, le=256)] = 8
    anatomy: AnatomyKind = "softmax"
    task: Literal["network", "first-channels"] = "network"
    style_dims: _Dims = 8
    domain_dims: Annotated[int, Field(ge=0, le=256)] = 8
    encoders: Literal["separate", "shared"] = "separate"

    @model_validator(mode="after")
    def _enough_channels(self) -> Self:
        if self.task == "first-channels" and self.anatomy_channels < self.n_classes:
            raise ValueError(
                f"{self.anatomy_channels} anatomy channels cannot hold {self.n_classes} classes"
            )
        return self


class VariationalConfig(UNetConfig):
    """A U-Net to a normal distribution of features; see `dgseg.nets.variational`.

    Attributes
    ----------
    latent_channels : int
        Features of a pixel.
    """

    kind: Literal["variational"] = "variational"  # type: ignore[assignment]
    latent_channels: _Dims = 8
