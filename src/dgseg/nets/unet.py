"""A U-Net for slices of any size."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, cat, nn
from torch.nn import functional as F  # noqa: N812

from dgseg.nets.conv import Conv2d, ConvTranspose2d
from dgseg.nets.norm import FusedSequential

_SLOPE = 0.01


class UNet(nn.Module):
    """U-Net with group normalisation, for images of any size.

    Ronneberger et al., MICCAI 2015, with padded convolutions, leaky rectifiers
    and affine group normalisation (Wu and He, ECCV 2018) in place of batch
    normalisation: no statistics of other scans, other centres or other slices
    of a batch enter a prediction, and training and inference compute the same.

    Parameters
    ----------
    in_channels, n_classes, width, depth, groups, upsampling
        See `dgseg.nets.config.UNetConfig`.
    """

    def __init__(
        self,
        in_channels: int = 1,
        n_classes: int = 2,
        width: int = 16,
        depth: int = 4,
        groups: int = 4,
        upsampling: str = "bilinear",
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth)]
        self.stride = 2 ** (depth - 1)
        """Side of the coarsest pixels, in pixels of the image."""
        self.encoder = nn.ModuleList(
            _Block(before, after, groups)
            for before, after in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            _upsampling(upsampling, below, here) for here, below in pairwise(widths)
        )
        self.decoder = nn.ModuleList(_Block(2 * here, here, groups) for here in widths[:-1])
        self.head = Conv2d(width, n_classes, 1)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, n_classes, H, W) of images (N, in_channels, H, W).

        Sizes that are no multiple of `stride` are padded below and on the
        right, by reflection where the image is large enough for it and with
        its last pixels where it is not; the logits there are cut off.
        """
        height, width = images.shape[-2:]
        below, right = -height % self.stride, -width % self.stride
        x = _pad(images, below, right)
        skips: list[Tensor] = []
        for block in self.encoder:
            x = block(F.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        skips.pop()
        for up, block in zip(reversed(self.up), reversed(self.decoder), strict=True):
            x = block(cat([skips.pop(), up(x)], dim=1))
        logits: Tensor = self.head(x)
        # A part, even if it is all of it, costs an image of zeros in each backward pass.
        return logits[..., :height, :width] if below or right else logits


class _Block(FusedSequential):
    """Twice: convolution, normalisation, rectifier."""

    def __init__(self, before: int, after: int, groups: int) -> None:
        layers: list[nn.Module] = []
        for channels in (before, after):
            layers += [
                # The normalisation takes a bias away again.
                Conv2d(channels, after, 3, padding=1, bias=False),
                nn.GroupNorm(groups, after),
                nn.LeakyReLU(_SLOPE, inplace=True),
            ]
        super().__init__(*layers)


def _upsampling(kind: str, before: int, after: int) -> nn.Module:
    if kind == "transposed":
        return ConvTranspose2d(before, after, 2, stride=2)
    # Mixing the channels first interpolates half as many, and both are linear.
    return nn.Sequential(
        Conv2d(before, after, 1),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
    )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.kaiming_normal_(module.weight, a=_SLOPE, nonlinearity="leaky_relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _pad(images: Tensor, below: int, right: int) -> Tensor:
    if not below and not right:
        return images
    height, width = images.shape[-2:]
    mode = "reflect" if below < height and right < width else "replicate"
    return F.pad(images, (0, right, 0, below), mode=mode)
