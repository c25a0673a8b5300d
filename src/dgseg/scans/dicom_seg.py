"""Labels as DICOM Segmentation objects, which an archive files with their study."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

import dgseg
from dgseg.errors import LabelsError, ScanError
from dgseg.files import atomic_write
from dgseg.scans.dicom_checks import lps_from_ras
from dgseg.scans.dicom_headers import files_below, read_headers
from dgseg.scans.dicom_stacks import Stack, stacks_of
from dgseg.scans.dicom_volume import geometry_of_stack, read_datasets
from dgseg.scans.nifti import check_labels
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import Label, LabelSchema

_CODES = {
    "spinal-gm/grey matter": "SpinalCordGrayMatter",
    "spinal-gm/white matter": "SpinalCordWhiteMatter",
    "cardiac/left ventricle": "LeftVentricle",
    "cardiac/myocardium": "LeftVentricleMyocardium",
    "cardiac/right ventricle": "RightVentricle",
}
"""SNOMED CT concepts by schema and structure; any other structure is a ``Tissue``."""

_SERIES_OFFSET = 1000
"""Added to the number of the scan's series for that of its segmentation."""

_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID"),
    *("StudyDate", "StudyTime", "AccessionNumber"),
)
"""What a segmentation repeats and the standard allows to be empty (type 2), but some
exports leave out."""

_OFF_GRID = 0.05
"""Part of a voxel by which a segmentation may miss the scan's grid (rounded headers)."""

_FAILURES = (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError)


def find_stack(source: ScanSource) -> Stack:
    """The files behind a DICOM source; raises `ScanError` where they are gone."""
    paths = [source.path] if source.path.is_file() else files_below(source.path)
    headers, _ = read_headers(paths)
    same = [header for header in headers if header.series_uid == source.series_uid]
    for stacks in stacks_of(same):
        for stack in stacks:
            if (stack.folder, stack.key) == (source.path, source.stack):
                return stack
    raise ScanError(
        "The series is no longer in its folder.",
        remedy="Was it moved or deleted?",
        path=source.path,
    )


def write_segmentation(
    path: str | Path,
    labels: np.ndarray,
    scan: Scan,
    schema: LabelSchema,
    *,
    model_name: str,
    model_version: str = "",
) -> Path:
    """Write labels as a DICOM Segmentation that refers to the scan's images.

    The mask is handed over with its place in the patient, so the order of the
    files does not matter. Like every object of a study it names the patient:
    it belongs in the archive that the scan came from.

    Parameters
    ----------
    path : path-like
    labels : ndarray of uint8, shape (slices, rows, columns)
        On the canonical grid.
    scan : Scan
        Read from DICOM, its files still there.
    schema : LabelSchema
        Value, name and colour of each segment.
    model_name, model_version : str
        Of the bundle that proposed the labels.

    Returns
    -------
    Path

    Raises
    ------
    LabelsError
        If the labels do not fit, the images are gone or lack what a
        segmentation must repeat, or the file cannot be written.
    """
    path = Path(path)
    check_labels(labels, scan, schema)
    images = _source_images(scan, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            segmentation = _segmentation(
                images, labels, scan, schema, (model_name, model_version)
            )
            with atomic_write(path) as file:
                segmentation.save_as(file)
    except _FAILURES as error:
        raise LabelsError(
            "The scan's headers lack what a DICOM segmentation must repeat.",
            remedy="Use the NIfTI file of the labels instead.",
            path=path,
        ) from error
    except OSError as error:
        raise LabelsError(
            f"The segmentation could not be written: {error.strerror or error}.",
            remedy="Choose a folder that exists, with space and permission to write.",
            path=path,
        ) from error
    return path


def read_segmentation(path: str | Path, scan: Scan) -> np.ndarray:
    """Read a DICOM Segmentation onto the grid of its scan, without resampling.

    Parameters
    ----------
    path : path-like
    scan : Scan

    Returns
    -------
    ndarray of uint8, shape (slices, rows, columns)
        Segment numbers on the canonical grid, 0 elsewhere.

    Raises
    ------
    LabelsError
        If the file is no segmentation, its segments overlap, or it lies on
        another grid than the scan.
    """
    from highdicom.seg import segread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            volume = segread(path).get_volume(combine_segments=True, dtype=np.uint8)
        original = _placed(volume.array, volume.affine, scan)
    except (*_FAILURES, OSError, EOFError, NotImplementedError) as error:
        raise LabelsError(
            "This is not a DICOM segmentation on the grid of the scan.",
            remedy="Choose the segmentation that was made of this series.",
            path=path,
        ) from error
    return np.ascontiguousarray(scan.geometry.to_canonical(original))


def _placed(array: np.ndarray, affine: np.ndarray, scan: Scan) -> np.ndarray:
    """Put part of a volume at its place on a scan's grid; ValueError where it has none.

    Slices without labels are left out of a segmentation, so what comes back
    covers a part of the scan, perhaps with slices in between missing.
    """
    target = lps_from_ras(scan.geometry.affine)
    affine = np.array(affine)
    if array.shape[0] == 1:
        # One slice alone has lost the distance to its neighbours.
        cosines = np.abs(affine[:3, 0] @ target[:3, :3]) / np.linalg.norm(
            target[:3, :3], axis=0
        )
        affine[:3, 0] = target[:3, int(np.argmax(cosines))]
    exact = np.linalg.inv(target) @ affine
    steps = np.round(exact).astype(int)
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(array.shape) - 1)
    far = np.abs(corners @ (exact - steps)[:3, :3].T + (exact - steps)[:3, 3]).max()
    moves = steps[:3, :3]
    if far > _OFF_GRID or not ((moves != 0).sum(0) == 1).all() or not moves.any(1).all():
        raise ValueError("another grid")
    # For each axis of the scan: the axis of the part, and where its voxels go.
    axes = np.argmax(moves != 0, axis=1)
    places = [
        steps[axis, 3] + moves[axis, part] * np.arange(array.shape[part])
        for axis, part in enumerate(axes)
    ]
    inside = all(
        index.min() >= 0 and index.max() < length
        for index, length in zip(places, scan.geometry.shape, strict=True)
    )
    if not inside:
        raise ValueError("outside the scan")
    whole = np.zeros(scan.geometry.shape, np.uint8)
    whole[np.ix_(*places)] = array.transpose(axes)
    return whole


def _source_images(scan: Scan, path: Path) -> list[Any]:
    if scan.source.kind != "dicom":
        raise LabelsError(
            "A DICOM segmentation refers to DICOM images; this scan is of another kind.",
            remedy="Use the NIfTI file of the labels instead.",
            path=path,
        )
    try:
        stack = find_stack(scan.source)
        same = geometry_of_stack(stack).same_grid(scan.geometry, tolerance_mm=1e-2)
        images = read_datasets(stack, pixels=False)
    except ScanError as error:
        raise LabelsError(error.problem, remedy=error.remedy, path=error.path) from error
    if not same:
        raise LabelsError(
            "The series has changed since it was read.",
            remedy="Open the scan again.",
            path=scan.source.path,
        )
    for image in images:
        for keyword in _MAY_BE_EMPTY:
            if keyword not in image:
                setattr(image, keyword, "")
    return images


def _segmentation(
    images: list[Any],
    labels: np.ndarray,
    scan: Scan,
    schema: LabelSchema,
    model: tuple[str, str],
) -> Any:
    import highdicom

    mask = highdicom.Volume(
        np.ascontiguousarray(scan.geometry.to_original(labels), dtype=np.uint8),
        lps_from_ras(scan.geometry.affine),
        coordinate_system="PATIENT",
        frame_of_reference_uid=images[0].FrameOfReferenceUID,
    )
    return highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=mask,
        segmentation_type="BINARY",
        segment_descriptions=[_segment(label, schema, model) for label in schema.labels],
        series_instance_uid=highdicom.UID(),
        series_number=int(images[0].get("SeriesNumber") or 0) + _SERIES_OFFSET,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="napari-dgseg",
        manufacturer_model_name=model[0][:64] or "napari-dgseg",
        software_versions=dgseg.__version__,
        device_serial_number="0",
        series_description=f"Segmentation: {schema.name}"[:64],
        content_label="SEGMENTATION",
        content_description=f"{schema.name} labels"[:64],
        omit_empty_frames=bool(labels.any()),
    )


def _segment(label: Label, schema: LabelSchema, model: tuple[str, str]) -> Any:
    """One segment; a person may have corrected it, so it counts as semi-automatic."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    concept = _CODES.get(f"{schema.name}/{label.name}")
    red, green, blue = bytes.fromhex(label.color[1:])
    return SegmentDescription(
        segment_number=label.value,
        segment_label=label.name,
        segmented_property_category=codes.SCT.AnatomicalStructure
        if concept
        else codes.SCT.Tissue,
        segmented_property_type=getattr(codes.SCT, concept or "Tissue"),
        algorithm_type="SEMIAUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=model[0][:64] or "napari-dgseg",
            family=codes.cid7162.ArtificialIntelligence,
            version=model[1][:64] or dgseg.__version__,
        ),
        display_color=CIELabColor.from_rgb(red, green, blue),
    )
