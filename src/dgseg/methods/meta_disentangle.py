"""DGNet's meta-learning at a site: its own scans, and the same as other centres see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.errors import MethodError
from dgseg.methods.base import Batch, DomainBatch, Episode
from dgseg.methods.dgnet import DGNet
from dgseg.methods.disentangling import Seen
from dgseg.methods.domains import split_domains
from dgseg.methods.ensembling import Ensemble
from dgseg.methods.meta_disentangle_config import MetaDisentangleConfig
from dgseg.methods.views import View
from dgseg.nets.disentangled import DisentangledNet, with_domains

_LEAST_VARIANCE = 1e-6
"""Added to covariances: that of a code that never varied has no root otherwise."""


class MetaDisentangle(DGNet):
    """DGNet's steps (Liu et al., MICCAI 2021) without any scan of the source domains.

    What a bundle keeps of them is the distribution of their codes, its style bank. The
    site's slices, with the anatomy that they have, are painted as those domains would
    have them; each domain so imagined is a domain of the episode, and so is each
    scanner and sequence of the site. In a step one of them is held out. Corrections
    enter by the supervised loss on their annotated pixels, whatever they were painted
    with; everything else is learnt from uncorrected slices, too. The domain
    classifier gets one more class for each domain of the site. A structure that no
    correction shows is held, in every domain, to what the bundle says of it in the same
    picture.

    Parameters
    ----------
    net : DisentangledNet
        Of a bundle, after `adopt`.
    fabric : Fabric
    config : MetaDisentangleConfig
    total_steps : int
    style_bank : StyleBank
        Of that bundle.
    """

    name: ClassVar[str] = "meta-disentangle"
    title: ClassVar[str] = "Meta-learning with disentanglement"
    when: ClassVar[str] = (
        "For a model that tells anatomy from appearance (DGNet): adapts to a site from a few "
        "corrected slices and all the others, without forgetting how other centres look."
    )
    Config: ClassVar[type[MetaDisentangleConfig]] = MetaDisentangleConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    adapts: ClassVar[bool] = True
    needs_domains: ClassVar[int] = 1
    needs_labels: ClassVar[bool] = False
    needs_style_bank: ClassVar[bool] = True
    parts_site: ClassVar[bool] = True
    config: MetaDisentangleConfig

    def __init__(
        self,
        net: nn.Module,
        fabric: Fabric,
        config: MetaDisentangleConfig,
        total_steps: int,
        style_bank: StyleBank,
    ) -> None:
        super().__init__(net, fabric, config, total_steps)
        self._ensemble = Ensemble(config)
        _check(self.net, style_bank)
        self._sources = tuple(style_bank.domains)
        self._styles = {
            name: _normal(style, fabric.device) for name, style in style_bank.domains.items()
        }

    @classmethod
    def adopt(cls, net: nn.Module, known: Sequence[str], site: Sequence[str]) -> nn.Module:
        """A bundle's network with a class for every domain; see `Method.adopt`.

        Raises
        ------
        MethodError
            If the network does not tell anatomy from appearance.
        """
        if not isinstance(net, DisentangledNet):
            raise MethodError(
                "This model does not tell anatomy from appearance.",
                remedy="Choose the method mean-teacher, or a model of a disentangling method.",
            )
        return with_domains(net, len(dict.fromkeys((*known, *site))))

    def update(self, episode: Episode) -> dict[str, Tensor]:
        """One step on the site's domains and imagined ones.

        Raises
        ------
        MethodError
            If there is no slice at all, or the network was not made for so many domains.
        """
        # Past nn.Module's registration, for its weights are the teacher's own.
        self.__dict__["_asked"] = self._teaching(episode)
        everything = self._with_imagined(episode)
        self._check_domains(everything)
        return self._learn(everything, *self._split(everything, episode))

    def _teacher(self, images: Tensor) -> Tensor:
        return self._ensemble(partial(self.probabilities, self.__dict__["_asked"]), images)

    def _weights(self, episode: Episode) -> dict[str, float]:
        """Holding what no label shows weighs as much as learning what labels show."""
        weight = self.config.task_weight
        return super()._weights(episode) | {"task": self._trust() * weight, "absent": weight}

    def _terms(
        self, seen: Seen, view: View, weights: Mapping[str, float]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        total, found = super()._terms(seen, view, weights)
        held = self._held(seen.logits, view)
        for name, term in held.items():
            total = total + weights[name] * term
        return total, found | held

    def _split(self, everything: Episode, real: Episode) -> tuple[list[str], list[str]]:
        """Meta-train domains, among them one that is real, and meta-test ones."""
        n_test = self.config.test_domains
        if len(real.domains) > 1 and real.has_labels:
            return split_domains(everything, n_test)
        imagined = [name for name in everything.domains if name not in real.domains]
        return [*real.domains, *imagined[n_test:]], imagined[:n_test]

    def _with_imagined(self, episode: Episode) -> Episode:
        """The episode, and the slices of one of its domains as others would have them."""
        site = episode.all_domains or tuple(episode.domains)
        names = tuple(dict.fromkeys((*self._sources, *site)))
        absent = [name for name in self._sources if name not in site]
        order = torch.randperm(len(absent)).tolist()[: self.config.imagined]
        domains = dict(episode.domains)
        given = list(episode.domains.values())
        for place in order:
            batch = given[int(torch.randint(len(given), ()))]
            domains[absent[place]] = self._painted(batch, absent[place])
        return replace(episode, domains=domains, all_domains=names)

    @torch.no_grad()
    def _painted(self, batch: DomainBatch, name: str) -> DomainBatch:
        parts = [part for part in (batch.labelled, batch.unlabelled) if part is not None]
        images = self._repainted(torch.cat([part.images for part in parts]), name)
        n = 0 if batch.labelled is None else len(batch.labelled.images)
        labelled = (
            None if batch.labelled is None else replace(batch.labelled, images=images[:n])
        )
        unlabelled = None if batch.unlabelled is None else Batch(images[n:])
        return DomainBatch(labelled, unlabelled)

    def _repainted(self, images: Tensor, name: str) -> Tensor:
        """Images (N, 1, H, W) with codes drawn from those of a source domain."""
        net = self.deployable()
        assert isinstance(net, DisentangledNet)
        style, code = (normal.sample((len(images),)) for normal in self._styles[name])
        with self._fabric.autocast():
            anatomy = net.anatomy(images)
            painted = net.decode(anatomy, style, code).float()
            if self.config.painting == "decoded":
                return painted
            own = net.encode(images)
            as_seen = net.decode(anatomy, own.style_mean, own.domain_mean).float()
        return (images + painted - as_seen).clamp(0.0, 1.0)


class _Normal:
    """A normal distribution of codes, with the lower root of its covariance."""

    def __init__(
        self, mean: Sequence[float], covariance: Sequence[Sequence[float]], device: torch.device
    ) -> None:
        self._mean = torch.tensor(mean, dtype=torch.float32, device=device)
        spread = torch.tensor(covariance, dtype=torch.float64).reshape(len(mean), len(mean))
        spread += _LEAST_VARIANCE * torch.eye(len(mean), dtype=torch.float64)
        self._root = torch.linalg.cholesky(spread).float().to(device)

    def sample(self, shape: tuple[int]) -> Tensor:
        """Codes (*shape, D), float32, from the global random generator."""
        noise = torch.randn(*shape, len(self._mean), device=self._mean.device)
        return self._mean + noise @ self._root.T


def _normal(style: DomainStyle, device: torch.device) -> tuple[_Normal, _Normal]:
    return (
        _Normal(style.style_mean, style.style_covariance, device),
        _Normal(style.domain_mean, style.domain_covariance, device),
    )


def _check(net: DisentangledNet, style_bank: StyleBank) -> None:
    """Refuse a style bank of codes that the network does not have.

    Raises
    ------
    MethodError
    """
    first = next(iter(style_bank.domains.values()))
    found = (len(first.style_mean), len(first.domain_mean))
    wanted = (net.config.style_dims, net.config.domain_dims)
    if found != wanted:
        raise MethodError(
            f"The style bank has codes of {found} dimensions, the network has {wanted}.",
            remedy="The bundle is damaged: train it anew, or take another.",
        )
