"""Nothing is learnt: scans are turned and enlarged until the bundle knows them."""

from __future__ import annotations

from typing import ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.methods.adapting_config import PoseSearchConfig
from dgseg.methods.base import Episode, Method
from dgseg.methods.one_network import class_probabilities
from dgseg.nets.evaluating import evaluating


class PoseSearch(Method):
    """The bundle with its weights as they are, which looks for the pose of every scan.

    What any method must beat that trains: where a centre's scans lie otherwise than those
    that were learnt from, most of what an adaptation gains is gained by this, see
    `dgseg.nets.poses`. Nothing is read before its candidate is judged.
    """

    name: ClassVar[str] = "pose-search"
    title: ClassVar[str] = "Pose search"
    when: ClassVar[str] = (
        "For a start, or where nothing has been corrected: it trains nothing, takes seconds, "
        "and helps most where scans lie turned, or show more or less of the body."
    )
    Config: ClassVar[type[PoseSearchConfig]] = PoseSearchConfig
    adapts: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False
    learns: ClassVar[bool] = False

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: PoseSearchConfig, total_steps: int
    ) -> None:
        super().__init__()
        del total_steps
        self.config = config
        self.net = net.to(fabric.device)
        self._fabric = fabric

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """Nothing; the loss is zero."""
        del episode
        return {"loss": torch.zeros((), device=self._fabric.device)}

    def predict(self, images: Tensor) -> Tensor:
        """Class probabilities (N, C, H, W), float32, of images as they lie."""
        with evaluating(self.net):
            return class_probabilities(self.net, images, self._fabric)

    def deployable(self) -> nn.Module:
        """The network as it was given."""
        return self.net

    def training_state(self) -> dict[str, object]:
        """Empty."""
        return {}

    def load_training_state(self, state: dict[str, object]) -> None:
        """Undo `training_state`.

        Raises
        ------
        ValueError
            If the state is that of another method.
        """
        if state:
            raise ValueError("a method that learns nothing has no state")
