"""How far features are from having a given rank."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .precision import outside_autocast, widened

_SAMPLED_PIXELS = 2000  # of the published code: its singular values grow with their root


def rank_value(features: Tensor, k: int, *, eps: float = 1e-8) -> Tensor:
    """The (k+1)-th largest singular value of features: zero where their rank is at most k.

    The rank regulariser of LDDG (Li et al., NeurIPS 2020) and DGNet (Liu et
    al., MICCAI 2021): with k classes, what the features hold beyond k
    directions is pressed out. The features are read as a matrix of channels by
    all pixels of the batch, whose singular values are the roots of the
    eigenvalues of a channels x channels Gram matrix: exact and without random
    numbers, where the published code decomposes 2000 random pixels. The value
    is scaled to what such a sample has on average, so that the published
    weight of the term keeps its meaning.

    An eigenvalue has infinite curvature where it meets another, and the loss
    drives the smallest ones together. Its gradient is therefore built from
    second-order perturbation theory around the eigenvectors at hand instead of
    being propagated through them: equal to the exact first and second
    derivatives wherever eigenvalues are apart, and finite everywhere; between
    eigenvalues that coincide to the precision of the features, the curvature
    is left out, which is the Rayleigh quotient of a fixed eigenvector. Third
    derivatives are not those of a singular value.

    Parameters
    ----------
    features : Tensor, shape (N, C, H, W)
        Anatomy channels, after whatever activation. Computed in float64 where
        the device has it; half precision is fine.
    k : int
        Rank to stay within, ``0 <= k < C``.
    eps : float
        Added to the eigenvalue per pixel, before the root: the slope of the
        root is finite at zero, where the value is ``sqrt(2000 * eps)``.

    Returns
    -------
    Tensor
        0-d; float64 for features in float64, else float32. Not a number, and
        not an error, where the features are not finite.

    Raises
    ------
    ValueError
        If `k` is not below the number of channels, or `features` not 4-d.
    """
    if features.dim() != 4:
        raise ValueError(f"Features have 4 dimensions (N, C, H, W), not {features.dim()}.")
    channels = features.shape[1]
    if not 0 <= k < channels:
        raise ValueError(f"A rank of {k} cannot be exceeded by {channels} channels.")
    narrow = widened(features)
    with outside_autocast(features):
        pixels = narrow if narrow.device.type == "mps" else narrow.double()
        pixels = pixels.flatten(2)
        count = max(pixels.shape[0] * pixels.shape[2], 1)
        gram = (pixels @ pixels.mT).sum(dim=0) / count
        tie = 1e-12 if features.dtype == torch.float64 else 1e-6
        eigenvalue = _eigenvalue(gram, channels - 1 - k, tie)
        value = (eigenvalue + eps).sqrt() * math.sqrt(_SAMPLED_PIXELS)
    return value.to(narrow.dtype)


def _eigenvalue(matrix: Tensor, index: int, tie: float) -> Tensor:
    """The eigenvalue of that ascending index, with two derivatives (`rank_value`).

    ``lambda_i(G + D) = lambda_i + v_i' D v_i + sum_j (v_j' D v_i)^2 / (lambda_i - lambda_j)``
    up to third order in D (Kato, Perturbation Theory for Linear Operators,
    II.2). D is the matrix less its own detached value: zero, with the gradient
    of the matrix. `tie` is the gap, relative to the largest eigenvalue, around
    which the last sum fades out.
    """
    fixed = matrix.detach()
    whole = torch.where(fixed.isfinite(), fixed, 0)  # eigh raises on what is not finite
    values, vectors = torch.linalg.eigh(whole.cpu() if whole.device.type == "mps" else whole)
    values, vectors = values.to(fixed.device), vectors.to(fixed.device)
    gaps = values[index] - values
    faded = (values.abs().amax() * tie).clamp_min(torch.finfo(values.dtype).tiny ** 0.25)
    curvature = gaps / (gaps.square() + faded.square())
    change = vectors.mT @ ((matrix - fixed) @ vectors[:, index])
    rayleigh = vectors[:, index] @ (matrix @ vectors[:, index])
    return rayleigh.clamp_min(0.0) + (curvature * change.square()).sum()
