"""LDDG: features of a low rank that are near to a normal distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.errors import MethodError
from dgseg.losses.disentanglement import kl_to_normal, reparameterise
from dgseg.losses.rank import rank_value
from dgseg.losses.supervised import dice_ce
from dgseg.methods.base import Episode
from dgseg.methods.baseline_config import LDDG_PRESETS, LDDGConfig
from dgseg.methods.domains import batches_of
from dgseg.methods.one_network import OneNetwork
from dgseg.nets.variational import VariationalNet


class LDDG(OneNetwork):
    """Linear-dependency domain generalisation.

    Li, Wang, Wan, Wang, Li and Kot, NeurIPS 2020. The features of all domains
    together are kept near the standard normal distribution and pressed into
    as many directions as there are classes, the background among them; a
    linear layer makes classes of them. The published code adds the mean and
    multiplies by the deviation twice when it draws features; here, once.
    Unlabelled slices are not used.
    """

    name: ClassVar[str] = "lddg"
    title: ClassVar[str] = "LDDG"
    when: ClassVar[str] = (
        "For comparison with DGNet: its rank term without disentanglement, from labelled scans "
        "of several centres."
    )
    Config: ClassVar[type[LDDGConfig]] = LDDGConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = LDDG_PRESETS
    semi_supervised: ClassVar[bool] = False
    config: LDDGConfig
    net: VariationalNet

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: LDDGConfig, total_steps: int
    ) -> None:
        if not isinstance(net, VariationalNet):
            raise MethodError(
                f"This method needs a network with a distribution of features, not a "
                f"{type(net).__name__}.",
                remedy="Start from a bundle of this method, or from none.",
            )
        super().__init__(net, fabric, config, total_steps, config.ema_decay)

    @classmethod
    def network(
        cls, config: Any, n_classes: int, width: int, depth: int, n_domains: int
    ) -> dict[str, int | float | str | bool]:
        """Description of a variational network; see `Method.network`."""
        plain = super().network(config, n_classes, width, depth, n_domains)
        # With as many features as classes no direction is left to press out.
        channels = max(config.latent_channels, n_classes + 1)
        return plain | {"kind": "variational", "latent_channels": channels}

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step on all labelled slices.

        Raises
        ------
        MethodError
            If there are none.
        """
        view = self._viewer.view(batches_of(episode, list(episode.domains)), unlabelled=False)
        if view is None or view.labels is None:
            raise MethodError(
                "There is no labelled slice to learn from.",
                remedy="Correct or label some slices, or choose a method that learns without.",
            )
        with self._fabric.autocast():
            mean, log_variance = self.net.distribution(view.images)
            features = reparameterise(mean, log_variance)
            logits = self.net.segment(features)
        task = dice_ce(
            logits,
            view.labels,
            view.annotated,
            dice_weight=self.config.dice_weight,
            ce_weight=self.config.ce_weight,
        )
        # Of each feature, as published; the sum over them is of codes.
        kl = kl_to_normal(mean.movedim(1, -1), log_variance.movedim(1, -1)) / mean.shape[1]
        rank = rank_value(features, self.net.config.n_classes)
        loss = task + self.config.kl_weight * kl + self.config.rank_weight * rank
        self._descend_from(loss, dict(self.net.named_parameters()), episode)
        terms = {"loss": loss, "task": task, "kl": kl, "rank": rank}
        return {name: term.detach() for name, term in terms.items()}
