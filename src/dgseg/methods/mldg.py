"""Meta-learning of a plain segmenter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.func import functional_call

from dgseg.errors import MethodError
from dgseg.methods.base import DomainBatch, Episode
from dgseg.methods.baseline_config import MLDGConfig
from dgseg.methods.domains import batches_of, split_domains
from dgseg.methods.meta import Parameters, Terms, meta_gradient, order_of
from dgseg.methods.one_network import OneNetwork


class MLDG(OneNetwork):
    """Meta-learning for domain generalisation, with the supervised loss alone.

    Li, Yang, Song and Hospedales, AAAI 2018, for segmentation: in each step
    some domains are held out, and the network has to segment them after an
    inner step on the others. Both losses weigh the same. Unlabelled slices
    are not used.
    """

    name: ClassVar[str] = "mldg"
    title: ClassVar[str] = "Meta-learning"
    when: ClassVar[str] = (
        "For comparison with DGNet: what meta-learning does by itself, from labelled scans of "
        "two or more centres."
    )
    Config: ClassVar[type[MLDGConfig]] = MLDGConfig
    semi_supervised: ClassVar[bool] = False
    needs_domains: ClassVar[int] = 2
    config: MLDGConfig

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: MLDGConfig, total_steps: int
    ) -> None:
        super().__init__(net, fabric, config, total_steps, config.ema_decay)

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step on the labelled slices.

        Raises
        ------
        MethodError
            If fewer than two domains have any.
        """
        episode = _labelled(episode)
        train, test = split_domains(episode, self.config.test_domains)
        leaves = dict(self.net.named_parameters())
        found = meta_gradient(
            self._loss(episode, train),
            self._loss(episode, test),
            leaves,
            step_size=self.config.step_size,
            order=order_of(episode.step, self.total_steps, self.config),
        )
        self._descend(found.gradients, leaves, episode)
        return found.report()

    def _loss(
        self, episode: Episode, names: Sequence[str]
    ) -> Callable[[Parameters], tuple[Tensor, Terms]]:
        """The supervised loss of some domains, as a function of the parameters."""
        view = self._viewer.view(batches_of(episode, names), unlabelled=False)
        assert view is not None

        def at(parameters: Parameters) -> tuple[Tensor, Terms]:
            with self._fabric.autocast():
                logits: Tensor = functional_call(self.net, dict(parameters), (view.images,))
            loss = self._task(logits, view)
            return loss, {"task": loss}

        return at


def _labelled(episode: Episode) -> Episode:
    """The labelled slices of an episode alone."""
    domains = {
        name: DomainBatch(batch.labelled)
        for name, batch in episode.domains.items()
        if batch.labelled is not None
    }
    if len(domains) < 2:
        raise MethodError(
            "This method needs labelled slices of two domains or more in every step, and "
            f"there are those of {len(domains)}.",
            remedy="Label slices of another centre, or choose the method deepall.",
        )
    return replace(episode, domains=domains)
