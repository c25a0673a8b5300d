"""Leaving the machine to the person who works at it."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import psutil

_NICENESS = 10

_AUTOGROUP = Path("/proc/self/autogroup")
"""Linux divides the processors among sessions first, and heeds a process's niceness only
within its own. A session has a niceness, too, and this file is where it is set."""


def lower_priority() -> None:
    """Let every ordinary program go first; without effect where that is refused.

    A job that was started from a window or outlives its parent is alone in its session.
    One in a terminal is not: what else runs there keeps its priority.
    """
    process = psutil.Process()
    with contextlib.suppress(psutil.Error, OSError):
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        elif process.nice() < _NICENESS:
            process.nice(_NICENESS)
    with contextlib.suppress(OSError):
        if _AUTOGROUP.exists() and _has_own_session():
            _AUTOGROUP.write_text(str(_NICENESS), encoding="ascii")


def _has_own_session() -> bool:
    """Whether this process began its session, or who began it is gone."""
    leader = os.getsid(0)
    return leader == os.getpid() or not psutil.pid_exists(leader)


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
