"""A segmenter whose features are a normal distribution at every pixel."""

from __future__ import annotations

from torch import Tensor, nn

from dgseg.nets.config import VariationalConfig
from dgseg.nets.unet import UNet


class VariationalNet(nn.Module):
    """LDDG's network (Li et al., NeurIPS 2020) for slices of any size.

    A U-Net gives mean and log-variance of a few features at every pixel; a
    linear layer makes classes of features. A training draws them, inference
    takes their mean, and `forward` is inference.

    Parameters
    ----------
    config : VariationalConfig
    """

    def __init__(self, config: VariationalConfig) -> None:
        super().__init__()
        self.config = config
        self.feature = UNet(
            config.in_channels,
            2 * config.latent_channels,
            config.width,
            config.depth,
            config.groups,
            config.upsampling,
        )
        self.head = nn.Conv2d(config.latent_channels, config.n_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of the mean features of images (N, channels, H, W)."""
        return self.segment(self.distribution(images)[0])

    def distribution(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the features, each (N, latent channels, H, W), float32."""
        mean, log_variance = self.feature(images).float().chunk(2, dim=1)
        return mean, log_variance

    def segment(self, features: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of features (N, latent channels, H, W)."""
        logits: Tensor = self.head(features)
        return logits
