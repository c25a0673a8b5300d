"""What slices look like to a network, noted while it computes."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from dgseg.nets.unet import UNet


class Looks:
    """Notes the mean features of slices at one level of a network's U-Net.

    They are computed in any case, so it costs next to nothing. Use it as a context.

    Parameters
    ----------
    net : nn.Module
        Left as it was at the end; of one without a `UNet`, or with too shallow a one,
        nothing is noted.
    level : int
        Of the encoder; 0 is the finest, -1 the coarsest.

    Attributes
    ----------
    noted : list of Tensor
        Of each pass (N, channels), float32.
    """

    def __init__(self, net: nn.Module, level: int) -> None:
        unet = next((part for part in net.modules() if isinstance(part, UNet)), None)
        deep_enough = unet is not None and -1 <= level < len(unet.encoder)
        self._block = unet.encoder[level] if unet is not None and deep_enough else None
        self.noted: list[Tensor] = []

    @property
    def n_features(self) -> int:
        """How many there are of each slice; 0 where nothing is noted."""
        if self._block is None:
            return 0
        convolutions = [p for p in self._block.modules() if isinstance(p, nn.Conv2d)]
        return convolutions[-1].out_channels

    def __enter__(self) -> Self:
        if self._block is not None:
            self._hook = self._block.register_forward_hook(self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._block is not None:
            self._hook.remove()

    def take(self, n: int) -> Tensor | None:
        """What was noted since the last call of so many slices; None where that is not known.

        A network that saw the slices in windows has not seen any of them whole.
        """
        noted, self.noted = self.noted, []
        return noted[0] if len(noted) == 1 and len(noted[0]) == n else None

    def _note(self, _part: nn.Module, _given: object, features: Tensor) -> None:
        with torch.no_grad():
            self.noted.append(features.float().mean(dim=(2, 3)))
