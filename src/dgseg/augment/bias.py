"""The slow change of brightness across an MR image that its coils make."""

from __future__ import annotations

import torch
from torch import Tensor

ORDER = 3


def n_coefficients(order: int = ORDER) -> int:
    """Number of monomials ``x**i * y**j`` with ``i + j <= order``."""
    return (order + 1) * (order + 2) // 2


def bias_field(coefficients: Tensor, size: tuple[int, int], order: int = ORDER) -> Tensor:
    """Exponential of a polynomial of the position.

    Van Leemput et al., "Automated model-based bias field correction of MR
    images of the brain", IEEE TMI 1999; as TorchIO's ``BiasField`` has it.

    Parameters
    ----------
    coefficients : Tensor, shape (N, n_coefficients(order))
        Of ``x**i * y**j`` by rising i, and j within i; x goes down the rows
        and y along the columns, both from -1 to 1.
    size : tuple of int
        Rows and columns.
    order : int

    Returns
    -------
    Tensor, shape (N, 1, rows, columns)
        Positive factors.
    """
    x, y = (
        torch.linspace(-1, 1, side, device=coefficients.device)[:, None]
        ** torch.arange(order + 1, device=coefficients.device)
        for side in size
    )
    pairs = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    weights = coefficients.new_zeros(len(coefficients), order + 1, order + 1)
    for column, (i, j) in enumerate(pairs):
        weights[:, i, j] = coefficients[:, column]
    return torch.exp(x @ weights @ y.T)[:, None]
