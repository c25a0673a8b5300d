"""Where tensors are computed, and how fast bfloat16 is there."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import psutil
import torch

from dgseg.errors import DeviceError

Precision = Literal["bf16", "fp32"]

_WORTH_IT = 0.8
"""bfloat16 counts as fast where it takes at most this share of float32's time."""


@dataclass(frozen=True)
class DeviceInfo:
    """A device as a person may choose it.

    Attributes
    ----------
    name : str
        ``"cpu"``, ``"cuda:0"``, ``"mps"``.
    title : str
        Its name in plain words.
    free_bytes, total_bytes : int or None
        Its memory; None where the system does not tell.
    """

    name: str
    title: str
    free_bytes: int | None = None
    total_bytes: int | None = None


def list_devices() -> tuple[DeviceInfo, ...]:
    """The devices of this machine, fastest kind first; the CPU is always there."""
    found = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            title = torch.cuda.get_device_name(index)
            found.append(DeviceInfo(f"cuda:{index}", title, int(free), int(total)))
    if torch.backends.mps.is_available():
        found.append(DeviceInfo("mps", "Apple GPU"))
    memory = psutil.virtual_memory()
    title = f"CPU, {os.cpu_count() or 1} cores"
    found.append(DeviceInfo("cpu", title, int(memory.available), int(memory.total)))
    return tuple(found)


def find_device(wanted: str = "auto") -> torch.device:
    """The device of that name.

    Parameters
    ----------
    wanted : str
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or ``"auto"``: a CUDA device
        where there is one, else the CPU.

    Raises
    ------
    DeviceError
        If it is not there, or nothing is called that.
    """
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    kind, _, index = wanted.partition(":")
    if kind not in {"cpu", "cuda", "mps"} or (index and not index.isdecimal()):
        raise DeviceError(
            f"There is no kind of device called {wanted!r}.",
            remedy="Choose auto, cpu, cuda, cuda:1 (and so on) or mps.",
        )
    if kind == "cuda" and int(index or 0) >= _n_cuda():
        n = _n_cuda()
        raise DeviceError(
            f"The device {wanted} was asked for, but this machine has "
            f"{n or 'no'} CUDA device{'' if n == 1 else 's'} that PyTorch can use.",
            remedy="Choose cpu or auto, or install a PyTorch that fits the graphics driver.",
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError(
            "An Apple GPU (mps) was asked for, but PyTorch finds none.",
            remedy="Choose cpu or auto.",
        )
    return torch.device(kind, int(index or 0)) if kind == "cuda" else torch.device(kind)


def find_precision(device: torch.device, wanted: str = "auto") -> Precision:
    """The arithmetic of convolutions: ``"auto"`` is bfloat16 where that is fast.

    Raises
    ------
    DeviceError
        If `wanted` is none of ``"auto"``, ``"bf16"`` and ``"fp32"``.
    """
    if wanted == "auto":
        return "bf16" if fast_bf16(device.type) else "fp32"
    if wanted == "bf16":
        return "bf16"
    if wanted == "fp32":
        return "fp32"
    raise DeviceError(
        f"There is no precision called {wanted!r}.", remedy="Choose auto, bf16 or fp32."
    )


@lru_cache
def fast_bf16(kind: str) -> bool:
    """Whether ``"cpu"``, ``"cuda"`` or ``"mps"`` computes bfloat16 in hardware.

    A CPU says so by its instruction sets; where PyTorch cannot tell them, a
    small convolution is timed.
    """
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return False
    told = [
        bool(getattr(torch.cpu, name)())
        for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        if hasattr(torch.cpu, name)
    ]
    if any(told):
        return True
    is_x86 = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    if is_x86 and len(told) == 2:
        return False
    return _bf16_time_ratio() <= _WORTH_IT


def _n_cuda() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _bf16_time_ratio(repeats: int = 4) -> float:
    """Time of a small convolution in bfloat16 over its time in float32, best of a few."""
    net = torch.nn.Conv2d(32, 32, 3, padding=1)
    images = torch.rand(2, 32, 96, 96)
    best = {False: float("inf"), True: float("inf")}
    with torch.inference_mode():
        for _ in range(repeats):
            for half in best:
                with torch.autocast("cpu", torch.bfloat16, enabled=half):
                    start = time.perf_counter()
                    net(images)
                    best[half] = min(best[half], time.perf_counter() - start)
    return best[True] / best[False]
