"""A game of a network and one that judges what it makes."""

from __future__ import annotations

from torch import Tensor

from .precision import widened


def judges_loss(real: Tensor, made: Tensor) -> Tensor:
    """What a judge is trained with: squared distance of its scores from 1 and from 0.

    ``mean((D(real) - 1)^2) + mean(D(made)^2)``: least-squares GAN (Mao et
    al., ICCV 2017, equation 9, without its halves).

    Parameters
    ----------
    real, made : Tensor, shape (N,) and (M,)
        Scores of what is real, and of what a network made.

    Returns
    -------
    Tensor
        0-d.
    """
    return (widened(real) - 1).square().mean() + widened(made).square().mean()


def deceivers_loss(made: Tensor) -> Tensor:
    """What the judged network is trained with: ``mean((D(made) - 1)^2)``.

    Parameters
    ----------
    made : Tensor, shape (M,)
        Scores of what it made.

    Returns
    -------
    Tensor
        0-d.
    """
    return (widened(made) - 1).square().mean()
