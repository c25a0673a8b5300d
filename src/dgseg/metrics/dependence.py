"""How far two sets of measurements of the same things depend on each other."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist, squareform


def distance_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Distance correlation between two samples of vectors.

    R = sqrt(V(X, Y) / sqrt(V(X, X) V(Y, Y))), where V is the mean over all pairs of
    the product of the doubly centred Euclidean distances: equations 2.8 to 2.10 of
    Szekely, Rizzo and Bakirov, Ann Statist 2007;35:2769-2794, as it is used to
    measure how far content and style are disentangled (Liu et al., STACOM 2020).
    In the limit of many samples it is 0 if and only if the two are independent.

    This is the biased (V-statistic) estimate: of few samples, and the more so of
    long vectors, it is well above 0 for independent ones. Compare values of the same
    number of samples and dimensions only.

    Parameters
    ----------
    first, second : ndarray of float, shape (n,) or (n, dimensions)
        One row a sample, the same sample in the same row of both.

    Returns
    -------
    float
        In [0, 1]; 0 where one of the two is the same for all samples.

    Raises
    ------
    ValueError
        If there are fewer than two samples, or not as many in both, or some values
        are not finite.
    """
    a, b = _rows(first), _rows(second)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} samples of one and {len(b)} of the other")
    x, y = _centred(a), _centred(b)
    if x is None or y is None:
        return 0.0
    # The covariance is not negative but for rounding, and not above the root of the
    # product of the variances.
    covariance = max(float((x * y).mean()), 0.0)
    scale = np.sqrt(float((x * x).mean())) * np.sqrt(float((y * y).mean()))
    return float(np.sqrt(min(covariance / scale, 1.0)))


def _rows(sample: np.ndarray) -> np.ndarray:
    rows = np.asarray(sample, dtype=np.float64)
    rows = rows.reshape(len(rows), -1)
    if len(rows) < 2:
        raise ValueError("dependence needs two samples or more")
    if not np.isfinite(rows).all():
        raise ValueError("some values are not finite numbers")
    return rows


def _centred(rows: np.ndarray) -> np.ndarray | None:
    """Doubly centred distances in units of the largest; None where all are 0."""
    # Bringing the values to order 1 first keeps the squares of tiny and huge ones.
    spread = rows - rows.mean(axis=0)
    largest = np.abs(spread).max(initial=0.0)
    # What is left of a constant by rounding is no measurement.
    if largest <= 1e-12 * np.abs(rows).max(initial=0.0):
        return None
    distances = squareform(pdist(spread / largest))
    means = distances.mean(axis=0)
    return distances - means[:, None] - means[None, :] + means.mean()
