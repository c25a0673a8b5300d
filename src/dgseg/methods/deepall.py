"""DeepAll: all domains pooled, supervised, under strong augmentation."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.augment.config import preset
from dgseg.augment.intensity import IntensityAugment
from dgseg.augment.spatial import SpatialAugment
from dgseg.errors import MethodError
from dgseg.losses.segmentation import dice_ce
from dgseg.methods.base import Batch, Episode, Method
from dgseg.methods.config import DeepAllConfig
from dgseg.methods.ema import Teacher
from dgseg.methods.schedules import set_learning_rate, warm_cosine


class DeepAll(Method):
    """The baseline that domain generalisation has to beat, and often does not.

    One network learns from the labelled slices of all domains as if they were
    one, with augmentation that imitates other scanners. What is deployed is
    the moving average of its weights.

    Parameters
    ----------
    net : nn.Module
        (N, 1, H, W) to logits (N, C, H, W).
    fabric : Fabric
        Device and precision.
    config : DeepAllConfig
    total_steps : int
        Length of the schedules.
    """

    name: ClassVar[str] = "deepall"
    title: ClassVar[str] = "All domains, supervised"
    when: ClassVar[str] = "To train a first model from labelled scans of several centres."
    config_type: ClassVar[type] = DeepAllConfig

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: DeepAllConfig, total_steps: int
    ) -> None:
        super().__init__()
        self.config, self._fabric, self._total = config, fabric, total_steps
        augment = preset(config.augment)
        self._spatial = SpatialAugment(augment.spatial)
        self._intensity = IntensityAugment(augment.intensity)
        net = net.to(fabric.device)
        self.average = Teacher(net, config.average, corrected=True)
        optimizer = torch.optim.AdamW(
            net.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.net, self._optimizer = fabric.setup(net, optimizer)

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step on the labelled slices of all domains."""
        batch = episode.labelled()
        if batch is None or batch.labels is None:
            raise MethodError(
                "Supervised training needs labelled slices.",
                remedy="Give labelled scans, or choose a semi-supervised method.",
            )
        rate = warm_cosine(episode.step, self._total, self.config.warm_up)
        set_learning_rate(self._optimizer, rate * self.config.learning_rate)
        images, labels, annotated = augmented(batch, self._spatial, self._intensity)
        loss = dice_ce(self.net(images), labels, annotated)
        self._optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config.clip_norm)
        self._optimizer.step()
        self.average.follow(bare(self.net))
        return {"loss": loss.detach(), "supervised": loss.detach()}

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Probabilities by the averaged weights."""
        with self._fabric.autocast():
            logits = self.average(images)
        return torch.softmax(logits.float(), dim=1)

    def deployable(self) -> nn.Module:
        """The network with the averaged weights."""
        return self.average.net

    def training_state(self) -> dict[str, Any]:
        """The optimiser's moments, and how often the average moved."""
        return {
            "optimizer": self._optimizer.state_dict(),
            "average_updates": self.average.updates,
        }

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Undo `training_state`."""
        self._optimizer.load_state_dict(state["optimizer"])
        self.average.updates = int(state["average_updates"])


def augmented(
    batch: Batch, spatial: SpatialAugment, intensity: IntensityAugment
) -> tuple[Tensor, Tensor, Tensor]:
    """A labelled batch, deformed and recoloured: images, labels, annotated mask.

    Pixels that come from beyond a slice's border count as not annotated.
    """
    if batch.labels is None:
        raise ValueError("a batch without labels cannot supervise")
    height, width = batch.images.shape[-2:]
    params = spatial.sample(len(batch.images), (height, width), batch.images.device)
    images = intensity(spatial.apply(params, batch.images))
    labels = spatial.apply(params, batch.labels, mode="nearest")
    annotated = params.inside
    if batch.annotated is not None:
        annotated = annotated & spatial.apply(params, batch.annotated, mode="nearest")
    return images, labels, annotated


def bare(net: nn.Module) -> nn.Module:
    """The network inside Fabric's wrapper."""
    inner = getattr(net, "module", net)
    return inner if isinstance(inner, nn.Module) else net
