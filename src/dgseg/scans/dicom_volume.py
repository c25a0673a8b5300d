"""The voxels of a DICOM stack."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from dgseg.errors import GeometryError, ScanError
from dgseg.scans.dicom_checks import (
    GAP_TOLERANCE,
    SHEAR_TOLERANCE,
    check_decoder,
    check_stack,
    lps_from_ras,
)
from dgseg.scans.dicom_headers import SliceHeader
from dgseg.scans.dicom_stacks import Stack
from dgseg.scans.geometry import Geometry

_UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, IndexError),
    *(NotImplementedError, RuntimeError, MemoryError),
)
"""What pydicom, its plugins and highdicom raise for images that are not as they say."""


def geometry_of_stack(stack: Stack) -> Geometry:
    """The geometry of a stack from headers alone; raises as `check_stack`."""
    first = stack.headers[0]
    if not first.multi_frame:
        return check_stack(stack)
    check_decoder(first.transfer_syntax, first)
    try:
        volume = _multi_frame(first).get_volume_geometry(
            rtol=GAP_TOLERANCE, allow_duplicate_positions=False
        )
    except _UNREADABLE as error:
        raise _damaged(first) from error
    if volume is None:
        raise _irregular(first)
    return Geometry(volume.spatial_shape, lps_from_ras(volume.affine), 0)


def read_voxels(stack: Stack) -> tuple[np.ndarray, Geometry]:
    """The voxels and the geometry of a stack.

    Stored integers stay integers unless the header rescales them, then they
    are float32. ``MONOCHROME1`` images, in which small values are shown
    bright, keep their values: they are measurements, not grey levels.

    Parameters
    ----------
    stack : Stack

    Returns
    -------
    array : ndarray, shape (slices, rows, columns)
    geometry : Geometry

    Raises
    ------
    ScanError
        If a file is damaged, compressed beyond what is installed, or in colour.
    GeometryError
        If the slices make no regular volume.
    """
    geometry_of_stack(stack)
    first = stack.headers[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        volume = _multi_frame_volume(first) if first.multi_frame else _series_volume(stack)
    affine = lps_from_ras(volume.affine)
    return volume.array, Geometry(volume.spatial_shape, affine, 0)


def read_datasets(stack: Stack, *, pixels: bool) -> list[Any]:
    """The complete datasets of a stack's files; raises `ScanError` for a damaged one."""
    import pydicom

    datasets = []
    for header in stack.headers:
        try:
            dataset = pydicom.dcmread(header.path, stop_before_pixels=not pixels, force=True)
            if pixels and not header.multi_frame:
                dataset.pixel_array  # noqa: B018  decoded here to know whose file is bad
        except _UNREADABLE as error:
            raise _damaged(header) from error
        if "FrameOfReferenceUID" not in dataset:
            dataset.FrameOfReferenceUID = pydicom.uid.generate_uid(
                entropy_srcs=[header.series_uid]
            )
        datasets.append(dataset)
    return datasets


def _series_volume(stack: Stack) -> Any:
    from highdicom import get_volume_from_series

    datasets = read_datasets(stack, pixels=True)
    if len(datasets) == 1:
        datasets[0].SpacingBetweenSlices = stack.headers[0].slice_mm
    rescaled = any(_is_rescaled(dataset) for dataset in datasets)
    stored = np.result_type(*(dataset.pixel_array.dtype for dataset in datasets))
    try:
        return get_volume_from_series(
            datasets,
            dtype=np.float32 if rescaled else stored,
            apply_real_world_transform=False,
            apply_modality_transform=rescaled,
            apply_presentation_lut=False,
            rtol=GAP_TOLERANCE,
            perpendicular_tol=SHEAR_TOLERANCE,
            orientation_tol=1e-4,
        )
    except _UNREADABLE as error:
        raise _irregular(stack.headers[0]) from error


def _is_rescaled(dataset: Any) -> bool:
    slope = float(dataset.get("RescaleSlope") or 1)
    intercept = float(dataset.get("RescaleIntercept") or 0)
    return (slope, intercept) != (1.0, 0.0) or "ModalityLUTSequence" in dataset


def _multi_frame(header: SliceHeader) -> Any:
    from highdicom import imread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return imread(header.path, lazy_frame_retrieval=True)


def _multi_frame_volume(header: SliceHeader) -> Any:
    """Multi-frame images rescale each frame, so their voxels are always float32."""
    try:
        return _multi_frame(header).get_volume(
            dtype=np.float32,
            apply_real_world_transform=False,
            apply_presentation_lut=False,
            rtol=GAP_TOLERANCE,
        )
    except _UNREADABLE as error:
        raise _damaged(header) from error


def _damaged(header: SliceHeader) -> ScanError:
    return ScanError(
        "The pixels of this DICOM file are damaged or incomplete.",
        remedy="Send or copy the series again from the archive.",
        path=header.path,
    )


def _irregular(header: SliceHeader) -> GeometryError:
    return GeometryError(
        "The images do not make one regular volume.",
        remedy="Convert the series with dcm2niix, and open the NIfTI files.",
        path=header.path,
    )
