"""What the benchmarks that open a window have in common."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable


def wait(seconds: float) -> None:
    """Let the event loop run."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1e3), loop.quit)
    loop.exec()


def until(condition: Callable[[], bool], *, seconds: float = 120) -> None:
    """Let the event loop run until something is so, and a moment longer."""
    stop = time.monotonic() + seconds
    while not condition():
        wait(0.05)
        if time.monotonic() > stop:
            raise SystemExit("the benchmark waits for what does not come")
    wait(0.2)


def in_fresh_process(module: str, *arguments: str) -> None:
    """Run a module with ``--one`` in a process of its own, and print what it prints."""
    command = [sys.executable, "-m", module, "--one", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
