"""Leaving the machine to the person who works at it."""

from __future__ import annotations

import contextlib
import os
import sys

import psutil

_NICENESS = 10


def lower_priority() -> None:
    """Let every ordinary program go first; without effect where that is refused."""
    process = psutil.Process()
    with contextlib.suppress(psutil.Error, OSError):
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        elif process.nice() < _NICENESS:
            process.nice(_NICENESS)


def polite_threads() -> int:
    """Threads for computing: all physical cores that this process may use but one."""
    physical = psutil.cpu_count(logical=False) or 1
    usable = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    return max(1, min(physical, usable) - 1)


def use_threads(wanted: int | None) -> int:
    """Let torch compute with that many threads, or politely; returns how many."""
    import torch

    threads = wanted or polite_threads()
    torch.set_num_threads(threads)
    return threads
