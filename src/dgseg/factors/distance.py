"""How far slices lie from those of the domains that a model has learnt from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dgseg.bundles.look_bank import LookBank
from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.scans.appearance import without_group

Code = Literal["style", "domain", "both"]

SHRINKAGE = 0.1
"""Share of a covariance that is replaced by that of a ball of the same total variance."""

_FOREIGN = 5.0
"""From so many times the distance of a domain's farthest slices on, codes are foreign.
They tell appearances apart, and bodies hardly: at less a new centre's would be, too."""

LOOK_SHRINKAGE = 0.3
"""The same for looks, of which there are more values than a domain has slices."""

_NEW_CENTRE = 95.0
"""Percentage of the slices of centres that are new to a model that lie nearer than what is
foreign. Of 40 scans of hearts, each of a centre that was left out, one was; of 56 looks at
other parts of the body 73 % were (docs/benchmarks/concerns.md)."""

_KNOWN = 1.5
"""Distance by the look from which on slices are not like those of a known centre; 1 is
usual among these."""

_FARTHEST = 0.999
"""Quantile of the chi-squared law that stands for the farthest slice."""


@dataclass(frozen=True)
class Distance:
    """Of slices from the domains that a bundle knows.

    Attributes
    ----------
    nearest : str
        The nearest of its domains, by the median over the slices; empty for looks,
        which are compared with all domains together.
    value : float
        Median over the slices of the Mahalanobis distance to the normal distribution of
        that domain, over the root mean square distance of its own slices where a bundle
        tells it, else over the root of the dimensions.
    percentile : float
        0 to 100: share of that domain's own slices that lie nearer; for looks, of slices
        of centres that are new to the model.
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
    try:
        root = np.linalg.cholesky(shrunk(covariance, shrinkage))
    except np.linalg.LinAlgError as error:
        raise ValueError("a covariance that is not positive has no distances") from error
    known = np.isfinite(codes).all(axis=1)
    white = np.linalg.solve(root, (codes[known] - mean).T)
    distances = np.full(len(codes), np.nan)
    distances[known] = np.sqrt(np.square(white).sum(axis=0))
    return distances


def shrunk(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    """A covariance (D, D), a share of it replaced by that of a ball; see `mahalanobis`."""
    size = len(covariance)
    ball = np.trace(covariance) / size * np.eye(size)
    return (1 - shrinkage) * covariance + shrinkage * ball


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
    values = {
        name: _median(own_distances(known, codes, code)) for name, known in bank.domains.items()
    }
    nearest = min(values, key=lambda name: values[name])
    quantiles = bank.domains[nearest].distance_quantiles if code == "both" else ()
    percentile, farthest, usual = _usual(values[nearest], codes.shape[1], quantiles)
    foreign = values[nearest] > _FOREIGN * farthest
    sentence = _of_codes(without_group(nearest), percentile if quantiles else None, foreign)
    return Distance(nearest, values[nearest] / usual, percentile, sentence, foreign)


def look_distances(looks: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Distances (N,) of slices by their look, over the root mean square that is usual.

    The mean square of the Mahalanobis distances of what has that mean and covariance C
    is ``trace(S^-1 C)`` with S shrunk, so that 1 is usual whatever the shrinkage.

    Parameters
    ----------
    looks : ndarray, shape (N, D)
    mean : ndarray, shape (D,)
    covariance : ndarray, shape (D, D)
    """
    distances = mahalanobis(looks, mean, covariance, LOOK_SHRINKAGE)
    usual = np.trace(np.linalg.solve(shrunk(covariance, LOOK_SHRINKAGE), covariance))
    return distances / np.sqrt(usual)


def distance_to_looks(bank: LookBank, looks: np.ndarray) -> Distance:
    """How far slices are, by their look, from what a model has learnt from.

    Lee et al., "A simple unified framework for detecting out-of-distribution samples",
    NeurIPS 2018, with one normal distribution in place of one for each class.

    Parameters
    ----------
    bank : LookBank
        Of the model.
    looks : ndarray, shape (N, D)
        Mean features of the slices; those that are not finite do not count.

    Raises
    ------
    ValueError
        If the looks are not of the bank's dimension, or none is finite.
    """
    value = _median(look_distances(looks, np.array(bank.mean), np.array(bank.covariance)))
    if not bank.new_centre:
        return Distance("", value, 0.0, "This model cannot tell what is unlike it.", False)
    percentile = _percentile(value, bank.new_centre)
    foreign = percentile > _NEW_CENTRE
    return Distance("", value, percentile, _of_looks(value, foreign), foreign)


def _median(distances: np.ndarray) -> float:
    if not np.isfinite(distances).any():
        raise ValueError("no slice has numbers to compare")
    return float(np.nanmedian(distances))


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


def _usual(value: float, dims: int, quantiles: tuple[float, ...]) -> tuple[float, float, float]:
    """Share (0 to 100) of a domain's slices that lie nearer, and how far they lie.

    That is the farthest of them, and their root mean square: the covariance of a domain
    holds what its slices' codes leave open, so for codes that say little it is far less
    than the root of the dimensions. By the chi-squared law where nothing was measured.
    """
    if not quantiles:
        # Here: it takes a quarter of a second to import, and most models have quantiles.
        from scipy.special import chdtr, chdtri

        share = float(chdtr(dims, dims * value**2))
        return 100 * share, float(np.sqrt(chdtri(dims, 1 - _FARTHEST) / dims)), 1.0
    square = float(np.mean(np.square(quantiles)))
    return _percentile(value, quantiles), quantiles[-1], math.sqrt(square) or 1.0


def _percentile(value: float, quantiles: tuple[float, ...]) -> float:
    """0 to 100: where a value lies among evenly spaced quantiles."""
    return float(np.interp(value, quantiles, np.linspace(0, 100, len(quantiles))))


def _of_codes(nearest: str, percentile: float | None, foreign: bool) -> str:
    if foreign:
        return (
            "Unlike anything this model was trained on: far from even the nearest centre "
            f"that it knows, {nearest}."
        )
    if percentile is None:
        return f"Most like {nearest} among the centres that this model knows."
    share = "all" if percentile > 99.5 else f"{percentile:.0f} %"
    return f"Most like {nearest}: farther away than {share} of that centre's own slices."


def _of_looks(value: float, foreign: bool) -> str:
    if foreign:
        return (
            "Unlike anything this model was trained on: another part of the body, perhaps, "
            "or a very different scanner."
        )
    return (
        "Like what this model was trained on."
        if value < _KNOWN
        else "As unlike what this model was trained on as a new centre usually is."
    )
