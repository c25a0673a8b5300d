"""No label at all: a segmenter that becomes surer of what it sees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.errors import MethodError
from dgseg.losses.entropy import entropy
from dgseg.methods.adapting_config import TentConfig
from dgseg.methods.anchoring import frozen_copy
from dgseg.methods.base import Episode
from dgseg.methods.domains import batches_of
from dgseg.methods.one_network import OneNetwork
from dgseg.methods.views import View

SAR = TentConfig(margin=0.4, sharpness=0.05, recovery=0.2)
"""Constants of Niu et al., ICLR 2023."""

_MEMORY = 0.9
"""Of the running mean of the entropy (Niu et al.)."""


class Tent(OneNetwork):
    """Minimises the entropy of the answers by the affine weights of the norm layers.

    Tent is Wang et al., ICLR 2021; all slices count, labelled or not, and no label
    does. The preset "sar" is Niu et al., ICLR 2023: only answers that are sure to
    begin with count, the gradient is taken where the entropy rises most steeply
    nearby, so that flat minima are preferred, and when the answers become sure
    beyond belief, which is how a collapse to one class shows, the weights go back
    to those at the start.

    Segmentation differs from the classification that both were made for. An answer
    is one pixel's, so that the sure ones are chosen by pixel, not by image. The
    normalisation is by slice and group, and there are no statistics to renew, with
    which half of Tent begins. Most pixels are background, and sure: the mean entropy
    of a good segmenter is far below SAR's absolute 0.2, and so what is compared
    with 0.2 is its share of the entropy in the first step. No layer is left out: SAR
    leaves out those near the classes, and a U-Net has no such end, for each of its
    levels goes to the classes by a short way.
    """

    name: ClassVar[str] = "tent"
    title: ClassVar[str] = "Entropy minimisation"
    when: ClassVar[str] = (
        "For trying beside another, with corrections to judge it: it finds much where the "
        "others find nothing, and does harm elsewhere."
    )
    Config: ClassVar[type[TentConfig]] = TentConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sar": {"cpu": SAR, "gpu": SAR}}
    adapts: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False
    drifts: ClassVar[bool] = True
    config: TentConfig
    first: Tensor
    recent: Tensor

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: TentConfig, total_steps: int
    ) -> None:
        super().__init__(net, fabric, config, total_steps, config.ema_decay)
        if config.recovery and self.start is None:
            self.start = frozen_copy(self.net)
        # Entropy of the first step and its running mean, 0 before there is any.
        for name in ("first", "recent"):
            self.register_buffer(name, torch.zeros((), device=fabric.device))

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step on all slices, without their labels.

        Raises
        ------
        MethodError
            If there are none.
        """
        view = self._viewer.view(batches_of(episode, list(episode.domains)))
        if view is None:
            raise MethodError(
                "There is no slice to learn from.", remedy="Add some scans first."
            )
        loss, sure = self._entropy(view, view.valid)
        if self.config.sharpness:
            self._optimiser.zero_grad()
            self._fabric.backward(loss)
            before = self._climb()
            loss, _ = self._entropy(view, sure)
            self._optimiser.zero_grad()
            self._fabric.backward(loss)
            _put_back(before)
            self._step_optimiser(episode)
        else:
            self._step(loss, episode)
        loss = loss.detach()
        if self.config.recovery:
            self._recover(loss)
        return {"loss": loss, "entropy": loss}

    def _entropy(self, view: View, within: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Mean entropy of those pixels of `within` that are sure, and which they are."""
        logits = self._student(view.images)
        found = entropy(logits)
        if self.config.margin < 1:
            sure = found.detach() < self.config.margin * math.log(logits.shape[1])
            within = sure if within is None else within & sure
        if within is None:
            return found.mean(), None
        mask = within.to(found.dtype)
        return (found * mask).sum() / mask.sum().clamp_min(1.0), within

    @torch.no_grad()
    def _climb(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Go to the steepest rise at a given distance; what the weights were.

        Foret et al., ICLR 2021: ``w + rho * g / |g|``.
        """
        moved = [(p, p.grad) for p in self.net.parameters() if p.grad is not None]
        norm = torch.stack([gradient.norm() for _, gradient in moved]).norm()
        before = [(p, p.detach().clone()) for p, _ in moved]
        for parameter, gradient in moved:
            parameter.add_(gradient * (self.config.sharpness / (norm + 1e-12)))
        return before

    @torch.no_grad()
    def _recover(self, loss: Tensor) -> None:
        """Go back to the start if the entropy has fallen too far; waits for no device."""
        assert self.start is not None
        # 0 where no pixel was sure: that step says nothing.
        self.first.copy_(torch.where(self.first == 0, loss, self.first))
        mean = torch.where(self.recent == 0, loss, _MEMORY * self.recent + (1 - _MEMORY) * loss)
        self.recent.copy_(torch.where(loss == 0, self.recent, mean))
        lost = (self.recent > 0) & (self.recent < self.config.recovery * self.first)
        self.recent.mul_(~lost)
        for net in (self.net, *([] if self.mean is None else [self.mean.net])):
            for weight, old in zip(net.parameters(), self.start.parameters(), strict=True):
                weight.copy_(torch.where(lost, old, weight))
        for state in self._optimiser.state.values():
            for value in state.values():
                value.copy_(torch.where(lost.to(value.device), 0.0, value))


@torch.no_grad()
def _put_back(before: list[tuple[nn.Parameter, Tensor]]) -> None:
    for parameter, value in before:
        parameter.copy_(value)
