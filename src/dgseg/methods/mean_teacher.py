"""A few corrected slices, and many that nobody has looked at."""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.augment.intensity import IntensityAugment
from dgseg.errors import MethodError
from dgseg.losses.consistency import consistency, sigmoid_ramp_up
from dgseg.methods.adapting_config import MeanTeacherConfig
from dgseg.methods.base import Batch, Episode
from dgseg.methods.ema import RunningMean, pull
from dgseg.methods.one_network import OneNetwork, learning_rate


class MeanTeacher(OneNetwork):
    """A student learns from labels, and from a teacher that is its running mean.

    Perone et al., "Unsupervised domain adaptation for medical imaging
    segmentation with self-ensembling", NeuroImage 2019, after Tarvainen and
    Valpola, NeurIPS 2017. The teacher sees each unlabelled slice as it is; the
    student sees it moved, bent and with other intensities; the teacher's
    probabilities are moved in the same way, and the student has to agree.
    """

    name: ClassVar[str] = "mean-teacher"
    title: ClassVar[str] = "Mean teacher"
    when: ClassVar[str] = (
        "For adapting to a site from a few corrected slices, or none, "
        "and all the uncorrected scans beside them."
    )
    Config: ClassVar[type[MeanTeacherConfig]] = MeanTeacherConfig
    adapts: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False
    config: MeanTeacherConfig
    mean: RunningMean

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: MeanTeacherConfig, total_steps: int
    ) -> None:
        super().__init__(net, fabric, config, total_steps, 0.0)
        self.mean = RunningMean(self.net, config.ema_decay)
        self.start = copy.deepcopy(self.mean.net) if config.anchor else None
        self._teacher_intensity = IntensityAugment(config.teacher_augment)

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step on the labelled and the unlabelled slices, or on either.

        Raises
        ------
        MethodError
            If there are neither.
        """
        labelled, unlabelled = episode.labelled(), episode.unlabelled()
        terms: dict[str, Tensor] = {}
        parts: list[Tensor] = []
        if labelled is not None:
            terms["supervised"] = self._supervised(
                _repeat(labelled, self.config.labelled_views)
            )
            parts.append(terms["supervised"])
        if unlabelled is not None:
            terms["consistency"] = self._consistency(unlabelled.images)
            ramp = sigmoid_ramp_up(episode.step, round(self.config.ramp * self.total_steps))
            parts.append(self.config.consistency_weight * ramp * terms["consistency"])
        if not parts:
            raise MethodError(
                "There is no slice to learn from.", remedy="Add some scans first."
            )
        loss = torch.stack(parts).sum()
        self._step(loss, episode)
        return {"loss": loss.detach()} | {name: term.detach() for name, term in terms.items()}

    def _consistency(self, images: Tensor) -> Tensor:
        """How far the student's view of the moved slices is from the teacher's, moved."""
        size = (images.shape[-2], images.shape[-1])
        drawn = self._spatial.sample(len(images), size, images.device)
        with torch.no_grad():
            seen = self._teacher_intensity(images)
            target = self._spatial.apply(drawn, self._probabilities(self.mean.net, seen))
        valid = None if drawn is None else drawn.valid
        if self.config.confidence:
            sure = target.amax(dim=1) >= self.config.confidence
            valid = sure if valid is None else valid & sure
        logits = self._student(self._intensity(self._spatial.apply(drawn, images)))
        return consistency(logits, target, valid, self.config.consistency)

    def _step(self, loss: Tensor, episode: Episode) -> None:
        super()._step(loss, episode)
        if self.start is not None:
            rate = learning_rate(episode.step, self.total_steps, self.config)
            pull(self.net, self.start, min(rate * self.config.anchor, 1.0))


def _repeat(batch: Batch, times: int) -> Batch:
    if times == 1:
        return batch
    labels, annotated = (
        None if x is None else x.repeat(times, 1, 1) for x in (batch.labels, batch.annotated)
    )
    return Batch(batch.images.repeat(times, 1, 1, 1), labels, annotated)
