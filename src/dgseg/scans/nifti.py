"""NIfTI files in, label volumes on the very same grid out."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from dgseg.errors import LabelsError, ScanError
from dgseg.files import atomic_write
from dgseg.scans.appearance import group_in_sidecar
from dgseg.scans.found import Found, size_text
from dgseg.scans.names import is_nifti, stem_of
from dgseg.scans.nifti_file import (
    EXPORT_AGAIN,
    check_length,
    geometry_of,
    load_image,
    open_image,
    spatial_shape,
    voxels_of,
)
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import LabelSchema

_GRID_FIELDS = (
    *("dim_info", "pixdim", "xyzt_units", "qform_code", "sform_code"),
    *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z"),
)
"""All that a label file takes over from the header of its scan. Descriptions and
extensions stay behind: converters put names and whole DICOM headers there."""


def find_nifti(path: str | Path) -> list[Found]:
    """The scans of one NIfTI file, from its header alone.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Found
        One for a 3-D file, one a volume for a 4-D file with at most
        `MOST_FRAMES`; one with an error for a file that cannot be read.
    """
    path = Path(path)
    try:
        image = open_image(path)
        shape = spatial_shape(image, path)
        check_length(image, path)
        frames = range(shape[3]) if len(shape) == 4 else (None,)
        return [Found.good(_source(image, path, frame)) for frame in frames]
    except ScanError as error:
        return [Found.bad(error, path)]


def read_nifti(path: str | Path, frame: int | None = None) -> Scan:
    """Read a scan.

    Integers stay integers, unless the header scales them; all else becomes
    float32. Voxels that are not finite numbers become the smallest value of
    the others, and ``source.detail`` says so.

    Parameters
    ----------
    path : path-like
    frame : int, optional
        Which volume of a 4-D file, from 0.

    Returns
    -------
    Scan

    Raises
    ------
    ScanError
        If the file is missing, truncated, not NIfTI, not a single-channel
        3-D image (or a volume of 4-D one), constant, or at least half of it
        is not finite.
    GeometryError
        If its position in the patient is undefined.
    """
    path = Path(path)
    image = load_image(path)
    source = _source(image, path, frame)
    geometry = geometry_of(image, path)
    array, note = _finite(voxels_of(image, path, frame), path)
    if note:
        source = source.model_copy(update={"detail": f"{source.detail}; {note}"})
    if array.min() == array.max():
        raise ScanError(
            "All voxels have the same value, so there is nothing to segment.",
            remedy="Check that the right file was exported, and in full.",
            path=path,
        )
    canonical = np.ascontiguousarray(geometry.to_canonical(array))
    return Scan(canonical, geometry, source, group=group_in_sidecar(path))


def read_on_grid(path: str | Path, scan: Scan) -> np.ndarray:
    """Read a volume of any values that was drawn over a scan.

    Parameters
    ----------
    path : path-like
    scan : Scan
        The scan whose grid the file must have.

    Returns
    -------
    ndarray, shape (slices, rows, columns)
        Values as stored (scaled by the header), in canonical orientation.

    Raises
    ------
    LabelsError
        If the file cannot be read or has another grid than the scan.
    """
    path = Path(path)
    try:
        image = load_image(path)
        geometry = geometry_of(image, path)
        array = voxels_of(image, path, None)
    except ScanError as error:
        raise LabelsError(error.problem, remedy=error.remedy, path=path) from error
    if not scan.geometry.same_grid(geometry):
        raise LabelsError(
            f"The labels are on another grid ({size_text(geometry)}) than their scan "
            f"({size_text(scan.geometry)}), or at another place in the patient.",
            remedy="Resample them onto the scan in the program that they were drawn with.",
            path=path,
        )
    return np.ascontiguousarray(scan.geometry.to_canonical(array))


def read_labels(path: str | Path, scan: Scan) -> np.ndarray:
    """Read labels that were drawn over a scan.

    Parameters
    ----------
    path : path-like
    scan : Scan

    Returns
    -------
    ndarray of uint8, shape (slices, rows, columns)

    Raises
    ------
    LabelsError
        As `read_on_grid`, or if a value is not a whole number from 0 to 255.
    """
    values = read_on_grid(path, scan)
    labels = np.zeros(values.shape, np.uint8)
    with np.errstate(invalid="ignore"):
        np.copyto(labels, values, casting="unsafe")
    if not np.array_equal(labels, values):
        raise LabelsError(
            "Labels must be whole numbers from 0 to 255.",
            remedy="Save the segmentation as a label map, not as probabilities.",
            path=path,
        )
    return labels


def write_labels(path: str | Path, labels: np.ndarray, scan: Scan, schema: LabelSchema) -> Path:
    """Write labels on the scan's original grid, and a table of their names beside.

    The table is ``<stem>.tsv`` with the columns of a BIDS ``dseg.tsv``:
    index, name, color, abbreviation.

    Parameters
    ----------
    path : path-like
        Ends with ``.nii.gz`` or ``.nii``; its folder exists.
    labels : ndarray of uint8, shape (slices, rows, columns)
        On the canonical grid.
    scan : Scan
        Where its file is NIfTI and still there, the position in the patient
        is taken over bit by bit from its header.
    schema : LabelSchema

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    LabelsError
        If the labels do not fit the scan or the schema, or cannot be written.
    """
    path = Path(path)
    check_labels(labels, scan, schema)
    if not is_nifti(path):
        raise LabelsError("A NIfTI file's name ends with .nii.gz or .nii.", path=path)
    original = np.asarray(scan.geometry.to_original(labels), dtype=np.uint8)
    image = _label_image(original, scan)
    content = image.to_bytes()
    if path.name.lower().endswith(".gz"):
        content = gzip.compress(content, 6, mtime=0)
    try:
        with atomic_write(path) as file:
            file.write(content)
        with atomic_write(path.with_name(stem_of(path) + ".tsv"), "w") as file:
            file.write(label_table(schema))
    except OSError as error:
        raise LabelsError(
            f"The labels could not be written: {error.strerror or error}.",
            remedy="Choose a folder that exists, with space and permission to write.",
            path=path,
        ) from error
    return path


def check_labels(labels: np.ndarray, scan: Scan, schema: LabelSchema) -> None:
    """Raise `LabelsError` unless labels fit their scan and their schema."""
    if labels.shape != scan.geometry.canonical_shape:
        raise LabelsError(
            f"The labels have shape {labels.shape}, the scan {scan.geometry.canonical_shape}."
        )
    if not schema.accepts(labels):
        raise LabelsError(
            f"The labels hold values other than 0 to {schema.n_classes - 1}, which are "
            f"those of {schema.name}.",
            remedy="Choose the label schema that the labels were drawn with.",
        )


def label_table(schema: LabelSchema) -> str:
    """The structures of a schema as tab-separated text, as in BIDS ``dseg.tsv``."""
    rows = ["index\tname\tcolor\tabbreviation"]
    rows += [
        f"{label.value}\t{label.name}\t{label.color}\t{label.short_name}"
        for label in schema.labels
    ]
    return "\n".join(rows) + "\n"


def _source(image: Any, path: Path, frame: int | None) -> ScanSource:
    shape = spatial_shape(image, path)
    count = shape[3] if len(shape) == 4 else None
    title = path.name
    if count is not None and frame is None:
        raise ScanError(
            f"This file holds {count} volumes, and none was chosen.",
            remedy="Choose one of them.",
            path=path,
        )
    if frame is not None:
        if not 0 <= frame < (count or 1):
            raise ScanError(f"This file has no volume {frame + 1}.", path=path)
        title = f"{path.name}, volume {frame + 1} of {count or 1}"
    detail = size_text(geometry_of(image, path))
    if not (image.header["qform_code"] or image.header["sform_code"]):
        detail += "; the header does not tell where in the patient it lies"
    return ScanSource(kind="nifti", path=path, frame=frame, title=title, detail=detail)


def _finite(array: np.ndarray, path: Path) -> tuple[np.ndarray, str]:
    """The array without infinities and NaN, and a note of what was replaced."""
    if np.issubdtype(array.dtype, np.integer):
        return array, ""
    sound = np.isfinite(array)
    n_bad = int(array.size - np.count_nonzero(sound))
    if n_bad == 0:
        return array, ""
    if 2 * n_bad >= array.size:
        raise ScanError(
            f"{100 * n_bad / array.size:.0f} % of the voxels are not finite numbers.",
            remedy=EXPORT_AGAIN,
            path=path,
        )
    filled = np.where(sound, array, array[sound].min())
    return filled, f"{n_bad} voxels were not finite and count as background"


def _label_image(original: np.ndarray, scan: Scan) -> Any:
    """An 8-bit image with the position of its scan."""
    header = _source_header(scan)
    if header is not None:
        kind = nib.Nifti2Image if header["sizeof_hdr"] == 540 else nib.Nifti1Image
        fresh = kind.header_class()
        for field in _GRID_FIELDS:
            fresh[field] = header[field]
        fresh["pixdim"][4:] = 1
        image = kind(original, None, fresh)
    else:
        image = nib.Nifti1Image(original, scan.geometry.affine)
        image.set_qform(scan.geometry.affine, code=1)
        image.set_sform(scan.geometry.affine, code=1)
        image.header.set_xyzt_units("mm")
        image.header.set_dim_info(slice=scan.geometry.slice_axis)
    image.header.set_data_dtype(np.uint8)
    image.header.set_intent("label")
    image.header["descrip"] = b"labels by napari-dgseg"
    return image


def _source_header(scan: Scan) -> Any:
    """The header of the scan's file, where it still describes the scan's grid."""
    if scan.source.kind != "nifti":
        return None
    try:
        image = open_image(scan.source.path)
        same = scan.geometry.same_grid(geometry_of(image, scan.source.path))
    except ScanError:
        return None
    return image.header if same else None
