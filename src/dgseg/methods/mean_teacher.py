"""Mean Teacher: a student learns from corrections and agrees with its own average."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.augment.config import preset
from dgseg.augment.intensity import IntensityAugment
from dgseg.augment.spatial import SpatialAugment
from dgseg.errors import MethodError
from dgseg.losses.consistency import confident, mean_square, sigmoid_ramp
from dgseg.losses.segmentation import dice_ce
from dgseg.methods.base import Batch, Episode, Method
from dgseg.methods.config import MeanTeacherConfig
from dgseg.methods.deepall import augmented, bare
from dgseg.methods.ema import Teacher
from dgseg.methods.schedules import set_learning_rate, warm_cosine


class MeanTeacher(Method):
    """Self-ensembling for a new centre (Perone et al., NeuroImage 194, 2019).

    The student learns from the annotated pixels of the corrected slices. On
    slices that nobody corrected, it sees a deformed and recoloured view, the
    teacher the slice as it is; the teacher's probabilities are put through the
    same deformation, and the student is drawn to them. The teacher is the
    moving average of the student, and what is deployed.

    Parameters
    ----------
    net : nn.Module
        Of the bundle to start from.
    fabric : Fabric
        Device and precision.
    config : MeanTeacherConfig
    total_steps : int
        Length of the schedules.
    """

    name: ClassVar[str] = "mean-teacher"
    title: ClassVar[str] = "Mean Teacher"
    when: ClassVar[str] = (
        "When a few slices are corrected and many more scans of the site are not."
    )
    config_type: ClassVar[type] = MeanTeacherConfig

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: MeanTeacherConfig, total_steps: int
    ) -> None:
        super().__init__()
        self.config, self._fabric, self._total = config, fabric, total_steps
        augment = preset(config.augment)
        self._spatial = SpatialAugment(augment.spatial)
        self._intensity = IntensityAugment(augment.intensity)
        net = net.to(fabric.device)
        self.teacher = Teacher(net, config.decay, corrected=False)
        self._start = [weight.detach().clone() for weight in net.parameters()]
        optimizer = torch.optim.AdamW(
            net.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.student, self._optimizer = fabric.setup(net, optimizer)

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step of the student; the teacher follows."""
        labelled, unlabelled = episode.labelled(), episode.unlabelled()
        if labelled is None and unlabelled is None:
            raise MethodError("There is neither a corrected nor an uncorrected slice.")
        c = self.config
        rate = warm_cosine(episode.step, self._total, c.warm_up)
        set_learning_rate(self._optimizer, rate * c.learning_rate)
        terms: dict[str, Tensor] = {}
        if labelled is not None:
            images, labels, annotated = augmented(labelled, self._spatial, self._intensity)
            terms["supervised"] = dice_ce(self.student(images), labels, annotated)
        if unlabelled is not None:
            ramp = sigmoid_ramp((episode.step + 1) / max(c.ramp_up * self._total, 1.0))
            terms["consistency"] = c.consistency * ramp * self._disagreement(unlabelled)
        if c.anchor:
            terms["anchor"] = c.anchor * self._distance()
        loss = torch.stack(list(terms.values())).sum()
        self._optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), c.clip_norm)
        self._optimizer.step()
        self.teacher.follow(bare(self.student))
        return {"loss": loss.detach(), **{name: term.detach() for name, term in terms.items()}}

    def _disagreement(self, batch: Batch) -> Tensor:
        height, width = batch.images.shape[-2:]
        params = self._spatial.sample(len(batch.images), (height, width), batch.images.device)
        target = self._spatial.apply(params, self.predict(batch.images))
        seen = self._intensity(self._spatial.apply(params, batch.images))
        student = torch.softmax(self.student(seen).float(), dim=1)
        valid = params.inside
        if self.config.confidence:
            valid = valid & confident(target, self.config.confidence)
        return mean_square(student, target, valid)

    def _distance(self) -> Tensor:
        pairs = zip(self.student.parameters(), self._start, strict=True)
        return torch.stack([(now - then).square().sum() for now, then in pairs]).sum()

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Probabilities by the teacher."""
        with self._fabric.autocast():
            logits = self.teacher(images)
        return torch.softmax(logits.float(), dim=1)

    def deployable(self) -> nn.Module:
        """The teacher's network."""
        return self.teacher.net

    def training_state(self) -> dict[str, Any]:
        """The optimiser's moments, the weights at the start, the teacher's age."""
        return {
            "optimizer": self._optimizer.state_dict(),
            "start": list(self._start),
            "teacher_updates": self.teacher.updates,
        }

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Undo `training_state`."""
        self._optimizer.load_state_dict(state["optimizer"])
        for mine, saved in zip(self._start, state["start"], strict=True):
            mine.copy_(saved)
        self.teacher.updates = int(state["teacher_updates"])
