"""Work that only the end of its process can stop: t-SNE, whose steps nobody is asked between.

``python -m dgseg.worker.apart SEED`` reads codes from standard input and writes their
places to standard output, both in NumPy's ``.npy`` format. It imports no torch.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable

import numpy as np

from dgseg.errors import JobError
from dgseg.inspection.embedding import tsne

_LOOK_S = 0.1
"""How often is asked whether to stop."""


def tsne_apart(
    codes: np.ndarray, seed: int, should_stop: Callable[[], bool]
) -> np.ndarray | None:
    """Lay codes out as `dgseg.inspection.embedding.tsne`, in a process that can be ended.

    Parameters
    ----------
    codes : ndarray of float, shape (N, dimensions)
    seed : int
    should_stop : callable
        Asked ten times a second.

    Returns
    -------
    ndarray of float32, shape (N, 2), or None
        None if `should_stop` said so; the process is then gone.

    Raises
    ------
    ValueError
        If `codes` is not a table with a column or more.
    JobError
        If the process ended before it was done.
    """
    if codes.ndim != 2 or codes.shape[1] < 1:
        raise ValueError(f"{codes.shape} is no table of codes")
    command = [sys.executable, "-P", "-m", "dgseg.worker.apart", str(seed)]
    # What it says goes where the worker's own words go.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            given: bytes | None = _packed(codes)
            while True:
                try:
                    found, _ = process.communicate(given, timeout=_LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    given = None
                if should_stop():
                    return None
        finally:
            process.kill()  # nothing happens to one that has ended
    if process.returncode:
        raise JobError(
            "The program that lays the slices out has ended.",
            remedy="Try again; if it ends again, memory may be short.",
        )
    return _unpacked(found)


def _packed(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _unpacked(content: bytes) -> np.ndarray:
    found: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return found


def main() -> None:
    """Answer one question."""
    codes = _unpacked(sys.stdin.buffer.read())
    places = tsne(codes, int(sys.argv[1]))
    sys.stdout.buffer.write(_packed(places))


if __name__ == "__main__":
    main()
