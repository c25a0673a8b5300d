"""The corrected slices of a site, and nothing else."""

from __future__ import annotations

from typing import ClassVar

from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.methods.adapting_config import FineTuneConfig
from dgseg.methods.base import Episode
from dgseg.methods.one_network import OneNetwork


class FineTune(OneNetwork):
    """Supervised learning on the annotated pixels of the corrected slices.

    They are strongly augmented, and the running mean of the weights goes into the
    bundle. What a clever method of adaptation must beat: a handful of slices is
    soon learnt by heart, and uncorrected scans are not used.
    """

    name: ClassVar[str] = "finetune"
    title: ClassVar[str] = "Fine-tuning"
    when: ClassVar[str] = (
        "For many corrected slices: it learns from these alone, gains little from "
        "a handful, and does harm with one."
    )
    Config: ClassVar[type[FineTuneConfig]] = FineTuneConfig
    adapts: ClassVar[bool] = True

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: FineTuneConfig, total_steps: int
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
