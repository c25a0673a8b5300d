"""Which weights an adaptation changes, and what it can go back to."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dgseg.errors import MethodError
from dgseg.methods.adapting_config import Trained
from dgseg.nets.disentangled import Decoder

_NORMALISATIONS = (
    nn.GroupNorm,
    nn.LayerNorm,
    nn.BatchNorm2d,
    nn.InstanceNorm2d,
)


_EPS = 1e-6


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


def merge_absent(
    logits: Tensor, labels: Tensor, absent: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Logits and labels in which classes that no label shows are part of the background.

    What a person calls background may well be an absent class to the network, and the
    labels say nothing of it: the unbiased cross-entropy of Cermelli et al., "Modeling
    the background for incremental learning in semantic segmentation", CVPR 2020. The
    probability of the new background is the sum of those that it is made of.

    Parameters
    ----------
    logits : Tensor, shape (N, C, H, W)
    labels : Tensor of int64, shape (N, H, W)
        Classes, none of them absent.
    absent : sequence of int
        Classes without the background, 0.

    Returns
    -------
    logits : Tensor, shape (N, C - absent, H, W), float32
    labels : Tensor of int64, shape (N, H, W)
    """
    n_classes = logits.shape[1]
    present = [k for k in range(1, n_classes) if k not in absent]
    logits = logits.float()
    background = logits[:, [0, *absent]].logsumexp(dim=1, keepdim=True)
    places = torch.zeros(n_classes, dtype=torch.int64, device=labels.device)
    places[present] = torch.arange(1, len(present) + 1, device=labels.device)
    return torch.cat([background, logits[:, present]], dim=1), places[labels]


def held_loss(
    logits: Tensor,
    before: Tensor,
    absent: Sequence[int],
    valid: Tensor | None = None,
) -> Tensor:
    """How far a network is from what another said of some classes.

    The cross-entropy between the probabilities of each of these classes and of all
    others together (Hinton et al., 2015; Li and Hoiem, "Learning without forgetting",
    ECCV 2016), less the other's entropy: zero where both say the same. It is the mean
    over the pixels where either finds one of the classes, a small structure weighing as
    much as a large one, and over all pixels.

    Parameters
    ----------
    logits : Tensor, shape (N, C, H, W)
    before : Tensor, shape (N, C, H, W)
        Probabilities of the other network. No gradient flows into them.
    absent : sequence of int
        The classes.
    valid : Tensor of bool, shape (N, H, W), optional
        Pixels to compare; all if not given.

    Returns
    -------
    Tensor
        0-d.
    """
    logits = logits.float()
    others = [k for k in range(logits.shape[1]) if k not in absent]
    rest = logits[:, others].logsumexp(dim=1, keepdim=True)
    now = torch.cat([rest, logits[:, list(absent)]], dim=1).log_softmax(dim=1)
    wanted = torch.cat(
        [before[:, others].sum(dim=1, keepdim=True), before[:, list(absent)]], dim=1
    )
    wanted = wanted.detach().float().clamp_min(_EPS)
    divergence = (wanted * (wanted.log() - now)).sum(dim=1)
    mask = torch.ones_like(divergence) if valid is None else valid.to(divergence.dtype)
    found = torch.maximum(1 - wanted[:, 0], 1 - now[:, 0].detach().exp()) * mask
    near = (divergence * found).sum() / found.sum().clamp_min(1.0)
    return near + (divergence * mask).sum() / mask.sum().clamp_min(1.0)
