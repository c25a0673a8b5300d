"""DGNet: anatomy, style and domain, learnt by meta-learning from labelled and other slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.methods.base import Episode
from dgseg.methods.dgnet_config import DGNET_PRESETS, DGNetConfig
from dgseg.methods.disentangling import Disentangling
from dgseg.methods.domains import batches_of, split_domains
from dgseg.methods.meta import MetaGradient, Parameters, Terms, meta_gradient, order_of
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
                batches_of(episode, names),
                labelled=labelled,
                unlabelled=unlabelled,
                teacher=teacher,
            )
            for names in (train, test)
        ]
        if views[0] is None or views[1] is None:
            return {}
        found = self._gradient(views[0], views[1], episode)
        self._descend(
            found.gradients, self._leaves(), episode, clip_value=self.config.clip_value
        )
        return found.report()

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


def _published(name: str) -> bool:
    return name.startswith(_PUBLISHED)
