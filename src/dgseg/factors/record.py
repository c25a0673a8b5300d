"""The latent factors of one scan on disk: what each slice looks like to a model.

A record is a folder of three files: ``slices.npy`` with all numbers of all slices,
``thumbnails.npy``, and ``factors.json``, written last and taken away first: where it
is, the arrays are whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dgseg.errors import write_error
from dgseg.files import read_array, write_array, write_json

THUMBNAIL_SIDE = 48
"""Rows and columns of a thumbnail."""

_VERSION = 1
_INFO = "factors.json"
_SLICES = "slices.npy"
_THUMBNAILS = "thumbnails.npy"


@dataclass(frozen=True, eq=False)
class ScanFactors:
    """What a model that tells anatomy from appearance sees in one scan.

    Attributes
    ----------
    scan_id, bundle_id : str
    style : ndarray of float32, shape (slices, style dimensions)
        Means of the style codes; rows of NaN where a slice has none that is finite.
    domain : ndarray of float32, shape (slices, domain dimensions)
        The same of the domain codes; without columns where the model has none.
    error : ndarray of float32, shape (slices,)
        Mean absolute difference between the normalised slice and its reconstruction
        on the model's grid, 0 to 1; NaN where there is none.
    uncertainty : ndarray of float32, shape (slices,)
        Of the bundle's proposal, 0 (certain) to 1; NaN where there is none.
    likeness : ndarray of float32, shape (slices, domains)
        Probabilities that the classifier of domains gives, in the order of the
        bundle's domains; without columns where the model has none.
    carried : ndarray of float32, shape (anatomy channels, classes)
        Mean activation of each channel over the pixels of each class of the bundle's
        own labels; NaN for a class that is nowhere. Class 0 is the background.
    thumbnails : ndarray of uint8, shape (slices, 48, 48)

    Raises
    ------
    ValueError
        If shapes or types are not these.
    """

    scan_id: str
    bundle_id: str
    style: np.ndarray
    domain: np.ndarray
    error: np.ndarray
    uncertainty: np.ndarray
    likeness: np.ndarray
    carried: np.ndarray
    thumbnails: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.style)
        tables = (self.style, self.domain, self.likeness, self.carried)
        columns = (self.error, self.uncertainty)
        sound = (
            all(array.ndim == 2 for array in tables)
            and all(len(array) == n for array in tables[:3])
            and all(array.shape == (n,) for array in columns)
            and all(array.dtype == np.float32 for array in (*tables, *columns))
            and self.thumbnails.shape == (n, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
            and self.thumbnails.dtype == np.uint8
        )
        if not sound:
            shapes = ", ".join(
                f"{name} {value.dtype} {value.shape}"
                for name, value in vars(self).items()
                if isinstance(value, np.ndarray)
            )
            raise ValueError(f"the arrays of factors do not fit each other: {shapes}")

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return len(self.style)


def write_factors(folder: str | Path, factors: ScanFactors) -> Path:
    """Write a record, creating or replacing the folder's content.

    Raises
    ------
    WorkspaceWriteError
        If the disk refuses; the folder then holds no record.
    """
    folder = Path(folder)
    parts = _parts(factors)
    content: dict[str, Any] = {
        "schema_version": _VERSION,
        "scan_id": factors.scan_id,
        "bundle_id": factors.bundle_id,
        "columns": [part.shape[1] for part in parts],
        "carried": [[_number(value) for value in row] for row in factors.carried],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _INFO).unlink(missing_ok=True)
        write_array(folder / _SLICES, np.concatenate(parts, axis=1))
        write_array(folder / _THUMBNAILS, factors.thumbnails)
        write_json(folder / _INFO, content)
    except OSError as error:
        raise write_error("The factors could not be saved", folder, error) from error
    return folder


def has_factors(folder: str | Path) -> bool:
    """Whether a folder holds a whole record, judged by its last file alone."""
    return (Path(folder) / _INFO).is_file()


def read_factors(folder: str | Path) -> ScanFactors | None:
    """Read a record; its thumbnails are memory-mapped, read-only.

    Returns
    -------
    ScanFactors or None
        None where there is none, or an unfinished, damaged or newer one: the factors
        then have to be computed again, which costs seconds and loses nothing.
    """
    folder = Path(folder)
    try:
        content = json.loads((folder / _INFO).read_text(encoding="utf-8"))
        if content["schema_version"] != _VERSION:
            return None
        style, domain, likeness, rest = _split(
            read_array(folder / _SLICES), [int(count) for count in content["columns"]]
        )
        return ScanFactors(
            scan_id=str(content["scan_id"]),
            bundle_id=str(content["bundle_id"]),
            style=style,
            domain=domain,
            error=rest[:, 0],
            uncertainty=rest[:, 1],
            likeness=likeness,
            # None becomes NaN.
            carried=np.array(content["carried"], dtype=np.float32),
            thumbnails=read_array(folder / _THUMBNAILS, memory_map=True),
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError):
        return None


def _parts(factors: ScanFactors) -> tuple[np.ndarray, ...]:
    """All numbers of the slices, in the order in which they are written."""
    rest = np.stack([factors.error, factors.uncertainty], axis=1)
    return factors.style, factors.domain, factors.likeness, rest


def _split(slices: np.ndarray, columns: Sequence[int]) -> list[np.ndarray]:
    if slices.ndim != 2 or slices.shape[1] != sum(columns):
        raise ValueError(f"{slices.shape} does not hold {columns} columns")
    return np.split(slices, np.cumsum(columns)[:-1], axis=1)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
