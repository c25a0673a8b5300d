"""What slices look like to a model: for telling which slices are unlike each other."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
from torch import nn

from dgseg.bundles.look_bank import LookBank
from dgseg.factors.distance import Distance, distance_to_looks
from dgseg.nets.looks import Looks

_QUANTILES = np.linspace(0.05, 0.95, 10)
_EVERY = 3
"""Pixels to the next one that grey values are taken from, along rows and columns."""


class LookRecorder:
    """Notes, while a network segments, what the slices look like to it.

    That is the mean of the coarsest features of its U-Net over the slice, and of those
    by which a bundle tells what it has learnt from. Use it as a context.

    Parameters
    ----------
    net : nn.Module
        Left as it was at the end; of one without a `UNet` nothing is noted.
    bank : LookBank, optional
        Of the bundle.
    """

    def __init__(self, net: nn.Module, bank: LookBank | None = None) -> None:
        self._coarsest = Looks(net, -1)
        self._known = Looks(net, bank.level) if bank is not None else None
        self._bank = bank
        self._found: list[np.ndarray] | None = []

    def __enter__(self) -> Self:
        self._coarsest.__enter__()
        if self._known is not None:
            self._known.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._coarsest.__exit__(kind, error, trace)
        if self._known is not None:
            self._known.__exit__(kind, error, trace)

    def take(self, images: np.ndarray) -> np.ndarray:
        """What was noted since the last call, which was made of these slices.

        Parameters
        ----------
        images : ndarray, shape (N, rows, columns)
            Normalised; looked at instead where the network noted nothing of use,
            because it has no U-Net or saw the slices in windows.

        Returns
        -------
        ndarray of float32, shape (N, n)
        """
        if self._known is not None:
            known = self._known.take(len(images))
            if known is None or self._found is None:
                self._found = None  # a part of a scan is not the scan
            else:
                self._found.append(known.cpu().numpy())
        noted = self._coarsest.take(len(images))
        return grey_values(images) if noted is None else noted.cpu().numpy()

    def forget(self) -> None:
        """Forget what was noted of slices that could not be computed."""
        self._coarsest.noted.clear()
        if self._known is not None:
            self._known.noted.clear()

    def distance(self) -> Distance | None:
        """How far all slices that were taken are from what the bundle has learnt from.

        None where that cannot be told.
        """
        if self._bank is None or not self._bank.new_centre or not self._found:
            return None
        looks = np.concatenate(self._found)
        fits = looks.shape[1] == len(self._bank.mean) and np.isfinite(looks).all(axis=1).any()
        return distance_to_looks(self._bank, looks) if fits else None


def grey_values(images: np.ndarray) -> np.ndarray:
    """Ten quantiles of each slice's grey values, 5 % to 95 %.

    Parameters
    ----------
    images : ndarray, shape (N, rows, columns)

    Returns
    -------
    ndarray of float32, shape (N, 10)
    """
    sparse = images[:, ::_EVERY, ::_EVERY]
    found: np.ndarray = np.quantile(sparse, _QUANTILES, axis=(1, 2)).T
    return found.astype(np.float32)
