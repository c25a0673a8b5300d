"""What the slices of all domains look like to a network's features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import nn

from dgseg.bundles.look_bank import MOST_FEATURES, LookBank
from dgseg.factors.distance import look_distances
from dgseg.nets.evaluating import evaluating
from dgseg.nets.looks import Looks
from dgseg.training.store import SliceStore

LEVEL = 2
"""Level of the encoder, at a quarter of the resolution. Finer features tell textures and
coarser ones single people apart: with these the fewest new centres seemed to be another
part of the body, and the fewest other parts a new centre."""

_QUANTILES = 41
_DIGITS = 5

Moments = tuple[np.ndarray, np.ndarray]
"""A mean (D,) and a covariance (D, D)."""


def measure_look_bank(net: nn.Module, store: SliceStore) -> LookBank | None:
    """Mean and covariance of what all domains' slices look like, each domain alike.

    All slices of a domain count, labelled or not, whole and on the model's grid.

    Parameters
    ----------
    net : nn.Module
        On the device of the store. It is left in the mode that it is in.
    store : SliceStore

    Returns
    -------
    LookBank or None
        None for a network without a U-Net, or with too shallow or too wide a one.
    """
    looks = Looks(net, LEVEL)
    if not 0 < looks.n_features <= MOST_FEATURES:
        return None
    with evaluating(net), looks:
        found = {name: _looks_of(net, looks, store, name) for name in store.domains}
    moments = {name: _moments(values) for name, values in found.items()}
    mean, covariance = _joined(list(moments.values()))
    return LookBank(
        level=LEVEL,
        domains=tuple(found),
        mean=_rounded(mean),
        covariance=tuple(map(_rounded, covariance)),
        new_centre=_new_centre(found, moments),
    )


def with_site(bank: LookBank, site: LookBank) -> LookBank:
    """A bank with the domains of another one of the same features, a site's.

    How far new centres lie stays as it was: a site alone does not tell it.
    """
    parts = [(bank, len(bank.domains)), (site, len(site.domains))]
    moments = [(np.array(one.mean), np.array(one.covariance)) for one, _ in parts]
    mean, covariance = _joined(moments, [n for _, n in parts])
    return bank.model_copy(
        update={
            "domains": tuple(dict.fromkeys((*bank.domains, *site.domains))),
            "mean": _rounded(mean),
            "covariance": tuple(map(_rounded, covariance)),
        }
    )


def _looks_of(net: nn.Module, looks: Looks, store: SliceStore, domain: str) -> np.ndarray:
    parts = []
    for images in store.slices(domain):
        net(images)
        look = looks.take(len(images))
        assert look is not None
        parts.append(look.double().cpu().numpy())
    return np.concatenate(parts)


def _moments(looks: np.ndarray) -> Moments:
    centred = looks - looks.mean(axis=0)
    return looks.mean(axis=0), centred.T @ centred / len(looks)


def _joined(parts: list[Moments], weights: list[int] | None = None) -> Moments:
    """Mean and covariance of several distributions together."""
    shares = np.array(weights or [1] * len(parts), dtype=float)
    shares /= shares.sum()
    means = np.array([mean for mean, _ in parts])
    mean = shares @ means
    within = sum(share * matrix for share, (_, matrix) in zip(shares, parts, strict=True))
    covariance: np.ndarray = within + (shares[:, None] * (means - mean)).T @ (means - mean)
    return mean, (covariance + covariance.T) / 2  # symmetric to the last bit


def _new_centre(
    looks: Mapping[str, np.ndarray], moments: Mapping[str, Moments]
) -> tuple[float, ...]:
    """Quantiles of the distances of each domain's slices from all other domains.

    Domains are as heavy as each other, however many slices they have.
    """
    if len(looks) < 2:
        return ()
    positions = np.linspace(0, 1, 2 * _QUANTILES)
    found = []
    for name, values in looks.items():
        others = [one for other, one in moments.items() if other != name]
        found.append(np.quantile(look_distances(values, *_joined(others)), positions))
    return _rounded(np.quantile(np.concatenate(found), np.linspace(0, 1, _QUANTILES)))


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    """To a few digits: a bundle's description is read by people, too."""
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)
