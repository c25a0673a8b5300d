"""The mechanics of NIfTI files: opening, checking that they are whole, their voxels."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from dgseg.errors import ScanError
from dgseg.scans.found import MOST_FRAMES
from dgseg.scans.geometry import Geometry

EXPORT_AGAIN = "Copy the file again from its source, or convert it again from DICOM."

_UNREADABLE = (
    ImageFileError,
    HeaderDataError,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
    zlib.error,
)
"""What nibabel, gzip and NumPy raise for files that are not what they say."""

_MILLIMETRES = {"meter": 1000.0, "micron": 0.001}

_MOST_DEFLATED = 1100
"""Times that gzip can shrink anything, at the very most (1032)."""


def open_image(path: Path) -> Any:
    """The image with its header read and its voxels left on disk."""
    try:
        if not path.is_file():
            raise ScanError(
                "There is no such file.", remedy="Was it moved or deleted?", path=path
            )
        image = nib.load(path)
    except PermissionError as error:
        raise ScanError(
            "The file may not be opened.", remedy="Ask for permission to read it.", path=path
        ) from error
    except _UNREADABLE as error:
        raise _unreadable(path) from error
    if not isinstance(image, nib.Nifti1Image):
        raise _unreadable(path)
    return image


def load_image(path: Path) -> Any:
    """The image with all of its file in memory, its checksum verified."""
    image = open_image(path)
    if not path.name.lower().endswith(".gz"):
        check_length(image, path)
        return image
    try:
        # All of the stream is read, so that gzip compares its checksum:
        # nibabel stops at the last voxel, before the checksum.
        return type(image).from_bytes(gzip.decompress(path.read_bytes()))
    except _UNREADABLE as error:
        raise _truncated(path) from error


def _unreadable(path: Path) -> ScanError:
    return ScanError(
        "This is not a NIfTI image, or its header is damaged.",
        remedy=EXPORT_AGAIN,
        path=path,
    )


def _truncated(path: Path) -> ScanError:
    return ScanError(
        "The file is damaged or incomplete: its voxels end too early or do not "
        "match their checksum.",
        remedy=EXPORT_AGAIN,
        path=path,
    )


def _expected_bytes(image: Any) -> int:
    voxels = int(np.prod([int(n) for n in image.shape], dtype=object))
    return int(image.dataobj.offset) + voxels * int(image.get_data_dtype().itemsize)


def check_length(image: Any, path: Path) -> None:
    """Notice a truncated file without reading its voxels where that is possible.

    The last four bytes of a gzip file tell how long its content is; only when
    they disagree with the header is the whole stream read to be sure.
    """
    expected, on_disk = _expected_bytes(image), path.stat().st_size
    if not path.name.lower().endswith(".gz"):
        if on_disk < expected:
            raise _truncated(path)
        return
    if expected > on_disk * _MOST_DEFLATED:
        raise _truncated(path)
    with path.open("rb") as file:
        file.seek(-4, 2)
        told = int.from_bytes(file.read(4), "little")
    if told != expected % 2**32 and _unpacked_bytes(path) < expected:
        raise _truncated(path)


def _unpacked_bytes(path: Path) -> int:
    total = 0
    try:
        with gzip.open(path) as file:
            while piece := file.read(1 << 20):
                total += len(piece)
    except _UNREADABLE:
        return 0
    return total


def spatial_shape(image: Any, path: Path) -> tuple[int, ...]:
    """Three numbers, or four for several volumes; axes of length 1 at the end are gone."""
    shape = tuple(int(n) for n in image.shape)
    if len(shape) < 3:
        raise ScanError(
            f"This is a {len(shape)}-D image; a scan has three axes.",
            remedy="Export the whole series as one 3-D volume.",
            path=path,
        )
    extra = tuple(n for n in shape[3:] if n != 1)
    if len(extra) > 1:
        raise ScanError(
            f"This is a {len(shape)}-D image of shape {shape}; a scan has three axes, "
            "or four with several volumes.",
            remedy="Export each volume of it as a file of its own.",
            path=path,
        )
    if extra and extra[0] > MOST_FRAMES:
        raise ScanError(
            f"This file holds {extra[0]} volumes: a time series, not a few scans.",
            remedy=f"Export the volumes of interest, at most {MOST_FRAMES} in a file.",
            path=path,
        )
    if 0 in shape:
        raise ScanError(
            f"The image is empty: its shape is {shape}.", remedy=EXPORT_AGAIN, path=path
        )
    kind = image.get_data_dtype()
    if kind.fields is not None or kind.kind not in "iuf":
        raise ScanError(
            "This is a colour or complex image; a scan has one real number a voxel.",
            remedy="Export the magnitude image, or one channel.",
            path=path,
        )
    return shape[:3] + extra


def geometry_of(image: Any, path: Path) -> Geometry:
    """Affine in millimetres; the slice axis as the header tells, else guessed."""
    first, second, third = spatial_shape(image, path)[:3]
    shape = (first, second, third)
    affine = np.array(image.affine, dtype=float)
    unit = image.header.get_xyzt_units()[0]
    affine[:3] *= _MILLIMETRES.get(unit, 1.0)
    slice_axis = image.header.get_dim_info()[2]
    try:
        if slice_axis is None:
            return Geometry.guess(shape, affine)
        return Geometry(shape, affine, int(slice_axis))
    except ScanError as error:
        raise type(error)(error.problem, remedy=error.remedy, path=path) from error


def voxels_of(image: Any, path: Path, frame: int | None) -> np.ndarray:
    """Voxels of one volume in the machine's byte order, on the original grid."""
    shape = spatial_shape(image, path)
    ndim = len(image.shape)
    place: tuple[Any, ...] = (slice(None),) * 3
    place += tuple(frame or 0 if n != 1 else 0 for n in image.shape[3:ndim])
    if len(shape) == 4 and frame is None:
        raise ScanError(f"This file holds {shape[3]} volumes where one is expected.", path=path)
    try:
        array = np.asanyarray(image.dataobj[place])
    except _UNREADABLE as error:
        raise _truncated(path) from error
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.astype(np.float32)
