"""DGNet: anatomy, style and domain, learnt by meta-learning from labelled and other slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.methods.base import Episode
from dgseg.methods.dgnet_config import DGNET_PRESETS, DGNetConfig
from dgseg.methods.disentangling import Disentangling
from dgseg.methods.domains import batches_of, split_domains
from dgseg.methods.meta import Loss, MetaGradient, Parameters, Terms, meta_gradient, order_of
from dgseg.methods.views import View

_PUBLISHED = ("net.encoders.", "net.decoder.", "net.feature.head.")


class DGNet(Disentangling):
    """Semi-supervised meta-learning with disentanglement.

    Liu, Thermos, O'Neil and Tsaftaris, MICCAI 2021. In each step some domains
    are held out: after an inner step on the others, the network has to
    segment, paint and recognise the held-out domain as well. Anatomy, which
    the task is solved from, is kept apart from style and domain.
    """

    name: ClassVar[str] = "dgnet"
    title: ClassVar[str] = "DGNet"
    when: ClassVar[str] = (
        "For a model that generalises to new centres, from few labelled and many "
        "unlabelled scans of two or more."
    )
    Config: ClassVar[type[DGNetConfig]] = DGNetConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = DGNET_PRESETS
    needs_domains: ClassVar[int] = 2
    config: DGNetConfig

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: DGNetConfig, total_steps: int
    ) -> None:
        super().__init__(net, fabric, config, total_steps)

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step on both kinds of slices, or two, as configured.

        Raises
        ------
        MethodError
            If there are fewer than two domains, more than the network was made
            for, or no labelled slice.
        """
        self._check_domains(episode)
        train, test = split_domains(episode, self.config.test_domains)
        if not self.config.steps_apart:
            return self._learn(episode, train, test)
        first = self._learn(episode, train, test, labelled=False)
        second = self._learn(episode, train, test, unlabelled=False)
        loss = torch.stack([part["loss"] for part in (first, second) if part]).sum()
        marked = {f"{name} (unlabelled)": term for name, term in first.items()}
        marked.pop("loss (unlabelled)", None)
        return second | marked | {"loss": loss}

    def _learn(
        self,
        episode: Episode,
        train: Sequence[str],
        test: Sequence[str],
        labelled: bool = True,
        unlabelled: bool = True,
    ) -> dict[str, Tensor]:
        """One step on either kind of slices, or both; none where there are no such slices."""
        teacher = self._teacher if self.config.consistency_weight else None
        views = [
            self._viewer.view(
                batches_of(episode, names),
                labelled=labelled,
                unlabelled=unlabelled,
                teacher=teacher,
            )
            for names in (train, test)
        ]
        # Where one side has no such slices nothing is held out, but there is much to learn.
        there = [view for view in views if view is not None]
        if not there:
            return {}
        found = self._gradient(there[0], there[1] if there[1:] else None, episode)
        self._descend(
            found.gradients, self._leaves(), episode, clip_value=self.config.clip_value
        )
        return found.report()

    def _gradient(self, train: View, test: View | None, episode: Episode) -> MetaGradient:
        weights = self._weights(episode)
        kept = {"task", "reconstruction", "classification", "consistency", "absent"}
        test_weights = {name: weights[name] for name in weights if name in kept}

        def loss(view: View, these: dict[str, float]) -> Any:
            def at(parameters: Parameters) -> tuple[Tensor, Terms]:
                return self._terms(self._see(view, parameters), view, these)

            return at

        if test is None:
            return _plain_gradient(loss(train, weights), self._leaves())
        adapted = None if self.config.adapted == "all" else _published
        return meta_gradient(
            loss(train, weights),
            loss(test, test_weights),
            self._leaves(),
            step_size=self.config.step_size,
            order=order_of(episode.step, self.total_steps, self.config),
            adapted=adapted,
        )


def _published(name: str) -> bool:
    return name.startswith(_PUBLISHED)


def _plain_gradient(loss: Loss, parameters: Parameters) -> MetaGradient:
    """That of one loss, with nothing held out."""
    found, terms = loss(parameters)
    values = torch.autograd.grad(found, list(parameters.values()), allow_unused=True)
    gradients = {k: v for k, v in zip(parameters, values, strict=True) if v is not None}
    terms = {name: term.detach() for name, term in terms.items()}
    return MetaGradient(gradients, found.detach(), torch.zeros_like(found), terms, {})
