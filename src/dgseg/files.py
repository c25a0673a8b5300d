"""Files that are either wholly there or not there at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np


@contextmanager
def atomic_write(
    path: str | Path, mode: str = "wb", *, durable: bool = True
) -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` that replaces it when the block ends well.

    The new content is flushed to the disk before the name changes hands, so
    that a crash or a power cut leaves the old file or the new one, never a
    torn one. When the block raises, the old file stays and nothing is left.

    Parameters
    ----------
    path : path-like
        The file to create or replace; its folder must exist.
    mode : {'wb', 'w'}
        Bytes, or UTF-8 text.
    durable : bool
        Whether to wait until the disk has it. Without, a power cut may leave an empty
        file: for what is looked at once and can be made again.

    Raises
    ------
    OSError
        As the file system raises it (full, read-only).
    """
    path = Path(path)
    encoding = None if "b" in mode else "utf-8"
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, mode, encoding=encoding) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    # Reading the mask means setting it; the window is harmless for our use.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_json(path: str | Path, content: object) -> None:
    """Replace `path` by `content` as JSON, atomically."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with atomic_write(path, "w") as file:
        file.write(text)


def write_array(path: str | Path, array: np.ndarray, *, durable: bool = True) -> None:
    """Replace `path` by `array` in NumPy's ``.npy`` format; see `atomic_write`."""
    with atomic_write(path, durable=durable) as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: str | Path, *, memory_map: bool = False) -> np.ndarray:
    """Read a ``.npy`` file, never unpickling; memory-mapped read-only on request."""
    return np.load(path, mmap_mode="r" if memory_map else None, allow_pickle=False)


def sha256_of(path: str | Path, chunk_bytes: int = 1 << 20) -> str:
    """SHA-256 of a file's content as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        read: Callable[[], bytes] = lambda: file.read(chunk_bytes)  # noqa: E731
        for chunk in iter(read, b""):
            digest.update(chunk)
    return digest.hexdigest()
