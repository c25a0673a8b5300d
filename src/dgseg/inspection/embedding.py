"""Codes on a plane, neighbours beside neighbours."""

from __future__ import annotations

import numpy as np

_PERPLEXITY = 30.0
"""Neighbours that a slice heeds, about."""

_LEAST = 3
"""Slices below which there is nothing to lay out."""


def tsne(codes: np.ndarray, seed: int = 0) -> np.ndarray:
    """Lay codes out on a plane by t-SNE (van der Maaten and Hinton, JMLR 2008).

    Slices that are alike lie beside each other; distances between groups of them, and
    the sizes of groups, mean nothing. The perplexity is 30, or less for few slices.

    Parameters
    ----------
    codes : ndarray of float, shape (N, dimensions)
        Rows that are not finite are left out.
    seed : int
        Of the random start.

    Returns
    -------
    ndarray of float32, shape (N, 2)
        Not a number for slices that were left out; nought for fewer than three others.

    Raises
    ------
    ValueError
        If `codes` is not a table with a column or more.
    """
    codes = np.asarray(codes, dtype=np.float64)
    if codes.ndim != 2 or codes.shape[1] < 1:
        raise ValueError(f"{codes.shape} is no table of codes")
    known = np.isfinite(codes).all(axis=1)
    places = np.full((len(codes), 2), np.nan, np.float32)
    places[known] = _lay_out(codes[known], seed)
    return places


def _lay_out(codes: np.ndarray, seed: int) -> np.ndarray:
    n, dims = codes.shape
    if n < _LEAST or not np.ptp(codes, axis=0).any():
        return np.zeros((n, 2), np.float32)
    # A second to import, for whoever asks for it alone.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    method = TSNE(
        perplexity=min(_PERPLEXITY, (n - 1) / 3),
        init="pca" if dims > 1 else "random",
        random_state=seed,
    )
    # Its threads wait for each other at every step: beside a training, for minutes.
    with threadpool_limits(limits=1):
        found: np.ndarray = method.fit_transform(codes)
    return found.astype(np.float32)
