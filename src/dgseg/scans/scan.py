"""`Scan`: one 3-D image in canonical orientation, and where it came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from dgseg.errors import ScanError
from dgseg.scans.geometry import Geometry


class ScanSource(BaseModel):
    """Where a scan is read from, enough to read it again.

    It holds a path, and so stays in the private index of a site workspace:
    never in a log, an event, a bundle or a report.

    Attributes
    ----------
    kind : {'nifti', 'dicom', 'memory'}
        ``'memory'`` for arrays that no file backs.
    path : Path
        The file, or for DICOM the folder that holds the series.
    series_uid, stack : str
        For DICOM: the series, and which of its stacks (echo, orientation)
        where one series holds several.
    frame : int or None
        For 4-D NIfTI: which volume along the fourth axis.
    title : str
        What the table of scans shows: file name, or series number and description.
    detail : str
        Size and other small print, such as ``"22 x 256 x 256, 0.9 x 0.9 x 5.0 mm"``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["nifti", "dicom", "memory"]
    path: Path
    series_uid: str = ""
    stack: str = ""
    frame: int | None = None
    title: str = ""
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Scan:
    """One 3-D image.

    Attributes
    ----------
    array : ndarray, shape (slices, rows, columns)
        Intensities as the scanner gave them, in canonical orientation; finite.
    geometry : Geometry
        The original grid and the way back to it.
    source : ScanSource
        Where it was read from.
    scan_id : str
        Twelve hexadecimal digits over the intensities and the geometry: the
        only name by which logs, events, bundles and reports know a scan.
    group : str
        Six hexadecimal digits over what its file says of scanner and sequence, see
        `dgseg.scans.appearance`; empty where it says nothing.
    """

    array: np.ndarray
    geometry: Geometry
    source: ScanSource
    scan_id: str = field(default="")
    group: str = ""

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.canonical_shape:
            raise ScanError(
                f"The image has shape {self.array.shape}, its geometry says "
                f"{self.geometry.canonical_shape}.",
                path=self.source.path,
            )
        if not self.scan_id:
            object.__setattr__(self, "scan_id", fingerprint(self.array, self.geometry))

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return int(self.array.shape[0])


def fingerprint(array: np.ndarray, geometry: Geometry) -> str:
    """Twelve hexadecimal digits that change when a voxel or the grid does."""
    digest = hashlib.sha256()
    digest.update(repr((array.shape, array.dtype.str)).encode())
    digest.update(np.round(geometry.canonical_affine, 4).astype("<f8").tobytes())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:12]
