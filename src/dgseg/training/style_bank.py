"""How the slices of each domain look to a network that tells style from anatomy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.factors.distance import own_distances
from dgseg.nets.evaluating import evaluating
from dgseg.training.store import SliceStore

_QUANTILES = 41
"""Of the distances of a domain's slices: one every 2.5 %."""


def has_styles(net: nn.Module) -> bool:
    """Whether a network tells style from anatomy."""
    return callable(getattr(net, "encode", None))


def measure_style_bank(net: nn.Module, store: SliceStore) -> StyleBank:
    """Mean and covariance of the style and domain codes of every domain.

    All slices of a domain count, labelled or not, whole and on the model's grid. Each
    has a normal posterior, with a mean and a variance a dimension; by the law of total
    variance, cov(code) = cov(means of the slices) + diag(mean of their variances).

    Parameters
    ----------
    net : nn.Module
        On the device of the store; its method ``encode`` gives `Codes` of images
        (N, 1, H, W). It is left in the mode that it is in.
    store : SliceStore

    Returns
    -------
    StyleBank
        Covariances with denominator n, the number of slices; and how far the slices of
        each domain lie from its own distribution.
    """
    encode: Callable[[Tensor], Any] = net.encode  # type: ignore[assignment]
    with evaluating(net):
        return StyleBank(
            domains={name: _measure(encode, store, name) for name in store.domains}
        )


def _measure(encode: Callable[[Tensor], Any], store: SliceStore, domain: str) -> DomainStyle:
    codes = [encode(images) for images in store.slices(domain)]
    styles = torch.cat([c.style_mean for c in codes])
    owns = torch.cat([c.domain_mean for c in codes])
    style = _moments(styles, torch.cat([c.style_log_variance for c in codes]))
    own = _moments(owns, torch.cat([c.domain_log_variance for c in codes]))
    found = DomainStyle(
        n_slices=store.n_slices(domain),
        style_mean=style[0],
        style_covariance=style[1],
        domain_mean=own[0],
        domain_covariance=own[1],
    )
    distances = own_distances(found, torch.cat([styles, owns], dim=1).cpu().numpy())
    quantiles = np.quantile(distances, np.linspace(0, 1, _QUANTILES))
    return found.model_copy(update={"distance_quantiles": tuple(quantiles.tolist())})


def _moments(means: Tensor, log_variances: Tensor) -> tuple[Any, Any]:
    """Mean (D,) and covariance (D, D), as nested tuples, of posteriors (N, D) together."""
    means = means.double()
    centred = means - means.mean(dim=0)
    covariance = centred.T @ centred / len(means)
    covariance += torch.diag(log_variances.double().exp().mean(dim=0))
    covariance = (covariance + covariance.T) / 2  # to the last bit
    return tuple(means.mean(dim=0).tolist()), tuple(map(tuple, covariance.tolist()))
