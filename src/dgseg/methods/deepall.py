"""Supervised learning on all domains at once."""

from __future__ import annotations

from typing import ClassVar

from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.methods.base import Episode
from dgseg.methods.config import DeepAllConfig
from dgseg.methods.one_network import OneNetwork


class DeepAll(OneNetwork):
    """One network on the labelled slices of all domains, strongly augmented.

    The baseline of domain generalisation, and a hard one to beat where the
    augmentation is good. Unlabelled slices are not used.
    """

    name: ClassVar[str] = "deepall"
    title: ClassVar[str] = "All domains together"
    when: ClassVar[str] = (
        "For a first model from labelled scans of several centres, "
        "and for many corrected slices of one site."
    )
    Config: ClassVar[type[DeepAllConfig]] = DeepAllConfig

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: DeepAllConfig, total_steps: int
    ) -> None:
        super().__init__(net, fabric, config, total_steps, config.ema_decay)

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step on all labelled slices.

        Raises
        ------
        MethodError
            If there are none.
        """
        return self._supervised_step(episode)
