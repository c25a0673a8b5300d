"""A network that takes a slice apart into anatomy, style and domain, and puts it together."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from dgseg.nets.config import DisentangledConfig
from dgseg.nets.conv import Conv2d
from dgseg.nets.norm import FusedSequential, normalise
from dgseg.nets.unet import UNet

_SLOPE = 0.01
_EPS = 1e-5
_LEVELS = 4


@dataclass(frozen=True)
class Codes:
    """The two appearance codes of slices, each a normal distribution.

    Attributes
    ----------
    style_mean, style_log_variance : Tensor, shape (N, style dimensions)
        Appearance that all domains share.
    domain_mean, domain_log_variance : Tensor, shape (N, domain dimensions)
        Appearance that tells the domains apart.
    """

    style_mean: Tensor
    style_log_variance: Tensor
    domain_mean: Tensor
    domain_log_variance: Tensor


class DisentangledNet(nn.Module):
    """DGNet's networks (Liu et al., MICCAI 2021) for slices of any size.

    The feature network turns a slice into anatomy channels, the task network
    these into classes. Two encoders give style and domain code, from which,
    with the anatomy, a decoder paints the slice again; a linear classifier
    tells the domain from its code. Unlike the published code, all
    convolutions of the encoders and of the decoder are followed by an
    activation, encoders pool over the whole slice, and AdaIN's scale has a
    sign (``1 + gamma``). Without dimensions of a domain code it is SDNet
    (Chartsias et al., Medical Image Analysis 2019), which has one code.

    Parameters
    ----------
    config : DisentangledConfig
    """

    def __init__(self, config: DisentangledConfig) -> None:
        super().__init__()
        self.config = config
        self.feature = UNet(
            config.in_channels,
            config.anatomy_channels,
            config.width,
            config.depth,
            config.groups,
            config.upsampling,
        )
        self.task = _task(config)
        wanted = (config.style_dims, config.domain_dims)
        groups = [[sum(wanted)]] if config.encoders == "shared" else [[k] for k in wanted if k]
        self.encoders = nn.ModuleList(
            CodeEncoder(config.in_channels, dims, config.width, config.groups)
            for (dims,) in groups
        )
        self.classifier = (
            nn.Linear(config.domain_dims, config.n_domains)
            if config.domain_dims
            else nn.Identity()
        )
        self.decoder = Decoder(
            config.anatomy_channels, sum(wanted), config.in_channels, config.width
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, channels, H, W): all that inference needs."""
        return self.segment(self.anatomy(images))

    def anatomy(self, images: Tensor) -> Tensor:
        """Anatomy z (N, anatomy channels, H, W) of images (N, channels, H, W), float32."""
        kind = self.config.anatomy
        # A softmax over few channels loses small structures in eight bits.
        z: Tensor = self.feature(images).float()
        if kind == "none":
            return z
        if kind == "sigmoid":
            return z.sigmoid()
        soft = z.softmax(dim=1)
        # Rounded forwards, as if it were not backwards (SDNet).
        return soft + (soft.round() - soft).detach() if kind == "binary" else soft

    def segment(self, anatomy: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of anatomy."""
        if self.config.task == "first-channels":
            return anatomy[:, : self.config.n_classes]
        logits: Tensor = self.task(anatomy)
        return logits

    def encode(self, images: Tensor) -> Codes:
        """The distributions of both codes of images (N, channels, H, W), float32."""
        dims = self.config.style_dims
        found = [encoder(images).float() for encoder in self.encoders]
        if len(found) == 1:
            mean, log_variance = found[0].chunk(2, dim=1)
            return Codes(
                mean[:, :dims], log_variance[:, :dims], mean[:, dims:], log_variance[:, dims:]
            )
        (style, style_spread), (domain, domain_spread) = (x.chunk(2, dim=1) for x in found)
        return Codes(style, style_spread, domain, domain_spread)

    def classify(self, domain: Tensor) -> Tensor:
        """Logits (N, domains) of domain codes (N, dimensions); none where these have none."""
        logits: Tensor = self.classifier(domain)
        return logits

    def decode(self, anatomy: Tensor, style: Tensor, domain: Tensor) -> Tensor:
        """Slices (N, channels, H, W) in [0, 1] with that anatomy and those codes."""
        image: Tensor = self.decoder(anatomy, torch.cat([style, domain], dim=1))
        return image


def with_domains(net: DisentangledNet, n_domains: int) -> DisentangledNet:
    """A copy of a network whose classifier tells more domains apart, or the network itself.

    Whatever the code, those that are new get the same score; everything else is as it
    was.

    Parameters
    ----------
    net : DisentangledNet
    n_domains : int
        Domains, those that `net` knows first; no fewer than these are kept.
    """
    known = net.config.n_domains
    if n_domains <= known or not net.config.domain_dims:
        return net
    grown = copy.deepcopy(net)
    grown.config = net.config.model_copy(update={"n_domains": n_domains})
    old = grown.classifier
    assert isinstance(old, nn.Linear)
    new = nn.Linear(old.in_features, n_domains).to(old.weight)
    with torch.no_grad():
        new.weight[:known], new.bias[:known] = old.weight, old.bias
        new.weight[known:], new.bias[known:] = 0.0, old.bias.min()
    grown.classifier = new
    return grown


class CodeEncoder(nn.Module):
    """A slice of any size to mean and log-variance of a code.

    Parameters
    ----------
    in_channels : int
    dims : int
        Of the code.
    width : int
        Channels after the first convolution; they double at each of four halvings.
    groups : int
        Of the group normalisation.
    """

    def __init__(self, in_channels: int, dims: int, width: int, groups: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = in_channels
        for level in range(_LEVELS):
            after = width * 2 ** min(level, 3) // 2
            layers += [
                Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.GroupNorm(math.gcd(groups, after), after),
                nn.LeakyReLU(_SLOPE),
            ]
            before = after
        self.body = FusedSequential(*layers)
        # Normalisation takes away how bright and how contrasted a slice is, which is
        # much of what a style is: the two go past it.
        self.hidden = nn.Linear(before + 2 * in_channels, 4 * width)
        self.head = nn.Linear(4 * width, 2 * dims)

    def forward(self, images: Tensor) -> Tensor:
        """Means, then log-variances, (N, 2 * dims)."""
        pooled = self.body(images).mean(dim=(2, 3))
        flat = images.flatten(2)
        levels = torch.cat([flat.mean(dim=2), _deviation(flat)], dim=1).to(pooled.dtype)
        hidden = F.leaky_relu(self.hidden(torch.cat([pooled, levels], dim=1)), _SLOPE)
        found: Tensor = self.head(hidden)
        return found


class Decoder(nn.Module):
    """Anatomy and a code to a slice, through adaptive instance normalisation.

    Huang and Belongie, ICCV 2017: each channel is brought to mean 0 and
    deviation 1 within its slice, then to a scale and an offset that a small
    network makes from the code.

    Parameters
    ----------
    anatomy_channels, code_dims, out_channels, width : int
    """

    def __init__(
        self, anatomy_channels: int, code_dims: int, out_channels: int, width: int
    ) -> None:
        super().__init__()
        self.width = width
        self.code = nn.Sequential(
            nn.Linear(code_dims, 4 * width),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(4 * width, 4 * width),
        )
        self.first = Conv2d(anatomy_channels, width, 3, padding=1, bias=False)
        self.second = Conv2d(width, width, 3, padding=1, bias=False)
        self.last = Conv2d(width, out_channels, 3, padding=1)

    def forward(self, anatomy: Tensor, code: Tensor) -> Tensor:
        """Slices (N, out_channels, H, W) in [0, 1]."""
        first_gamma, first_beta, second_gamma, second_beta = (
            self.code(code).float().chunk(4, dim=1)
        )
        x = _adaptive_norm(self.first(anatomy), first_gamma, first_beta)
        x = _adaptive_norm(self.second(x), second_gamma, second_beta)
        return self.last(x).float().sigmoid()


def _adaptive_norm(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """``(1 + gamma) * normalised + beta`` for each slice and channel, rectified."""
    return normalise(x, 1 + gamma, beta, x.shape[1], slope=_SLOPE)


def _deviation(flat: Tensor) -> Tensor:
    # The gradient of a root is infinite at 0, where a constant slice would be.
    return (flat.var(dim=2, correction=0) + _EPS).sqrt()


class TaskNetwork(nn.Module):
    """Anatomy to classes: two layers, and a straight way past them.

    Without the latter the feature network learns through a normalised
    bottleneck of few channels, and nothing but background is found for
    hundreds of steps.

    Parameters
    ----------
    channels, width, groups, n_classes : int
    """

    def __init__(self, channels: int, width: int, groups: int, n_classes: int) -> None:
        super().__init__()
        self.body = FusedSequential(
            Conv2d(channels, width, 3, padding=1, bias=False),
            nn.GroupNorm(groups, width),
            nn.LeakyReLU(_SLOPE),
            Conv2d(width, n_classes, 1),
        )
        self.straight = Conv2d(channels, n_classes, 1, bias=False)

    def forward(self, anatomy: Tensor) -> Tensor:
        """Logits (N, n_classes, H, W) of anatomy (N, channels, H, W)."""
        logits: Tensor = self.body(anatomy) + self.straight(anatomy)
        return logits


def _task(config: DisentangledConfig) -> nn.Module:
    if config.task == "first-channels":
        return nn.Identity()
    return TaskNetwork(config.anatomy_channels, config.width, config.groups, config.n_classes)
