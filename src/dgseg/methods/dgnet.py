"""DGNet: anatomy, style and domain, learnt by meta-learning from labelled and other slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.methods.base import DomainBatch, Episode
from dgseg.methods.dgnet_config import DGNET_PRESETS, DGNetConfig, MetaConfig
from dgseg.methods.disentangling import Disentangling
from dgseg.methods.domains import places, split_domains
from dgseg.methods.meta import MetaGradient, Parameters, Terms, meta_gradient
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
            If there are fewer than two domains, or no labelled slice.
        """
        train, test = split_domains(episode, self.config.test_domains)
        kinds = (False, True), (True, False)
        parts = kinds if self.config.steps_apart else ((True, True),)
        losses: dict[str, Tensor] = {}
        for labelled, unlabelled in parts:
            losses |= self._learn(episode, train, test, labelled, unlabelled)
        return losses

    def _learn(
        self,
        episode: Episode,
        train: Sequence[str],
        test: Sequence[str],
        labelled: bool,
        unlabelled: bool,
    ) -> dict[str, Tensor]:
        teacher = self._teacher if self.config.consistency_weight else None
        views = [
            self._viewer.view(
                _batches(episode, names),
                labelled=labelled,
                unlabelled=unlabelled,
                teacher=teacher,
            )
            for names in (train, test)
        ]
        if views[0] is None or views[1] is None:
            return {}
        found = self._gradient(views[0], views[1], episode)
        self._descend(found.gradients, episode)
        return _report(found)

    def _gradient(self, train: View, test: View, episode: Episode) -> MetaGradient:
        weights = self._weights(episode)
        kept = {"task", "reconstruction", "classification", "consistency"}
        test_weights = {name: weights[name] for name in weights if name in kept}

        def loss(view: View, these: dict[str, float]) -> Any:
            def at(parameters: Parameters) -> tuple[Tensor, Terms]:
                return self._terms(self._see(view, parameters), view, these)

            return at

        adapted = None if self.config.adapted == "all" else _published
        return meta_gradient(
            loss(train, weights),
            loss(test, test_weights),
            self._leaves(),
            step_size=self.config.step_size,
            order=order_of(episode.step, self.total_steps, self.config),
            adapted=adapted,
        )

    def _weights(self, episode: Episode) -> dict[str, float]:
        """Of equations 3 and 4; at meta-test (equation 5) some are left out."""
        config = self.config
        return {
            "task": config.task_weight,
            "reconstruction": config.reconstruction_weight,
            "kl": config.kl_weight,
            "hsic": config.hsic_weight,
            "classification": config.classification_weight,
            "rank": config.rank_weight,
            "latent": config.latent_weight,
            "consistency": config.consistency_weight * self._ramp(episode),
        }

    def _descend(self, gradients: Mapping[str, Tensor], episode: Episode) -> None:
        for name, parameter in self._leaves().items():
            gradient = gradients.get(name)
            if gradient is not None and self._fabric.world_size > 1:
                # Fabric averages over processes in a backward pass, which there was none of.
                gradient = cast("Tensor", self._fabric.all_reduce(gradient, reduce_op="mean"))
            parameter.grad = gradient
        if self.config.clip_value:
            found = [p.grad for p in self.net.parameters() if p.grad is not None]
            torch._foreach_clamp_min_(found, -self.config.clip_value)
            torch._foreach_clamp_max_(found, self.config.clip_value)
        self._step_optimiser(episode)


def order_of(step: int, total_steps: int, config: MetaConfig) -> Literal[1, 2]:
    """Order of a step's gradient: first at the start, then second every so often."""
    first = round(config.first_order_share * total_steps)
    if config.order == 1 or step < first:
        return 1
    return 2 if (step - first) % config.second_order_every == 0 else 1


def _batches(episode: Episode, names: Sequence[str]) -> list[tuple[int, DomainBatch]]:
    place = places(episode)
    return [(place[name], episode.domains[name]) for name in names]


def _published(name: str) -> bool:
    return name.startswith(_PUBLISHED)


def _report(found: MetaGradient) -> dict[str, Tensor]:
    """The terms by name; those of the held-out domains with a mark."""
    report = {"loss": found.train + found.test}
    report |= found.train_terms
    report |= {f"{name} held out": term for name, term in found.test_terms.items()}
    return report
