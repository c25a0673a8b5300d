"""A few corrected slices, and many that nobody has looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.augment.config import AugmentConfig
from dgseg.errors import MethodError
from dgseg.losses.consistency import consistency, sigmoid_ramp_up
from dgseg.methods.adapting_config import MeanTeacherConfig
from dgseg.methods.base import Batch, DomainBatch, Episode
from dgseg.methods.domains import batches_of
from dgseg.methods.ema import RunningMean
from dgseg.methods.ensembling import Ensemble
from dgseg.methods.one_network import OneNetwork
from dgseg.methods.views import View

PAPER = MeanTeacherConfig(
    learning_rate=6e-4,
    weight_decay=6e-4,
    warm_up=50 / 350,
    final_rate=0.0,
    clip_norm=0.0,
    augment=AugmentConfig.preset("weak"),
    ce_weight=0.0,
    ema_switch=50 / 350,
    consistency="mse",
    consistency_weight=20.0,
    ramp=100 / 350,
    confidence=0.0,
    teacher_views=0,
    temperature=1.0,
    seek_pose=False,
)
"""Perone et al., with shares of the steps for numbers of their 350 epochs."""


class MeanTeacher(OneNetwork):
    """A student learns from labels, and from a teacher that is its running mean.

    Perone et al., "Unsupervised domain adaptation for medical imaging
    segmentation with self-ensembling", NeuroImage 2019, after Tarvainen and
    Valpola, NeurIPS 2017. The student sees each unlabelled slice moved, bent and
    with other intensities; the teacher's probabilities are moved in the same way,
    and the student has to agree. Unlike theirs, the teacher sees more than the
    slice as it is, and says what several views of it have in common.
    """

    name: ClassVar[str] = "mean-teacher"
    title: ClassVar[str] = "Mean teacher"
    when: ClassVar[str] = (
        "For a few corrected slices and all the uncorrected scans beside them, where time "
        "is short; without corrections it can do great harm."
    )
    Config: ClassVar[type[MeanTeacherConfig]] = MeanTeacherConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {"cpu": PAPER, "gpu": PAPER}}
    adapts: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = False
    config: MeanTeacherConfig
    mean: RunningMean

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: MeanTeacherConfig, total_steps: int
    ) -> None:
        super().__init__(net, fabric, config, total_steps, 0.0)
        self.mean = RunningMean(self.net, config.ema_decay)
        self._ensemble = Ensemble(config)

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step on the labelled and the unlabelled slices, or on either.

        Labelled slices of other domains, such as the sources', are learnt from in the
        same way as corrections.

        Raises
        ------
        MethodError
            If there are neither.
        """
        batches = batches_of(episode, list(episode.domains))
        views = self.config.labelled_views
        view = self._viewer.view(
            [(place, _repeated(batch, views)) for place, batch in batches],
            teacher=partial(self._teacher, self._teaching(episode)),
        )
        if view is None:
            raise MethodError(
                "There is no slice to learn from.", remedy="Add some scans first."
            )
        terms = self._terms(self._student(view.images), view)
        weights = {
            "supervised": self._trust(),
            "consistency": self._weight(episode),
            "absent": 1.0,
        }
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        self.mean.decay = self._decay(episode)
        self._step(loss, episode)
        return {"loss": loss.detach()} | {name: term.detach() for name, term in terms.items()}

    def _terms(self, logits: Tensor, view: View) -> dict[str, Tensor]:
        n = view.n_labelled
        terms: dict[str, Tensor] = {}
        if n:
            terms["supervised"] = self._task(logits[:n], view)
        if view.target is not None:
            terms["consistency"] = consistency(
                logits[n:],
                view.target,
                view.compared(self.config.confidence),
                self.config.consistency,
            )
        return terms | self._held(logits, view)

    def _teacher(self, net: nn.Module, images: Tensor) -> Tensor:
        """Probabilities for slices that are not moved."""
        return self._ensemble(partial(self.probabilities, net), images)

    def _weight(self, episode: Episode) -> float:
        ramp = sigmoid_ramp_up(episode.step, round(self.config.ramp * self.total_steps))
        return self.config.consistency_weight * ramp

    def _decay(self, episode: Episode) -> float:
        late = episode.step >= round(self.config.ema_switch * self.total_steps)
        return self.config.late_ema_decay if late else self.config.ema_decay


def _repeated(given: DomainBatch, times: int) -> DomainBatch:
    """The labelled slices several times, to be augmented differently."""
    batch = given.labelled
    if times == 1 or batch is None:
        return given
    labels, annotated = (
        None if x is None else x.repeat(times, 1, 1) for x in (batch.labels, batch.annotated)
    )
    return replace(
        given, labelled=Batch(batch.images.repeat(times, 1, 1, 1), labels, annotated)
    )
