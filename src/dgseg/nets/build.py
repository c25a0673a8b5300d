"""From a network's description to the network."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError
from torch import nn

from dgseg.errors import BundleError
from dgseg.nets.config import UNetConfig
from dgseg.nets.unet import UNet


def build(network: Mapping[str, int | float | str | bool]) -> nn.Module:
    """A network with fresh weights, drawn from the global random generator.

    Parameters
    ----------
    network : mapping
        ``{"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 16,
        "depth": 4, ...}``; see `dgseg.nets.config.UNetConfig`.

    Raises
    ------
    BundleError
        If the kind or a value is not one that this version knows.
    """
    kind = network.get("kind")
    if kind != "unet":
        raise BundleError(
            f"The model's network cannot be used: its kind is {kind!r}, this version knows 'unet'.",
            remedy="Update dgseg, or choose another model.",
        )
    try:
        config = UNetConfig.model_validate(dict(network))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "network"
        raise BundleError(
            f"The model's network cannot be used: {place}: {first['msg']}.",
            remedy="Update dgseg, or choose another model.",
        ) from error
    return UNet(**config.model_dump(exclude={"kind"}))


def count_parameters(net: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
