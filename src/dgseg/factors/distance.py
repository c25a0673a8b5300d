"""How far the codes of slices lie from those of the domains that a model has learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import chdtr, chdtri

from dgseg.bundles.style_bank import DomainStyle, StyleBank

Code = Literal["style", "domain", "both"]

SHRINKAGE = 0.1
"""Share of a covariance that is replaced by that of a ball of the same total variance."""

_FOREIGN = 1.5
"""From so many times the distance of a domain's farthest slices on, slices are foreign."""

_FARTHEST = 0.999
"""Quantile of the chi-squared law that stands for the farthest slice."""


@dataclass(frozen=True)
class Distance:
    """Of slices from the domains that a bundle knows.

    Attributes
    ----------
    nearest : str
        The nearest of its domains, by the median over the slices.
    value : float
        Median over the slices of the Mahalanobis distance to that domain's normal
        distribution, over the root of the code's dimensions.
    percentile : float
        0 to 100: share of that domain's own slices that lie nearer.
    sentence : str
        All of that in plain words.
    foreign : bool
        Whether that is unlike anything that the model has learnt from.
    """

    nearest: str
    value: float
    percentile: float
    sentence: str
    foreign: bool


def mahalanobis(
    codes: np.ndarray, mean: np.ndarray, covariance: np.ndarray, shrinkage: float = SHRINKAGE
) -> np.ndarray:
    """Distances from a normal distribution, in its standard deviations.

    The root of ``(x - m)' S^-1 (x - m)``, with
    ``S = (1 - shrinkage) covariance + shrinkage trace(covariance) / D`` on the diagonal:
    a covariance of few slices has directions in which it is far too narrow (Ledoit and
    Wolf, Journal of Multivariate Analysis 2004). Without shrinkage any affine change of
    coordinates leaves the distance as it is; with it, rotations, mirrorings, translations
    and changes of the unit.

    Parameters
    ----------
    codes : ndarray, shape (N, D)
    mean : ndarray, shape (D,)
    covariance : ndarray, shape (D, D)
    shrinkage : float
        0 to 1.

    Returns
    -------
    ndarray of float64, shape (N,)
        Not a number for codes that are not finite.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or nothing varies.
    """
    codes = np.asarray(codes, dtype=np.float64)
    mean = np.asarray(mean, dtype=np.float64)
    covariance = np.asarray(covariance, dtype=np.float64)
    size = mean.size
    if codes.ndim != 2 or codes.shape[1] != size or covariance.shape != (size, size):
        raise ValueError(
            f"codes {codes.shape}, mean {mean.shape} and covariance {covariance.shape} "
            "do not fit each other"
        )
    ball = np.trace(covariance) / size * np.eye(size)
    shrunk = (1 - shrinkage) * covariance + shrinkage * ball
    try:
        root = np.linalg.cholesky(shrunk)
    except np.linalg.LinAlgError as error:
        raise ValueError("a covariance that is not positive has no distances") from error
    known = np.isfinite(codes).all(axis=1)
    white = np.linalg.solve(root, (codes[known] - mean).T)
    distances = np.full(len(codes), np.nan)
    distances[known] = np.sqrt(np.square(white).sum(axis=0))
    return distances


def own_distances(style: DomainStyle, codes: np.ndarray, code: Code = "both") -> np.ndarray:
    """Distances (N,) of codes from one domain, over the root of their dimensions.

    Parameters
    ----------
    style : DomainStyle
    codes : ndarray, shape (N, D)
        Of the kind `code`; for "both" style codes, then domain codes.
    code : {'style', 'domain', 'both'}
    """
    mean, covariance = _moments(style, code)
    return mahalanobis(codes, mean, covariance) / np.sqrt(max(mean.size, 1))


def distance_to_bank(
    bank: StyleBank, style: np.ndarray, domain: np.ndarray, code: Code = "both"
) -> Distance:
    """How far slices are from what a model has learnt from.

    Parameters
    ----------
    bank : StyleBank
        Of the model.
    style, domain : ndarray, shapes (N, S) and (N, D)
        The means of the slices' codes; those that are not finite do not count.
    code : {'style', 'domain', 'both'}
        Which of them to compare; "both" as one code.

    Raises
    ------
    ValueError
        If the codes are not of the bank's dimensions, or none is finite.
    """
    given = {"style": [style], "domain": [domain], "both": [style, domain]}[code]
    codes = np.concatenate([np.asarray(x, dtype=np.float64) for x in given], axis=1)
    if not np.isfinite(codes).all(axis=1).any():
        raise ValueError("no slice has a code to compare")
    values = {
        name: float(np.nanmedian(own_distances(known, codes, code)))
        for name, known in bank.domains.items()
    }
    nearest = min(values, key=lambda name: values[name])
    known, value = bank.domains[nearest], values[nearest]
    quantiles = known.distance_quantiles if code == "both" else ()
    percentile, farthest = _usual(value, codes.shape[1], quantiles)
    foreign = value > _FOREIGN * farthest
    return Distance(
        nearest, value, percentile, _sentence(nearest, value, percentile, foreign), foreign
    )


def _moments(style: DomainStyle, code: Code) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and covariance (D, D) of a domain's codes.

    Of both without the covariance between the two, which a bank does not hold.
    """
    parts = {
        "style": (style.style_mean, style.style_covariance),
        "domain": (style.domain_mean, style.domain_covariance),
    }
    wanted = [parts[name] for name in ("style", "domain") if code in (name, "both")]
    mean = np.concatenate([np.array(one[0], dtype=np.float64) for one in wanted])
    covariance = np.zeros((mean.size, mean.size))
    at = 0
    for _, matrix in wanted:
        part = slice(at, at + len(matrix))
        covariance[part, part] = np.array(matrix).reshape(len(matrix), len(matrix))
        at = part.stop
    return mean, covariance


def _usual(value: float, dims: int, quantiles: tuple[float, ...]) -> tuple[float, float]:
    """Share (0 to 100) of a domain's slices that lie nearer, and where the farthest lie."""
    if not quantiles:
        share = float(chdtr(dims, dims * value**2))
        return 100 * share, float(np.sqrt(chdtri(dims, 1 - _FARTHEST) / dims))
    evenly = np.linspace(0, 100, len(quantiles))
    return float(np.interp(value, quantiles, evenly)), quantiles[-1]


def _sentence(nearest: str, value: float, percentile: float, foreign: bool) -> str:
    if foreign:
        return (
            f"Unlike anything this model was trained on: {value:.1f} deviations from "
            f"{nearest}, the nearest centre it knows."
        )
    share = "all" if percentile > 99.5 else f"{percentile:.0f} %"
    return (
        f"Most like {nearest}: {value:.1f} deviations away, "
        f"farther than {share} of that centre's own slices."
    )
