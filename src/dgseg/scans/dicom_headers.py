"""The few header elements of a DICOM file that tell which stack a slice belongs to.

Only the elements named here and in `GROUP_TAGS` are read: who was scanned is not
among them, so it cannot reach a title, a message or a log.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dgseg.errors import ScanError
from dgseg.scans.appearance import GROUP_TAGS, group_of
from dgseg.scans.found import Found, natural_key
from dgseg.scans.names import is_nifti

_TAGS = [
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber"),
    *("SeriesDescription", "Modality", "InstanceNumber", "FrameOfReferenceUID"),
    *("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"),
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "NumberOfFrames"),
    *("SliceThickness", "SpacingBetweenSlices", "EchoNumbers", "EchoTime"),
    *("TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime"),
    *("DiffusionBValue", "ImageType", "ImagesInAcquisition"),
    "SharedFunctionalGroupsSequence",
    *GROUP_TAGS,
]

_NOT_SCANS = ("SEG", "RTDOSE", "RTSTRUCT", "RTPLAN", "RTIMAGE", "PR", "SR", "KO", "DOC")
"""Modalities of objects that may have rows and columns, but are no scans."""

_DICOM_NAMES = (".dcm", ".ima", ".dicom")


@dataclass(frozen=True)
class SliceHeader:
    """One DICOM image, usually one slice; lengths in millimetres, times in ms.

    `orientation`, `position` and `pixel_spacing` are empty where the header
    lacks them. `multi_frame` images hold a stack in one file.
    """

    path: Path
    series_uid: str
    instance_uid: str
    transfer_syntax: str
    series_number: int
    description: str
    instance_number: int
    frame_of_reference: str
    orientation: tuple[float, ...]
    position: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    size: tuple[int, int]
    samples: int
    multi_frame: bool
    slice_mm: float
    echo: tuple[float, float]
    image_type: tuple[str, ...]
    time: tuple[float, ...]
    """Temporal position, b-value, acquisition number, trigger time; -1 for none."""
    images_in_acquisition: int
    group: str
    """As `dgseg.scans.appearance.group_of` tells it."""


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do, or is named as one."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM" or path.suffix.lower() in _DICOM_NAMES


def files_below(folder: Path) -> list[Path]:
    """Files that may be DICOM in a folder and all folders in it, hidden ones left out."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and name.casefold() != "derivatives"
        ]
        paths = (Path(parent) / name for name in names if not name.startswith("."))
        found += [path for path in paths if not is_nifti(path)]
    return found


def read_headers(paths: Iterable[Path]) -> tuple[list[SliceHeader], list[Found]]:
    """Headers of the images among some files, in natural order of their paths.

    Returns
    -------
    headers : list of SliceHeader
        Files that are not DICOM, or DICOM but no scans (reports, presentation
        states, segmentations, directories), are passed over.
    broken : list of Found
        DICOM files that cannot be read.
    """
    headers, broken = [], []
    for path in sorted(paths, key=natural_key):
        if not is_dicom(path):
            continue
        try:
            status = path.stat()
            header = _read_header(str(path), status.st_size, status.st_mtime_ns)
        except Exception:  # noqa: BLE001 - pydicom raises anything for what is no DICOM
            broken.append(Found.bad(_unreadable(path), path))
            continue
        if header is not None:
            headers.append(header)
    return headers, broken


def _unreadable(path: Path) -> ScanError:
    return ScanError(
        "This DICOM file is damaged or incomplete.",
        remedy="Send or copy the series again from the archive.",
        path=path,
    )


@lru_cache(maxsize=1 << 16)
def _read_header(
    name: str,
    size: int,  # noqa: ARG001
    modified: int,  # noqa: ARG001
) -> SliceHeader | None:
    """The header of one file; size and time make the cache forget a changed file."""
    import pydicom

    # pydicom's warnings quote the values that it finds odd.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(
            name, stop_before_pixels=True, specific_tags=_TAGS, force=True
        )
        if "SOPClassUID" not in dataset and "MediaStorageSOPClassUID" not in getattr(
            dataset, "file_meta", {}
        ):
            raise ValueError("no DICOM object")
        return _header(Path(name), dataset)


def _header(path: Path, dataset: Any) -> SliceHeader | None:
    if dataset.get("Modality") in _NOT_SCANS:
        return None
    size = (int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0))
    if 0 in size:
        return None
    meta = getattr(dataset, "file_meta", {})
    return SliceHeader(
        path=path,
        series_uid=str(dataset.get("SeriesInstanceUID") or ""),
        instance_uid=str(dataset.get("SOPInstanceUID") or path),
        transfer_syntax=str(meta.get("TransferSyntaxUID") or ""),
        series_number=_whole(dataset, "SeriesNumber"),
        description=" ".join(str(dataset.get("SeriesDescription") or "").split()),
        instance_number=_whole(dataset, "InstanceNumber"),
        frame_of_reference=str(dataset.get("FrameOfReferenceUID") or ""),
        orientation=_numbers(dataset, "ImageOrientationPatient", 6),
        position=_numbers(dataset, "ImagePositionPatient", 3),
        pixel_spacing=_numbers(dataset, "PixelSpacing", 2),
        size=size,
        samples=int(dataset.get("SamplesPerPixel") or 1),
        multi_frame=int(dataset.get("NumberOfFrames") or 1) > 1
        or "SharedFunctionalGroupsSequence" in dataset,
        slice_mm=_number(dataset, "SpacingBetweenSlices")
        or _number(dataset, "SliceThickness")
        or 1.0,
        echo=(_number(dataset, "EchoNumbers"), round(_number(dataset, "EchoTime"), 2)),
        image_type=tuple(str(part) for part in dataset.get("ImageType") or ()),
        time=tuple(
            _number(dataset, tag, -1.0)
            for tag in (
                "TemporalPositionIdentifier",
                "DiffusionBValue",
                "AcquisitionNumber",
                "TriggerTime",
            )
        ),
        images_in_acquisition=_whole(dataset, "ImagesInAcquisition"),
        group=group_of(lambda tag: _any(dataset, tag)),
    )


def _any(dataset: Any, tag: str) -> Any:
    """What an element holds; nothing if that cannot be read, for no slice needs it."""
    try:
        return dataset.get(tag)
    except Exception:  # noqa: BLE001 - as above
        return None


def _number(dataset: Any, tag: str, default: float = 0.0) -> float:
    """One number; some elements may hold several (echo numbers), then the first."""
    value = dataset.get(tag)
    if value is None or value == "":
        return default
    return float(value[0] if isinstance(value, list | tuple) or _many(value) else value)


def _many(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)


def _whole(dataset: Any, tag: str) -> int:
    return int(_number(dataset, tag))


def _numbers(dataset: Any, tag: str, count: int) -> tuple[float, ...]:
    values = dataset.get(tag)
    if not values or len(values) != count:
        return ()
    return tuple(float(value) for value in values)
