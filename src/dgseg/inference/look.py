"""What slices look like to a model: for telling which slices are unlike each other."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from dgseg.nets.unet import UNet

_QUANTILES = np.linspace(0.05, 0.95, 10)
_EVERY = 3
"""Pixels to the next one that grey values are taken from, along rows and columns."""


class LookRecorder:
    """Notes, while a network segments, what the slices look like to it.

    That is the mean of the coarsest features of its U-Net over the slice: they are
    computed in any case, so it costs next to nothing. Use it as a context.

    Parameters
    ----------
    net : nn.Module
        Left as it was at the end; of one without a `UNet` nothing is noted.
    """

    def __init__(self, net: nn.Module) -> None:
        unets = (part for part in net.modules() if isinstance(part, UNet))
        self._unet = next(unets, None)
        self._noted: list[Tensor] = []

    def __enter__(self) -> Self:
        if self._unet is not None:
            self._hook = self._unet.encoder[-1].register_forward_hook(self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._unet is not None:
            self._hook.remove()

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
        noted, self._noted = self._noted, []
        if len(noted) == 1 and len(noted[0]) == len(images):
            return noted[0].cpu().numpy()
        return grey_values(images)

    def forget(self) -> None:
        """Forget what was noted of slices that could not be computed."""
        self._noted.clear()

    def _note(self, _part: nn.Module, _given: object, features: Tensor) -> None:
        with torch.no_grad():
            self._noted.append(features.float().mean(dim=(2, 3)))


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
