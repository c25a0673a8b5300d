"""DICOM series in, DICOM-SEG out.

A folder holds what the archive sent: several series, echoes and planes mixed.
Each stack of parallel slices of one kind is one scan. An image that lies alone
in another plane than the rest of its series (a localizer, or a mistake) is set
apart: it is listed with its error, and the rest can be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dgseg.errors import ScanError
from dgseg.scans.dicom_checks import notes_on
from dgseg.scans.dicom_headers import files_below, is_dicom, read_headers
from dgseg.scans.dicom_seg import find_stack, read_segmentation, write_segmentation
from dgseg.scans.dicom_stacks import Stack, stacks_of
from dgseg.scans.dicom_volume import geometry_of_stack, read_voxels
from dgseg.scans.found import MOST_FRAMES, Found, size_text
from dgseg.scans.scan import Scan, ScanSource

__all__ = [
    "find_in_files",
    "find_series",
    "find_series_of",
    "is_dicom",
    "read_segmentation",
    "read_series",
    "write_segmentation",
]


def find_series(folder: str | Path) -> list[Found]:
    """The DICOM scans in a folder and all folders in it.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    list of Found
        One a series, echo or plane, in the order of series numbers; files
        that are damaged come first. Reports, segmentations and other objects
        without an image are passed over.
    """
    return find_in_files(files_below(Path(folder)))


def find_in_files(paths: Iterable[Path]) -> list[Found]:
    """The DICOM scans among some files; what is no DICOM is passed over."""
    headers, broken = read_headers(paths)
    for stacks in stacks_of(headers):
        if len(stacks) > MOST_FRAMES:
            broken.append(_too_many(stacks))
        else:
            broken += [_found(stack, stacks) for stack in stacks]
    return broken


def find_series_of(path: str | Path) -> list[Found]:
    """The scans of the series that one DICOM file belongs to, from the file's folder."""
    path = Path(path)
    (own, broken) = read_headers([path])
    if not own:
        nothing = ScanError(
            "This DICOM file holds no image: a report or a directory, perhaps.",
            remedy="Choose the folder with the images.",
            path=path,
        )
        return broken or [Found.bad(nothing, path)]
    siblings = [other for other in path.parent.iterdir() if other.is_file()]
    headers, _ = read_headers(siblings)
    same = [header for header in headers if header.series_uid == own[0].series_uid]
    return [_found(stack, stacks) for stacks in stacks_of(same) for stack in stacks]


def read_series(source: ScanSource) -> Scan:
    """Read one scan of a DICOM folder.

    Parameters
    ----------
    source : ScanSource
        As `find_series` made it.

    Returns
    -------
    Scan
        Its original grid has slices, rows and columns as axes 0 to 2.

    Raises
    ------
    ScanError, GeometryError
        If the series is gone, damaged or makes no regular volume.
    """
    stack = find_stack(source)
    array, geometry = read_voxels(stack)
    if array.min() == array.max():
        raise ScanError(
            "All voxels have the same value, so there is nothing to segment.",
            remedy="Check that the right series was exported.",
            path=source.path,
        )
    canonical = np.ascontiguousarray(geometry.to_canonical(array))
    return Scan(canonical, geometry, source, group=stack.headers[0].group)


def _found(stack: Stack, stacks: list[Stack]) -> Found:
    try:
        geometry = geometry_of_stack(stack)
    except ScanError as error:
        return Found.bad(error, stack.folder)
    notes = notes_on(stack, stacks)
    return Found.good(
        ScanSource(
            kind="dicom",
            path=stack.folder,
            series_uid=stack.headers[0].series_uid,
            stack=stack.key,
            title=stack.title,
            detail="; ".join(part for part in (size_text(geometry), notes) if part),
        )
    )


def _too_many(stacks: list[Stack]) -> Found:
    folder = stacks[0].folder
    error = ScanError(
        f"This series holds {len(stacks)} volumes: a time series, not a few scans.",
        remedy=f"Export the volumes of interest, at most {MOST_FRAMES}.",
        path=folder,
    )
    return Found.bad(error, folder)
