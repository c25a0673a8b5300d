"""Two students that trust different teachers, and the mean of their weights."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from typing import ClassVar, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.methods.adapting_config import TwoTeachersConfig
from dgseg.methods.base import Episode, Labelled, Method
from dgseg.methods.ema import mean_of
from dgseg.methods.mean_teacher import MeanTeacher


class TwoTeachers(Method):
    """A bold student of the corrections and a wary one of the bundle, and their mean.

    Both learn as in `MeanTeacher`, each with a teacher and an optimiser of its own. The
    bold one is taught by its running mean and follows the corrections: it learns what is
    new, and what is true of the corrected people alone. The wary one is taught by the
    bundle, and corrections weigh less: it errs where the bundle does. Trainings that begin
    at the same weights end so near to each other that the mean of their weights answers
    much as an ensemble of them would (Wortsman et al., "Model soups", ICML 2022): what only
    one of them believes weighs half.

    Where the bundle is not good on the corrections one student is left, and this is
    `MeanTeacher`.

    Attributes
    ----------
    students : nn.ModuleList of MeanTeacher
        Two until `prepare` says that one is enough.
    """

    name: ClassVar[str] = "two-teachers"
    title: ClassVar[str] = "Two teachers"
    when: ClassVar[str] = (
        "For most sites: a few corrected slices, and all the uncorrected scans beside them; "
        "it harms least where the model is good already, and takes twice as long there."
    )
    Config: ClassVar[type[TwoTeachersConfig]] = TwoTeachersConfig
    adapts: ClassVar[bool] = True

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: TwoTeachersConfig, total_steps: int
    ) -> None:
        super().__init__()
        # Copied before Fabric wraps the first one's network.
        nets = (net, copy.deepcopy(net))
        configs = (config, replace(config, few_slices=sys.maxsize))
        self.students = nn.ModuleList(
            MeanTeacher(each, fabric, its, total_steps)
            for each, its in zip(nets, configs, strict=True)
        )

    def prepare(self, labelled: Labelled) -> None:
        """Keep the second student only where it would learn anything else than the first."""
        for student in self._each():
            student.prepare(labelled)
        if len({student.wary for student in self._each()}) == 1:
            del self.students[1:]

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step of each student, on the same slices, each with its own view of them.

        Returns
        -------
        dict of str to 0-d Tensor
            The mean of what they report.

        Raises
        ------
        MethodError
            If there are neither labelled nor unlabelled slices.
        """
        told = [student.update(episode) for student in self._each()]
        return {name: torch.stack([each[name] for each in told]).mean() for name in told[0]}

    def deployable(self) -> nn.Module:
        """A network with the mean of what the students would give."""
        return mean_of([student.deployable() for student in self._each()])

    def predict(self, images: Tensor) -> Tensor:
        """Class probabilities (N, C, H, W), float32, of the deployable network."""
        net = self.deployable()
        with torch.no_grad():
            return self._each()[0].probabilities(net, images)

    def training_state(self) -> dict[str, object]:
        """That of each student, by its number."""
        return {str(i): student.training_state() for i, student in enumerate(self._each())}

    def load_training_state(self, state: dict[str, object]) -> None:
        """Undo `training_state`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the state is that of another method or network, or of other corrections.
        """
        if len(state) != len(self.students):
            raise ValueError("the state is not of as many students")
        for i, student in enumerate(self._each()):
            its = state[str(i)]
            if not isinstance(its, dict):
                raise TypeError("a student's state is no dictionary")
            student.load_training_state(its)

    def _each(self) -> list[MeanTeacher]:
        return cast("list[MeanTeacher]", list(self.students))
