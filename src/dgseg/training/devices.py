"""Lightning Fabric for one device, in the arithmetic that suits it."""

from __future__ import annotations

import logging
import os

import torch
from lightning_fabric import Fabric

from dgseg.devices import find_device, find_precision


def make_fabric(
    device: str = "auto", precision: str = "auto", threads: int | None = None
) -> Fabric:
    """What methods are set up with.

    Parameters
    ----------
    device : str
        As in `dgseg.devices.find_device`.
    precision : {'auto', 'bf16', 'fp32'}
        ``"bf16"`` computes convolutions in bfloat16 by autocast and keeps float32 weights.
    threads : int, optional
        Threads of the CPU for this whole process; PyTorch's choice if not given.

    Raises
    ------
    DeviceError
        If the device is not there, or a name is unknown.
    """
    if threads is not None:
        torch.set_num_threads(max(1, min(threads, os.cpu_count() or 1)))
    place = find_device(device)
    half = find_precision(place, precision) == "bf16"
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    return Fabric(
        accelerator=place.type,
        devices=[place.index or 0] if place.type == "cuda" else 1,
        precision="bf16-mixed" if half else "32-true",
    )
