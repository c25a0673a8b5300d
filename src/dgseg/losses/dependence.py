"""How much two codes of the same images tell about each other."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .precision import outside_autocast, widened

Estimator = Literal["biased", "unbiased", "normalised", "published"]


def hsic(
    x: Tensor,
    y: Tensor,
    *,
    estimator: Estimator = "unbiased",
    bandwidth: float | Literal["median"] = "median",
) -> Tensor:
    """Hilbert-Schmidt independence criterion of paired points, with Gaussian kernels.

    Zero in expectation if and only if the two are independent (Gretton et al.,
    ALT 2005). With kernel matrices K and L and ``H = I - 11'/m``:

    - ``"biased"``: ``tr(K H L H) / (m - 1)^2`` (Gretton et al.). Never
      negative; of the order ``1/m`` for independent points.
    - ``"unbiased"``: Song et al., JMLR 2012, equation 5; centred on zero for
      independent points, hence negative at times. At least 4 points.
    - ``"normalised"``: the biased one of x and y over the root of the product
      of those of x with itself and y with itself: centred kernel alignment
      (Cortes et al., JMLR 2012), from 0 to 1 and free of the scale of the
      kernels. As biased as the biased one: near 1 for a handful of points.
    - ``"published"``: ``tr(K H L H) / (m - 1)``, as in the code of DGNet (Liu
      et al., MICCAI 2021), which calls for a `bandwidth` of 5.

    Parameters
    ----------
    x : Tensor, shape (m, p)
        Points; computed in float32, or in float64 if given so.
    y : Tensor, shape (m, q)
        Their partners.
    estimator : {'unbiased', 'biased', 'normalised', 'published'}
        As above.
    bandwidth : float or 'median'
        ``sigma`` of ``exp(-|a - b|^2 / (2 sigma^2))``, for both; or for each
        the median distance of its distinct pairs, as a constant without
        gradient (the lower one of two medians; the root mean square distance
        where the median is zero; 1 where all points coincide).

    Returns
    -------
    Tensor
        0-d. Exactly zero where one of the two is constant.

    Raises
    ------
    ValueError
        If `x` and `y` are not of the same number of points in two dimensions,
        there are too few of them (4 for "unbiased", else 2), or `bandwidth` is
        not positive.
    """
    _check(x, y, estimator, bandwidth)
    points = x.shape[0]
    with outside_autocast(x):
        k = _kernel_less_one(widened(x), bandwidth)
        l = _kernel_less_one(widened(y), bandwidth)  # noqa: E741
        if estimator == "unbiased":
            inner = (_u_centred(k) * _u_centred(l)).sum()
            return inner / (points * (points - 3))
        k, l = _centred(k), _centred(l)  # noqa: E741
        inner = (k * l).sum()
        if estimator == "biased":
            return inner / (points - 1) ** 2
        if estimator == "published":
            return inner / (points - 1)
        return inner / (_norm(k) * _norm(l))


def _check(x: Tensor, y: Tensor, estimator: Estimator, bandwidth: float | str) -> None:
    if x.dim() != 2 or y.dim() != 2 or x.shape[0] != y.shape[0]:
        raise ValueError(f"No pairs of points: {tuple(x.shape)} and {tuple(y.shape)}.")
    least = 4 if estimator == "unbiased" else 2
    if x.shape[0] < least:
        raise ValueError(f"The {estimator} estimate takes {least} points, not {x.shape[0]}.")
    if not (bandwidth == "median" or (not isinstance(bandwidth, str) and bandwidth > 0)):
        raise ValueError(f"A bandwidth is positive or 'median', not {bandwidth!r}.")


def _kernel_less_one(points: Tensor, bandwidth: float | str) -> Tensor:
    """Gaussian kernel matrix minus 1.

    Centring does not see a constant, and without it nothing is lost to
    rounding where the kernel is wide; a constant input gives exact zeros.
    """
    squares = (points[:, None] - points[None, :]).square().sum(dim=-1)
    if isinstance(bandwidth, str):
        return torch.expm1(-squares / (2 * _median_square(squares.detach())))
    return torch.expm1(-squares / (2 * bandwidth**2))


def _median_square(squares: Tensor) -> Tensor:
    """Square of the median distance, or of what stands in for it (`hsic`)."""
    pairs = torch.triu_indices(len(squares), len(squares), 1, device=squares.device)
    distinct = squares[pairs[0], pairs[1]]
    median, mean = distinct.median(), distinct.mean()
    tiny = torch.finfo(squares.dtype).tiny
    spare = torch.where(mean > tiny, mean, 1)
    return torch.where(median > tiny, median, spare)


def _centred(matrix: Tensor) -> Tensor:
    rows = matrix.mean(dim=0, keepdim=True)
    return matrix - rows - rows.mT + rows.mean()


def _u_centred(matrix: Tensor) -> Tensor:
    """Centred so that products are unbiased, without the diagonal.

    Székely and Rizzo, Annals of Statistics 2014, definition 2: the inner
    product of two such matrices over m (m - 3) is the estimate of Song et al.
    `matrix` is a kernel less one: its diagonal is zero, and a constant beside
    the diagonal drops out.
    """
    m = matrix.shape[0]
    rows = matrix.sum(dim=0, keepdim=True)
    centred = matrix - (rows + rows.mT) / (m - 2) + rows.sum() / ((m - 1) * (m - 2))
    diagonal = torch.eye(m, dtype=torch.bool, device=matrix.device)
    return centred.masked_fill(diagonal, 0.0)


def _norm(centred: Tensor) -> Tensor:
    """Frobenius norm, kept off zero so that constants give 0 and a finite slope."""
    return (centred.square().sum() + 1e-8).sqrt()
