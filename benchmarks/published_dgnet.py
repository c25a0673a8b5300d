"""DGNet's published way of one training iteration: the opponent of `bench_dgnet`.

Written from a description of what the code beside the paper does (Liu et al.,
MICCAI 2021), with its costs and its peculiarities, and nothing made better:
a U-Net whose body takes no inner step, one style encoder of linear
convolutions that is run twice in each forward pass, AdaIN through batch
normalisation, and fast weights that each adapted layer asks autograd for by
itself, once for its weight and once for its bias. The only change is the width
of the encoder's first fully connected layer, which follows the size of the
images (the published one takes 288 x 288 alone).

Not for training: use `dgseg.methods` for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, autograd, nn
from torch.nn import functional as F  # noqa: N812

META_STEP = 0.001
CODE = 8
"""Dimensions of the style and of the domain code."""
N_CHANNELS = 8
"""Of the anatomy; the first four are the logits of the classes."""
N_CLASSES = 4
N_DOMAINS = 3
_SLOPE = 0.01


@dataclass(frozen=True)
class Group:
    """The images of meta-train or of meta-test.

    Attributes
    ----------
    images : Tensor, shape (N, 1, H, W)
        In [0, 1].
    domains : Tensor of int64, shape (N,)
    labels : Tensor of int64, shape (N, H, W), or None
        Below 4; None for unlabelled images.
    """

    images: Tensor
    domains: Tensor
    labels: Tensor | None = None


# --- layers that can be adapted ------------------------------------------------------


def _fast(parameter: Tensor, meta_loss: Tensor | None) -> Tensor:
    """A parameter, after a step down the gradient of a loss where there is one."""
    if meta_loss is None:
        return parameter
    (gradient,) = autograd.grad(meta_loss, parameter, create_graph=True)
    return parameter - META_STEP * gradient


class Conv(nn.Conv2d):
    """A convolution that makes its own fast weights."""

    def forward(self, x: Tensor, meta_loss: Tensor | None = None) -> Tensor:
        """As `nn.Conv2d`, with fast weights if a loss is given."""
        weight, bias = _fast(self.weight, meta_loss), _fast(self.bias, meta_loss)
        return F.conv2d(x, weight, bias, self.stride, self.padding)


class Linear(nn.Linear):
    """A fully connected layer that makes its own fast weights."""

    def forward(self, x: Tensor, meta_loss: Tensor | None = None) -> Tensor:
        """As `nn.Linear`, with fast weights if a loss is given."""
        return F.linear(x, _fast(self.weight, meta_loss), _fast(self.bias, meta_loss))


# --- networks ------------------------------------------------------------------------


def _conv_norm(before: int, after: int, kernel: int = 3, *, active: bool = True) -> nn.Module:
    layers = [nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.InstanceNorm2d(after)]
    return nn.Sequential(*layers, *([nn.LeakyReLU(_SLOPE)] if active else []))


class Up(nn.Module):
    """Half the channels at twice the size, joined with what the encoder saw there."""

    def __init__(self, planes: int, *, deepest: bool = False) -> None:
        super().__init__()
        self.before = nn.Identity() if deepest else _conv_norm(2 * planes, planes)
        self.halved = _conv_norm(planes, planes // 2, 1)
        self.after = _conv_norm(planes, planes)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, planes, 2H, 2W) of the level below and the skip."""
        x = self.before(x)
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.after(torch.cat([skip, self.halved(x)], dim=1))


class UNet(nn.Module):
    """Five levels, three convolutions in each; only the last layer is ever adapted."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        self.down = nn.ModuleList(
            nn.Sequential(
                _conv_norm(before, after, active=False),
                _conv_norm(after, after),
                _conv_norm(after, after),
            )
            for before, after in zip([1, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(
            Up(planes, deepest=planes == widths[-1]) for planes in reversed(widths[1:])
        )
        self.seg1 = Conv(2 * width, N_CHANNELS, 1)

    def forward(self, images: Tensor, meta_loss: Tensor | None = None) -> Tensor:
        """Anatomy (N, 8, H, W): raw logits."""
        skips: list[Tensor] = []
        x = images
        for block in self.down:
            x = block(F.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        skips.pop()
        for up in self.up:
            x = up(x, skips.pop())
        return self.seg1(x, meta_loss)


class StyleEncoder(nn.Module):
    """Six convolutions with nothing between them, and the codes of style and domain."""

    def __init__(self, size: int) -> None:
        super().__init__()
        widths = [8, 16, 32, 64, 128, 256]
        self.convs = nn.ModuleList([Conv(1, 8, 7, padding=3)])
        self.convs.extend(
            Conv(before, after, 4, stride=2, padding=1) for before, after in pairwise(widths)
        )
        side = size // 32
        self.flat = Linear(256 * side * side, 4 * side * side)
        self.hidden = Linear(4 * side * side, 32)
        self.mean = Linear(32, 2 * CODE)
        self.log_variance = Linear(32, 2 * CODE)
        self.classifier = Linear(CODE, N_DOMAINS)

    def forward(self, x: Tensor, meta_loss: Tensor | None = None) -> tuple[Tensor, ...]:
        """Means, log-variances and codes drawn (N, 16), domain first; p(domain) (N, 3)."""
        for conv in self.convs:
            x = conv(x, meta_loss)
        x = F.leaky_relu(self.flat(x.flatten(1), meta_loss), _SLOPE)
        x = F.leaky_relu(self.hidden(x, meta_loss), _SLOPE)
        mean, log_variance = self.mean(x, meta_loss), self.log_variance(x, meta_loss)
        code = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        domains = self.classifier(code[:, :CODE], meta_loss).softmax(dim=1)
        return mean, log_variance, code, domains


class Decoder(nn.Module):
    """Anatomy and codes to an image; no activation between the convolutions."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [2 * CODE, 256, 256, 4 * N_CHANNELS]
        self.mlp = nn.ModuleList(Linear(a, b) for a, b in pairwise(sizes))
        channels = [(8, 8), (8, 8), (8, 4), (4, 1)]
        self.convs = nn.ModuleList(Conv(a, b, 3, padding=1) for a, b in channels)
        self.unused = nn.BatchNorm2d(4)

    def forward(self, z: Tensor, code: Tensor, meta_loss: Tensor | None = None) -> Tensor:
        """Images (N, 1, H, W) in (-1, 1)."""
        for layer in self.mlp:
            code = F.relu(layer(code, meta_loss))
        for i, conv in enumerate(self.convs):
            z = conv(z, meta_loss)
            if i < 2:
                scale, shift = code[:, 16 * i : 16 * i + 16].chunk(2, dim=1)
                z = _adain(z, scale, shift)
        return z.tanh()


def _adain(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    n, channels = x.shape[:2]
    means, variances = x.new_zeros(n * channels), x.new_ones(n * channels)
    as_one = x.view(1, n * channels, *x.shape[2:])
    normed = F.batch_norm(
        as_one, means, variances, scale.flatten(), shift.flatten(), training=True
    )
    return normed.view_as(x)


@dataclass(frozen=True)
class Output:
    """All that a forward pass gives."""

    anatomy: Tensor
    mean: Tensor
    log_variance: Tensor
    code: Tensor
    domains: Tensor
    reconstruction: Tensor
    code_again: Tensor


class PublishedDGNet(nn.Module):
    """The networks, and one forward pass through all of them.

    Parameters
    ----------
    size : int
        Rows and columns of the images, a multiple of 32.
    width : int
        Channels of the U-Net at full resolution.
    """

    def __init__(self, size: int, width: int = 32) -> None:
        super().__init__()
        self.style = StyleEncoder(size)
        self.unet = UNet(width)
        self.decoder = Decoder()
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor, meta_loss: Tensor | None = None) -> Output:
        """Everything about images; with a loss, after a step down its gradient."""
        mean, log_variance, code, domains = self.style(images, meta_loss)
        anatomy = self.unet(images, meta_loss)
        reconstruction = self.decoder(anatomy, code, meta_loss)
        again = self.style(reconstruction, meta_loss)[2]
        return Output(anatomy, mean, log_variance, code, domains, reconstruction, again)


# --- losses --------------------------------------------------------------------------


def dice_and_ce(anatomy: Tensor, labels: Tensor) -> Tensor:
    """Dice of all four classes, background included, summed; and the cross-entropy."""
    logits = anatomy[:, :N_CLASSES]
    p = logits.softmax(dim=1)
    truth = F.one_hot(labels, N_CLASSES).movedim(-1, 1).float()
    dice = torch.zeros((), device=p.device)
    for c in range(N_CLASSES):
        both = (p[:, c] * truth[:, c]).sum()
        dice = dice + 1 - (2 * both + 0.1) / (p[:, c].sum() + truth[:, c].sum() + 0.1)
    return dice + F.cross_entropy(logits, labels)


def kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """From the standard normal, mean over the batch."""
    terms = 1 + log_variance - mean.square() - log_variance.exp()
    return (-0.5 * terms.sum(dim=1)).mean()


def hsic(x: Tensor, y: Tensor, sigma: float = 5.0) -> Tensor:
    """Dependence of two codes: tr(KHLH) / (m - 1), with Gaussian kernels."""
    m = len(x)
    distances = ((v[:, None] - v[None]).square().sum(dim=2) for v in (x, y))
    kx, ky = ((-d / (2 * sigma**2)).exp() for d in distances)
    h = torch.eye(m, dtype=x.dtype, device=x.device) - 1 / m
    return torch.trace(kx @ h @ ky @ h) / (m - 1)


def rank(features: Tensor) -> Tensor:
    """The fifth singular value of 2000 pixels drawn at random."""
    rows = features.movedim(1, -1).reshape(-1, features.shape[1])
    rows = rows[torch.randperm(len(rows), device=rows.device)][:2000]
    return torch.svd(rows)[1][N_CLASSES]


def meta_train_loss(out: Output, group: Group) -> Tensor:
    """All terms; Dice and cross-entropy where there are labels."""
    halves = [(out.mean[:, i], out.log_variance[:, i]) for i in _HALVES]
    regular = sum(kl(*half) for half in halves) + hsic(
        out.mean[:, _STYLE], out.mean[:, _DOMAIN]
    )
    loss = meta_test_loss(out, group) + 0.1 * regular
    loss = loss + 0.1 * F.l1_loss(out.code_again, out.code)
    # Probabilities where there are labels, raw logits where there are none.
    features = out.anatomy if group.labels is None else out.anatomy.softmax(dim=1)
    return loss + 0.1 * rank(features)


def meta_test_loss(out: Output, group: Group) -> Tensor:
    """Reconstruction, domain, and the task where there are labels."""
    truth = F.one_hot(group.domains, N_DOMAINS).float()
    loss = F.l1_loss(out.reconstruction, group.images)
    loss = loss + F.binary_cross_entropy_with_logits(out.domains, truth)
    if group.labels is not None:
        loss = loss + 5 * dice_and_ce(out.anatomy, group.labels)
    return loss


_DOMAIN, _STYLE = slice(0, CODE), slice(CODE, 2 * CODE)
_HALVES = (_DOMAIN, _STYLE)

# --- one iteration -------------------------------------------------------------------


def episode_losses(net: PublishedDGNet, train: Group, test: Group) -> tuple[Tensor, Tensor]:
    """Loss of meta-train, and of meta-test with fast weights made from it."""
    first = meta_train_loss(net(train.images), train)
    return first, meta_test_loss(net(test.images, first), test)


def iteration(
    net: PublishedDGNet,
    optimiser: torch.optim.Optimizer,
    unlabelled: tuple[Group, Group],
    labelled: tuple[Group, Group],
) -> list[Tensor]:
    """The unlabelled episode and its step, then the labelled one and its own.

    Returns
    -------
    list of Tensor
        Both losses of both episodes.
    """
    losses = []
    for train, test in (unlabelled, labelled):
        optimiser.zero_grad()
        first, second = episode_losses(net, train, test)
        (first + second).backward()
        nn.utils.clip_grad_value_(net.parameters(), 0.1)
        optimiser.step()
        losses += [first.detach(), second.detach()]
    return losses
