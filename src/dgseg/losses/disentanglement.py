"""What a net that takes images apart and puts them together again is trained with."""

from __future__ import annotations

import torch
from torch import Tensor

from .precision import widened

LOG_VARIANCE_LIMIT = 10.0
"""Above this log variance (a standard deviation of 148), none is believed."""


def kl_to_normal(mean: Tensor, log_variance: Tensor, free: float = 0.0) -> Tensor:
    """Kullback-Leibler divergence of normal codes from the standard normal one.

    ``mean over images of sum over dimensions of (mu^2 + e^v - 1 - v) / 2``
    (Kingma and Welling, ICLR 2014, appendix B). Above a log variance v of
    `LOG_VARIANCE_LIMIT` the exponential goes on as its tangent: it cannot
    overflow, and its gradient still leads back.

    With `free` nats only what is above them counts, ``max(0, divergence - free)``: the
    gradient of the free bits of Kingma et al. (NIPS 2016, appendix C), for the whole code
    at once. Below that there is no reason to empty the code; and as its dimensions share
    the nats, saying the same in several of them is a waste, which one budget for each
    dimension would reward.

    Parameters
    ----------
    mean, log_variance : Tensor, shape (N, k)
        Of the codes, every dimension on its own; computed in float32, or in
        float64 if given so.
    free : float
        Nats, 0 or more.

    Returns
    -------
    Tensor
        0-d, in nats; never negative.
    """
    mean, log_variance = widened(mean), widened(log_variance)
    excess = (log_variance - LOG_VARIANCE_LIMIT).relu()
    variance = log_variance.clamp_max(LOG_VARIANCE_LIMIT).exp() * (1.0 + excess)
    nats = 0.5 * (mean.square() + variance - 1.0 - log_variance).sum(dim=-1).mean()
    return (nats - free).relu() if free else nats


def reparameterise(mean: Tensor, log_variance: Tensor, noise: Tensor | None = None) -> Tensor:
    """Codes drawn from normal distributions, with a gradient to their parameters.

    ``mu + e^(v / 2) noise`` (Kingma and Welling, ICLR 2014), once.

    Parameters
    ----------
    mean, log_variance : Tensor, shape (N, k)
        Of the codes; log variances above `LOG_VARIANCE_LIMIT` count as that.
    noise : Tensor, shape (N, k), optional
        Standard normal numbers; drawn from torch's generator if not given.

    Returns
    -------
    Tensor, shape (N, k)
        float64 where `mean` is, else float32.
    """
    mean = widened(mean)
    deviation = (0.5 * widened(log_variance).clamp_max(LOG_VARIANCE_LIMIT)).exp()
    noise = torch.randn_like(mean) if noise is None else noise.to(mean.dtype)
    return mean + deviation * noise


def reconstruction_l1(
    reconstruction: Tensor, images: Tensor, valid: Tensor | None = None
) -> Tensor:
    """Mean absolute difference between images and what was made of their codes.

    Parameters
    ----------
    reconstruction, images : Tensor, shape (N, C, H, W)
        In the same units, which are also those of the result.
    valid : Tensor of bool, shape (N, H, W), optional
        Pixels to compare; all if not given. The others have no influence,
        whatever they hold; the loss is zero where there are none.

    Returns
    -------
    Tensor
        0-d.
    """
    difference = widened(reconstruction) - widened(images)
    if valid is None:
        return difference.abs().mean()
    mask = valid[:, None].expand_as(difference)
    error = torch.where(mask, difference, 0).abs().sum()
    return error / mask.sum().clamp_min(1)


def latent_regression(found: Tensor, sampled: Tensor) -> Tensor:
    """Mean absolute difference of codes put into a reconstruction and found in it again.

    Parameters
    ----------
    found, sampled : Tensor, shape (N, k)
        Both take gradients: detach what should stay as it is.

    Returns
    -------
    Tensor
        0-d.
    """
    return (widened(found) - widened(sampled)).abs().mean()
