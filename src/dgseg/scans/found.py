"""`Found`: what a search for scans brings back, good or bad."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dgseg.errors import DgsegError
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import ScanSource

MOST_FRAMES = 40
"""Volumes that one file or series may hold before it counts as a time series, for
which a table with one row a volume is of no use."""


@dataclass(frozen=True)
class Found:
    """One scan that can be read, or one file or series that cannot, and why.

    Attributes
    ----------
    source : ScanSource or None
    error : DgsegError or None
        Exactly one of the two is given.
    path : Path
        The file or folder in question.
    """

    source: ScanSource | None
    error: DgsegError | None
    path: Path

    def __post_init__(self) -> None:
        if (self.source is None) == (self.error is None):
            raise ValueError("Found needs either a source or an error")

    @classmethod
    def good(cls, source: ScanSource) -> Found:
        """A scan that can be read."""
        return cls(source, None, source.path)

    @classmethod
    def bad(cls, error: DgsegError, path: Path) -> Found:
        """A file or series that cannot be read."""
        return cls(None, error, path)


def size_text(geometry: Geometry) -> str:
    """Slices x rows x columns, then in-plane spacing x slice spacing.

    Examples
    --------
    ``"22 x 256 x 256, 0.9 x 0.9 x 5.0 mm"``
    """
    slices, rows, columns = geometry.canonical_shape
    slice_mm, row_mm, column_mm = geometry.spacing
    return (
        f"{slices} x {rows} x {columns}, "
        f"{_millimetres(row_mm)} x {_millimetres(column_mm)} x {_millimetres(slice_mm)} mm"
    )


def _millimetres(length: float) -> str:
    short = f"{length:.2f}"
    return short[:-1] if short.endswith("0") else short


def natural_key(path: Path) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """Sort key by which ``scan-2`` comes before ``scan-10``."""
    return tuple(
        tuple(
            (0, int(piece), "") if piece.isdecimal() else (1, 0, piece)
            for piece in re.split(r"(\d+)", part.casefold())
            if piece
        )
        for part in path.parts
    )
