"""Networks whose weights are the mean of others'."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn


class RunningMean(nn.Module):
    """The exponential moving average of a network's weights.

    Tarvainen and Valpola, NeurIPS 2017: after the t-th step of the optimiser,
    t = 1, 2, ..., ``mean = d * mean + (1 - d) * weights`` with
    ``d = min(1 - 1 / (t + 1), decay)``, so that it begins as the plain mean of
    all weights so far, those at the start among them.

    Parameters
    ----------
    net : nn.Module
        Not wrapped by Fabric. It is copied, and never changed.
    decay : float
        In [0, 1).
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).requires_grad_(False).eval()
        self.decay = decay
        self.n_updates = 0

    def train(self, mode: bool = True) -> RunningMean:
        """Do nothing: a mean is only ever used as in evaluation."""
        del mode
        return self

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take in the weights after one more step; buffers are copied."""
        self.n_updates += 1
        decay = min(1 - 1 / (self.n_updates + 1), self.decay)
        pull(self.net, net, 1 - decay)
        for mine, its in zip(self.net.buffers(), net.buffers(), strict=True):
            mine.copy_(its)


@torch.no_grad()
def pull(net: nn.Module, target: nn.Module, share: float) -> None:
    """Move a network's weights by a share of the way to those of another."""
    weights: list[torch.Tensor] = list(net.parameters())
    torch._foreach_lerp_(weights, list[torch.Tensor](target.parameters()), share)


@torch.no_grad()
def mean_of(nets: Sequence[nn.Module]) -> nn.Module:
    """A network with the plain mean of the weights of several; buffers are the first's.

    Parameters
    ----------
    nets : sequence of nn.Module
        Of one architecture, none of them wrapped by Fabric; they are left as they are.
    """
    mean = copy.deepcopy(nets[0])
    for n, net in enumerate(nets[1:], start=2):
        pull(mean, net, 1 / n)
    return mean
