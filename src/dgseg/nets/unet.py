"""A 2-D U-Net for slices of any size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the field's name for it)


class UNet(nn.Module):
    """Encoder and decoder with skip connections (Ronneberger et al., 2015).

    Affine group norm instead of batch norm: nothing depends on who else is in
    the batch, so domains do not leak into each other and one slice is
    segmented as it was in training. The affine part lets test-time
    adaptation move the norms alone.

    Parameters
    ----------
    in_channels, n_classes : int
        Channels of the image; classes with the background.
    width : int
        Channels of the first level; each level doubles them, up to 16 times.
    depth : int
        Number of levels; the deepest sees slices shrunk by ``2 ** (depth - 1)``.
    """

    def __init__(
        self, in_channels: int = 1, n_classes: int = 2, width: int = 16, depth: int = 4
    ) -> None:
        super().__init__()
        widths = [width * min(2**level, 16) for level in range(depth)]
        self.factor = 2 ** (depth - 1)
        self.encoder = nn.ModuleList(
            _Block(before, after)
            for before, after in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.decoder = nn.ModuleList(
            _Block(deep + skip, skip)
            for skip, deep in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.head = nn.Conv2d(width, n_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, channels, H, W), H and W at least 1."""
        height, width = images.shape[-2:]
        right, bottom = -width % self.factor, -height % self.factor
        x = F.pad(images, (0, right, 0, bottom), mode="replicate")
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for block in self.decoder:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat((skips.pop(), x), dim=1))
        logits: Tensor = self.head(x)
        return logits[..., :height, :width]


class _Block(nn.Sequential):
    """Twice: convolution 3x3, group norm, leaky ReLU."""

    def __init__(self, before: int, after: int) -> None:
        layers: list[nn.Module] = []
        for channels in (before, after):
            conv = nn.Conv2d(channels, after, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(conv.weight, a=0.01, nonlinearity="leaky_relu")
            layers += [conv, nn.GroupNorm(_groups(after), after), nn.LeakyReLU(0.01, True)]
        super().__init__(*layers)


def _groups(channels: int) -> int:
    """Eight channels a group where they divide."""
    for size in (8, 4, 2, 1):
        if channels % size == 0:
            return channels // size
    return 1
