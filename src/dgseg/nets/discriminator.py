"""A network that judges whether a mask was drawn by a person."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

_SLOPE = 0.2


class MaskDiscriminator(nn.Module):
    """One score for each mask of any size: near 1 for a person's, near 0 for another.

    The discriminator of SDNet (Chartsias et al., Medical Image Analysis
    2019): four convolutions with a leaky rectifier, the first three of stride
    2. Where theirs punishes large spectral norms, here they are one by
    construction (Miyato et al., ICLR 2018), and the score is made from the
    mean of the features over the mask, not from those of one size of it.

    Parameters
    ----------
    channels : int
        Structures of a mask.
    width : int
        Channels after the first convolution; they double with each other one.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for level, stride in enumerate((2, 2, 2, 1)):
            after = width * 2**level
            layers += [
                spectral_norm(nn.Conv2d(before, after, 4, stride=stride, padding=2)),
                nn.LeakyReLU(_SLOPE),
            ]
            before = after
        self.body = nn.Sequential(*layers)
        self.score = nn.Linear(before, 1)

    def forward(self, masks: Tensor) -> Tensor:
        """Scores (N,) of masks (N, structures, H, W)."""
        scores: Tensor = self.score(self.body(masks).mean(dim=(2, 3)))
        return scores[:, 0]
