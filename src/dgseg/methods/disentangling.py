"""What methods share that take slices apart: their network, its views and its loss terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.func import functional_call

from dgseg.errors import MethodError
from dgseg.losses.consistency import consistency, sigmoid_ramp_up
from dgseg.losses.dependence import hsic
from dgseg.losses.disentanglement import (
    kl_to_normal,
    latent_regression,
    reconstruction_l1,
    reparameterise,
)
from dgseg.losses.rank import rank_value
from dgseg.losses.supervised import dice_ce
from dgseg.methods.base import Episode, Factors
from dgseg.methods.dgnet_config import DisentanglingConfig
from dgseg.methods.domains import places
from dgseg.methods.meta import Parameters
from dgseg.methods.one_network import OneNetwork
from dgseg.methods.views import View
from dgseg.nets.disentangled import Codes, DisentangledNet
from dgseg.nets.evaluating import evaluating

_LEAST_FOR_HSIC = 4
"""Slices that the unbiased estimator divides by the pairs of."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Slices, taken apart and put together.

    Attributes
    ----------
    anatomy : Tensor, shape (N, channels, H, W)
    logits : Tensor, shape (N, classes, H, W)
    codes : Codes
    style, domain : Tensor, shape (N, dimensions)
        Drawn from `codes`.
    domain_logits : Tensor, shape (N, domains)
    reconstruction : Tensor, shape (N, 1, H, W)
    regression : Tensor, 0-d, or None
        How far the codes of the reconstruction are from those drawn.
    """

    anatomy: Tensor
    logits: Tensor
    codes: Codes
    style: Tensor
    domain: Tensor
    domain_logits: Tensor
    reconstruction: Tensor
    regression: Tensor | None


class Analysis(nn.Module):
    """A disentangled network with all of its parts at work, as one module.

    One module because `torch.func.functional_call` replaces the parameters of
    a module for one call of it.
    """

    def __init__(self, net: DisentangledNet, regress: bool) -> None:
        super().__init__()
        self.net = net
        self.regress = regress

    def forward(self, images: Tensor) -> Seen:
        """Take images (N, 1, H, W) apart; the codes are drawn anew at each call."""
        anatomy = self.net.anatomy(images)
        codes = self.net.encode(images)
        style = reparameterise(codes.style_mean, codes.style_log_variance)
        domain = reparameterise(codes.domain_mean, codes.domain_log_variance)
        painted = self.net.decode(anatomy, style, domain)
        regression = None
        if self.regress:
            again = self.net.encode(painted)
            regression = latent_regression(
                torch.cat([again.style_mean, again.domain_mean], dim=1),
                torch.cat([style, domain], dim=1),
            )
        return Seen(
            anatomy,
            self.net.segment(anatomy),
            codes,
            style,
            domain,
            self.net.classify(domain),
            painted,
            regression,
        )


class Disentangling(OneNetwork):
    """The network of DGNet and SDNet, and every term of their losses.

    Parameters
    ----------
    net : DisentangledNet
    fabric : Fabric
    config : DisentanglingConfig
    total_steps : int
    """

    semi_supervised: ClassVar[bool] = True
    config: DisentanglingConfig
    net: DisentangledNet

    def __init__(
        self, net: nn.Module, fabric: Fabric, config: DisentanglingConfig, total_steps: int
    ) -> None:
        if not isinstance(net, DisentangledNet):
            raise MethodError(
                f"This method needs a network with anatomy and codes, not a {type(net).__name__}.",
                remedy="Start from a bundle of a disentangling method, or from none.",
            )
        super().__init__(net, fabric, config, total_steps, config.ema_decay)
        # Past nn.Module's registration, for its weights are those of `net`.
        self.__dict__["_analysis"] = Analysis(self.net, config.latent_weight > 0)

    @classmethod
    def network(
        cls, config: Any, n_classes: int, width: int, depth: int, n_domains: int
    ) -> dict[str, int | float | str | bool]:
        """Description of a disentangled network; see `Method.network`."""
        return {
            "kind": "disentangled",
            "in_channels": 1,
            "n_classes": n_classes,
            "width": width,
            "depth": depth,
            "n_domains": n_domains,
            "anatomy_channels": max(config.anatomy_channels, n_classes),
            "anatomy": config.anatomy,
            "task": config.task,
            "style_dims": config.style_dims,
            "domain_dims": config.domain_dims,
            "encoders": config.encoders,
        }

    def factors(self, images: Tensor) -> Factors:
        """Anatomy, means of both codes and reconstruction from them, float32."""
        return factors_of(self.deployable(), images)

    def _check_domains(self, episode: Episode) -> None:
        """Refuse more domains than the network tells apart.

        Raises
        ------
        MethodError
        """
        known, wanted = self.net.config.n_domains, len(places(episode))
        if wanted > known:
            raise MethodError(
                f"The network tells {known} domains apart, and there are {wanted}.",
                remedy="Leave some domains out, or start from a new network.",
            )

    def _leaves(self) -> dict[str, Tensor]:
        named = self.__dict__["_analysis"].named_parameters()
        return {name: weight for name, weight in named if weight.requires_grad}

    def _see(self, view: View, parameters: Parameters | None = None) -> Seen:
        analysis: Analysis = self.__dict__["_analysis"]
        with self._fabric.autocast():
            seen: Seen = (
                analysis(view.images)
                if parameters is None
                else functional_call(analysis, dict(parameters), (view.images,))
            )
        return seen

    def _teacher(self, images: Tensor) -> Tensor:
        assert self.mean is not None
        return self.probabilities(self.mean.net, images)

    def _ramp(self, episode: Episode) -> float:
        return sigmoid_ramp_up(episode.step, round(self.config.ramp * self.total_steps))

    def _weights(self, episode: Episode) -> dict[str, float]:
        """Of all terms in this step: lambda in equations 3 and 4 of DGNet."""
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

    def _terms(
        self, seen: Seen, view: View, weights: Mapping[str, float]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of those terms whose weight is not 0, and each of them."""
        n = view.n_labelled
        terms: dict[str, Callable[[], Tensor]] = {
            "reconstruction": lambda: reconstruction_l1(
                seen.reconstruction, view.images, view.valid
            ),
            "kl": lambda: self._divergence(seen.codes),
            "classification": lambda: self._classification(seen.domain_logits, view.domains),
        }
        if seen.anatomy.shape[1] > self.net.config.n_classes:
            terms["rank"] = lambda: self._rank(seen.anatomy)
        if n:
            terms["task"] = lambda: self._task(seen.logits[:n], view)
        if view.target is not None:
            terms["consistency"] = lambda: self._agreement(seen.logits[n:], view)
        if seen.regression is not None:
            regression = seen.regression
            terms["latent"] = lambda: regression
        if len(view.images) >= _LEAST_FOR_HSIC:
            terms["hsic"] = lambda: self._dependence(seen)
        found = {name: term() for name, term in terms.items() if weights.get(name)}
        if not found:
            # Zero, but of the parameters: whoever differentiates it need not ask.
            return 0.0 * seen.logits.float().sum(), found
        total = torch.stack([weights[name] * term for name, term in found.items()]).sum()
        return total, found

    def _divergence(self, codes: Codes) -> Tensor:
        free = self.config.kl_free
        return kl_to_normal(codes.style_mean, codes.style_log_variance, free) + kl_to_normal(
            codes.domain_mean, codes.domain_log_variance, free
        )

    def _dependence(self, seen: Seen) -> Tensor:
        bandwidth: float | Literal["median"] = self.config.hsic_bandwidth or "median"
        return hsic(seen.style, seen.domain, estimator=self.config.hsic, bandwidth=bandwidth)

    def _labelled_loss(
        self, logits: Tensor, labels: Tensor, annotated: Tensor | None
    ) -> Tensor:
        return dice_ce(
            logits,
            labels,
            annotated,
            dice_weight=self.config.dice_weight,
            ce_weight=self.config.ce_weight,
            background=self.config.background_dice,
        )

    def _agreement(self, logits: Tensor, view: View) -> Tensor:
        assert view.target is not None
        n = view.n_labelled
        valid = None if view.valid is None else view.valid[n:]
        if self.config.confidence:
            sure = view.target.amax(dim=1) >= self.config.confidence
            valid = sure if valid is None else valid & sure
        return consistency(logits, view.target, valid, self.config.consistency)

    def _classification(self, logits: Tensor, domains: Tensor) -> Tensor:
        if self.config.classification == "logits":
            return nn.functional.cross_entropy(logits.float(), domains)
        # The published code squashes twice: softmax, then the sigmoid of the loss.
        one_hot = nn.functional.one_hot(domains, logits.shape[1]).float()
        return nn.functional.binary_cross_entropy_with_logits(
            logits.float().softmax(dim=1), one_hot
        )

    def _rank(self, anatomy: Tensor) -> Tensor:
        kind = self.net.config.anatomy
        features = anatomy.softmax(dim=1) if kind == "none" else anatomy
        # m of the paper: the classes, with the background as in its code.
        return rank_value(features, self.net.config.n_classes)


def factors_of(net: nn.Module, images: Tensor) -> Factors:
    """What a trained disentangled network sees in images (N, 1, H, W): no sampling."""
    assert isinstance(net, DisentangledNet)
    with evaluating(net):
        anatomy, codes = net.anatomy(images), net.encode(images)
        painted = net.decode(anatomy, codes.style_mean, codes.domain_mean)
    return Factors(anatomy, codes.style_mean, codes.domain_mean, painted)
