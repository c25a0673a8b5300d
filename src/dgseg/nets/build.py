"""From a network's description to the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from torch import nn

from dgseg.errors import BundleError, first_problem
from dgseg.nets.config import DisentangledConfig, UNetConfig, VariationalConfig
from dgseg.nets.disentangled import DisentangledNet
from dgseg.nets.unet import UNet
from dgseg.nets.variational import VariationalNet

_KINDS: dict[str, tuple[type[UNetConfig], Callable[[Any], nn.Module]]] = {
    "unet": (UNetConfig, lambda config: UNet(**config.model_dump(exclude={"kind"}))),
    "disentangled": (DisentangledConfig, DisentangledNet),
    "variational": (VariationalConfig, VariationalNet),
}


def build(network: Mapping[str, int | float | str | bool]) -> nn.Module:
    """A network with fresh weights, drawn from the global random generator.

    Parameters
    ----------
    network : mapping
        ``{"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 16,
        "depth": 4, ...}``; see `dgseg.nets.config` for the kinds and their values.

    Raises
    ------
    BundleError
        If the kind or a value is not one that this version knows.
    """
    kind = network.get("kind")
    if kind not in _KINDS:
        known = ", ".join(map(repr, _KINDS))
        raise BundleError(
            f"The model's network cannot be used: its kind is {kind!r}, this version "
            f"knows {known}.",
            remedy="Update dgseg, or choose another model.",
        )
    schema, make = _KINDS[str(kind)]
    try:
        config = schema.model_validate(dict(network))
    except ValidationError as error:
        raise BundleError(
            f"The model's network cannot be used: {first_problem(error)}.",
            remedy="Update dgseg, or choose another model.",
        ) from error
    return make(config)


def count_parameters(net: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
