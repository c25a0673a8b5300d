"""From a bundle's description of its network to the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from dgseg.errors import BundleError
from dgseg.nets.unet import UNet


class UNetConfig(BaseModel):
    """Parameters of a `UNet`, as they stand in ``bundle.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["unet"] = "unet"
    in_channels: Annotated[int, Field(ge=1, le=16)] = 1
    n_classes: Annotated[int, Field(ge=2, le=256)]
    width: Annotated[int, Field(ge=2, le=256)] = 16
    depth: Annotated[int, Field(ge=1, le=8)] = 4


def build(network: Mapping[str, Any]) -> nn.Module:
    """Build a network with fresh weights.

    Parameters
    ----------
    network : mapping
        ``{"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 16, "depth": 4}``.

    Raises
    ------
    BundleError
        If the kind is unknown, or a parameter is missing, unknown or out of range.
    """
    try:
        config = UNetConfig.model_validate(dict(network))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BundleError(
            f"The description of the network cannot be used ({where}: {first['msg']}).",
            remedy="The bundle may come from a newer version of napari-dgseg; update it.",
        ) from error
    return UNet(config.in_channels, config.n_classes, config.width, config.depth)
