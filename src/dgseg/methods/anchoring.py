"""Which weights an adaptation changes, and what it can go back to."""

from __future__ import annotations

import copy

from torch import nn

from dgseg.errors import MethodError
from dgseg.methods.adapting_config import Trained
from dgseg.nets.disentangled import Decoder

_NORMALISATIONS = (
    nn.GroupNorm,
    nn.LayerNorm,
    nn.BatchNorm2d,
    nn.InstanceNorm2d,
)


def norm_parameters(net: nn.Module) -> list[nn.Parameter]:
    """Scales and offsets of a network's normalisation layers, as far as these have any.

    Those of adaptive instance normalisation are made from a code: what makes them
    is among the parameters.
    """
    found: list[nn.Parameter] = []
    for module in net.modules():
        if isinstance(module, _NORMALISATIONS):
            found += module.parameters(recurse=False)
        elif isinstance(module, Decoder):
            found += module.code.parameters()
    return found


def train_only(net: nn.Module, trained: Trained) -> None:
    """Freeze all parameters that are not to be trained.

    Raises
    ------
    MethodError
        If there would be none left.
    """
    if trained == "all":
        return
    chosen = norm_parameters(net)
    if not chosen:
        raise MethodError(
            "The normalisation layers of this model have no weights to adapt.",
            remedy="Choose a method that changes all weights, such as mean-teacher.",
        )
    net.requires_grad_(False)
    for parameter in chosen:
        parameter.requires_grad_(True)


def frozen_copy(net: nn.Module) -> nn.Module:
    """A copy of a network as it is now, which nothing will train."""
    return copy.deepcopy(net).requires_grad_(False).eval()
