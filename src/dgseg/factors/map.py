"""A map of slices among the domains that a model knows: two axes of a code, by PCA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dgseg.bundles.style_bank import StyleBank

OneCode = Literal["style", "domain"]

N_OUTLINE = 64
"""Points of an ellipse; the last is the first."""

_BALL = 0.01
"""Share of a ball in the covariance that whitens, so that nothing is divided by nought.

The mean over all domains rests on enough slices to need no more, and more would drown the
dimensions in which the posteriors are narrow: those that carry something.
"""

SILENT = 0.05
"""A dimension whose means make up less than this share of its variance carries nothing."""


@dataclass(frozen=True, eq=False)
class CodeMap:
    """Where slices lie among the domains of a bundle; one unit is one deviation.

    Attributes
    ----------
    xy : ndarray of float64, shape (N, 2)
        The slices; not a number for those without a code.
    outlines : dict of str to ndarray of float64, shape (64, 2)
        The ellipse of each domain, two deviations from its middle.
    middles : dict of str to ndarray of float64, shape (2,)
        The mean of each domain.
    carried : ndarray of float64, shape (D,)
        As `carried` tells.
    """

    xy: np.ndarray
    outlines: dict[str, np.ndarray]
    middles: dict[str, np.ndarray]
    carried: np.ndarray

    @property
    def carries(self) -> bool:
        """Whether the code tells slices or domains apart at all."""
        return bool((self.carried >= SILENT).any())


def map_codes(bank: StyleBank, codes: np.ndarray, code: OneCode) -> CodeMap:
    """The map of the codes of a site's slices.

    Parameters
    ----------
    bank : StyleBank
        Of the model that gave the codes.
    codes : ndarray, shape (N, D)
        The means of the slices' codes; rows that are not finite are left out.
    code : {'style', 'domain'}
        Which of them they are.

    Raises
    ------
    ValueError
        If the model has no such code, or the dimensions differ from the bank's.
    """
    means, covariances = moments(bank, code)
    basis, centre = pca(codes, means, covariances)
    each = zip(bank.domains, means, covariances, strict=True)
    outlines = {name: ellipse(mean, cov, basis, centre) for name, mean, cov in each}
    middles = dict(zip(bank.domains, project(means, basis, centre), strict=True))
    return CodeMap(
        project(codes, basis, centre), outlines, middles, carried(codes, means, covariances)
    )


def moments(bank: StyleBank, code: OneCode) -> tuple[np.ndarray, np.ndarray]:
    """Means (K, D) and covariances (K, D, D) of the domains of a bundle, as float64.

    Raises
    ------
    ValueError
        If the model has no such code.
    """
    means = [getattr(each, f"{code}_mean") for each in bank.domains.values()]
    covariances = [getattr(each, f"{code}_covariance") for each in bank.domains.values()]
    if not len(means[0]):
        raise ValueError(f"this model has no {code} code")
    return np.array(means, float), np.array(covariances, float)


def pca(
    codes: np.ndarray, means: np.ndarray, covariances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The two axes along which slices and domains lie farthest apart.

    Principal components of the slices and the domains' means, where the slices weigh
    together as much as one domain, in coordinates in which the domains' mean covariance
    is the unit matrix: lengths on the map are in deviations within a domain. Without that
    whitening the axes would show noise: a bank's
    covariances hold the variance of the posteriors, and that is widest, as wide as the
    prior, in the dimensions that carry nothing.

    Parameters
    ----------
    codes : ndarray, shape (N, D)
        Rows that are not finite are left out.
    means, covariances : ndarray, shapes (K, D) and (K, D, D)
        Of the domains.

    Returns
    -------
    basis : ndarray of float64, shape (D, 2)
        The component of the greatest size is positive in either column; the second
        column is nought where D is 1.
    centre : ndarray of float64, shape (D,)
        What lies at (0, 0).

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or D is 0.
    """
    known, means, covariances = _checked(codes, means, covariances)
    size = means.shape[1]
    weights = np.ones(len(known) + len(means))
    weights[: len(known)] = 1 / max(len(known), 1)
    weights /= weights.sum()
    rows = np.concatenate([known, means])
    centre = weights @ rows
    white = _whitening(covariances.mean(axis=0))
    spread = (rows - centre) @ white
    _, directions = np.linalg.eigh(spread.T @ (weights[:, None] * spread))
    basis = np.zeros((size, 2))
    basis[:, : min(size, 2)] = white @ directions[:, ::-1][:, :2]
    largest = basis[np.abs(basis).argmax(axis=0), [0, 1]]
    return basis * np.where(largest < 0, -1.0, 1.0), centre


def project(codes: np.ndarray, basis: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Codes (N, D) as places (N, 2) on the map of `pca`; not a number for unknown ones."""
    codes = np.asarray(codes, dtype=np.float64)
    known = np.isfinite(codes).all(axis=1)
    places = np.full((len(codes), 2), np.nan)
    places[known] = (codes[known] - centre) @ basis
    return places


def ellipse(
    mean: np.ndarray,
    covariance: np.ndarray,
    basis: np.ndarray,
    centre: np.ndarray,
    deviations: float = 2.0,
) -> np.ndarray:
    """The outline of a normal distribution on the map of `pca`.

    Parameters
    ----------
    mean, covariance : ndarray, shapes (D,) and (D, D)
    basis, centre : ndarray, shapes (D, 2) and (D,)
        Of `pca`.
    deviations : float
        How many of them the outline lies from the mean.

    Returns
    -------
    ndarray of float64, shape (64, 2)
        Closed.
    """
    flat = basis.T @ np.asarray(covariance, dtype=np.float64) @ basis
    variances, directions = np.linalg.eigh(flat)
    radii = deviations * np.sqrt(np.clip(variances, 0, None))
    angles = np.linspace(0, 2 * np.pi, N_OUTLINE)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    middle = project(np.asarray(mean)[None], basis, centre)
    outline: np.ndarray = middle + (circle * radii) @ directions.T
    return outline


def carried(codes: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """How much of each dimension of a code tells slices or domains apart.

    A code is a mean and a variance for each slice. Where the posterior of every slice is
    the prior, all of the variance in the bank is noise, and the means stay where they are:
    this is the mean square of what slices' means, or domains', are off the middle of the
    bank, over the variance of the bank.

    Parameters
    ----------
    codes : ndarray, shape (N, D)
        Rows that are not finite are left out; there may be none.
    means, covariances : ndarray, shapes (K, D) and (K, D, D)
        Of the domains.

    Returns
    -------
    ndarray of float64, shape (D,)
        0 and up; below `SILENT`, a dimension carries nothing.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or D is 0.
    """
    known, means, covariances = _checked(codes, means, covariances)
    middle, deviation = pooled(means, covariances)
    total = np.square(deviation)
    between = np.square(means - middle).mean(axis=0)
    of_slices = np.square(known - middle).mean(axis=0) if len(known) else 0.0
    told = np.maximum(between, of_slices)
    share: np.ndarray = np.where(total > 0, told / np.where(total > 0, total, 1), told > 0)
    return share


def pooled(means: np.ndarray, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (D,) of all domains together, each weighing the same."""
    within = np.einsum("kdd->kd", covariances).mean(axis=0)
    return means.mean(axis=0), np.sqrt(within + means.var(axis=0))


def _checked(
    codes: np.ndarray, means: np.ndarray, covariances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The known ones of the codes, and the moments, as float64 and of fitting shapes."""
    codes = np.asarray(codes, dtype=np.float64)
    means, covariances = np.asarray(means, float), np.asarray(covariances, float)
    n_domains, size = means.shape
    if not size:
        raise ValueError("a model without this code has no map of it")
    if (
        codes.ndim != 2
        or codes.shape[1] != size
        or covariances.shape != (n_domains, size, size)
    ):
        raise ValueError(
            f"codes {codes.shape}, means {means.shape} and covariances "
            f"{covariances.shape} do not fit each other"
        )
    return codes[np.isfinite(codes).all(axis=1)], means, covariances


def _whitening(covariance: np.ndarray) -> np.ndarray:
    """The symmetric matrix that makes a covariance, with a little of a ball, the unit."""
    size = len(covariance)
    ball = np.trace(covariance) / size * np.eye(size)
    variances, directions = np.linalg.eigh((1 - _BALL) * covariance + _BALL * ball)
    if variances[0] <= 0:
        return np.eye(size)
    scale = 1 / np.sqrt(variances)
    white: np.ndarray = (directions * scale) @ directions.T
    return white
