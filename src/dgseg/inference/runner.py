"""Slices through a network, in batches that the device's memory can hold."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from monai.inferers import sliding_window_inference
from torch import Tensor, nn

from dgseg.devices import Precision, find_precision
from dgseg.errors import DeviceError

LARGEST_SIDE = 1024
"""Slices with more pixels than this along a side are computed in windows."""

_WINDOW = 512
_OVERLAP = 0.25

_BATCH_PIXELS = {"cpu": 2**18, "cuda": 2**24, "mps": 2**22}
"""Pixels of a batch: on a CPU as many as its caches like, elsewhere a fair load."""

_log = logging.getLogger(__name__)


class SliceRunner:
    """Computes class probabilities of slices, and gives way when memory runs out.

    Parameters
    ----------
    net : nn.Module
        From images (N, 1, H, W) to logits (N, C, H, W), for any H and W. It is put
        into evaluation mode, and moved to the CPU should the device be too small.
    precision : {'auto', 'bf16', 'fp32'}
        Of the convolutions; the softmax is always in float32.

    Attributes
    ----------
    device : torch.device
        Where it computes now.
    warnings : list of str
        What had to be given up, as sentences for a person.
    """

    def __init__(self, net: nn.Module, precision: str = "auto") -> None:
        self.net = net.eval()
        self.device = next(net.parameters(), torch.zeros(0)).device
        self.precision: Precision = find_precision(self.device, precision)
        self.warnings: list[str] = []
        self._share = 1.0
        self._use_layout()

    def batch_size(self, pixels: int) -> int:
        """How many slices of that many pixels to compute at once; at least one."""
        allowed = _BATCH_PIXELS[self.device.type] * self._share
        return max(1, int(allowed // max(pixels, 1)))

    def probabilities(self, images: Tensor) -> Tensor:
        """Class probabilities of a few slices on the model's grid.

        Parameters
        ----------
        images : Tensor, shape (N, 1, H, W), float32
            On any device.

        Returns
        -------
        Tensor, shape (N, C, H, W), float32
            On `device`.
        """

        def forward(images: Tensor) -> Tensor:
            # Plane by plane, for what follows reduces over the classes.
            logits: Tensor = self.net(images).float().contiguous()
            return logits.softmax(dim=1)

        return self.maps(forward, images)

    def maps(self, forward: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """What a part of the network makes of a few slices, pixel by pixel.

        Parameters
        ----------
        forward : callable
            From images (n, 1, h, w) to maps (n, K, h, w), with weights of `net`. It is
            given windows of slices that are too large, and the windows are blended.
        images : Tensor, shape (N, 1, H, W), float32
            On any device.

        Returns
        -------
        Tensor, shape (N, K, H, W)
            On `device`.
        """
        images = images.to(self.device)
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"),
        ):
            if max(images.shape[-2:]) <= LARGEST_SIDE:
                return forward(self._laid_out(images))
            whole = sliding_window_inference(
                images,
                (_WINDOW, _WINDOW),
                self.batch_size(_WINDOW**2),
                lambda windows: forward(self._laid_out(windows)),
                overlap=_OVERLAP,
                mode="gaussian",
            )
            return cast("Tensor", whole)

    def give_way(self, error: BaseException, batch: int) -> None:
        """After `error` with so many slices at once: ask for less next time.

        First half the batch, down to single slices, then the CPU.

        Raises
        ------
        DeviceError
            If nothing is left to give up.
        BaseException
            `error` itself, if it is not about memory.
        """
        if not is_out_of_memory(error):
            raise error
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if batch > 1:
            self._share /= 2
            self._warn("Memory ran short; fewer slices are computed at once.")
        elif self.device.type != "cpu":
            self.net.to("cpu")
            self.device, self._share = torch.device("cpu"), 1.0
            self.precision = find_precision(self.device)
            self._use_layout()
            self._warn("The graphics card's memory is too small; the CPU computes instead.")
        else:
            raise DeviceError(
                "There is not enough memory to segment even one slice at a time.",
                remedy="Close other programs, or use a model with larger pixels.",
            ) from error

    def _laid_out(self, images: Tensor) -> Tensor:
        if self._channels_last:
            return images.contiguous(memory_format=torch.channels_last)
        return images

    def _use_layout(self) -> None:
        # Forward convolutions are several times faster with channels last on CPUs
        # with bfloat16 units and on tensor cores; plain float32 gains on both too.
        self._channels_last = self.device.type in {"cpu", "cuda"}
        if self._channels_last:
            self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _warn(self, sentence: str) -> None:
        _log.warning(sentence)
        if sentence not in self.warnings:
            self.warnings.append(sentence)


@contextmanager
def borrowed(net: nn.Module, precision: str = "auto") -> Iterator[SliceRunner]:
    """A runner of a network that gets it back as it was: mode, device and memory layout.

    Parameters
    ----------
    net : nn.Module
        On the device where it is to compute.
    precision : {'auto', 'bf16', 'fp32'}
        As in `SliceRunner`.
    """
    was_training = net.training
    runner = SliceRunner(net, precision)
    device = runner.device
    try:
        yield runner
    finally:
        net.to(device).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        net.train(was_training)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that a device, or the machine, is out of memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )
