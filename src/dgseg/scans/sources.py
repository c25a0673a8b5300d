"""Finding scans on disk, whatever their format, and reading them.

The readers are imported when there is something to read: nibabel and pydicom take longer
to import than a dock may take to open.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from dgseg.errors import ScanError
from dgseg.scans.bids import bids_images, is_bids
from dgseg.scans.found import MOST_FRAMES, Found, natural_key
from dgseg.scans.names import is_nifti, stem_of
from dgseg.scans.scan import Scan, ScanSource

__all__ = ["MOST_FRAMES", "Found", "discover", "read"]

LABEL_ENDINGS = ("seg", "dseg", "label", "labels", "mask", "gt")
"""``<name>_<ending>`` beside ``<name>`` is the labels of that scan, not a scan."""

_SKIPPED_FOLDERS = ("derivatives",)


def discover(path: str | Path) -> list[Found]:
    """Find the scans in a file or a folder.

    Parameters
    ----------
    path : path-like
        A NIfTI file (4-D: one scan a volume), a DICOM file (the series that
        it belongs to), a folder that is searched with all folders in it
        (DICOM: one scan a series, echo or orientation), or a BIDS data set.
        Hidden files, ``derivatives`` folders and label files beside their
        scans are passed over.

    Returns
    -------
    list of Found
        In natural order of their paths; a file that cannot be read is among
        them with its error. Nothing is raised for a bad file.
    """
    from dgseg.scans import dicom, nifti

    path = Path(path)
    if path.is_dir():
        found = _in_folder(path)
        return found or [Found.bad(_nothing(path), path)]
    if is_nifti(path) or not path.exists():
        return nifti.find_nifti(path)
    if dicom.is_dicom(path):
        return dicom.find_series_of(path)
    error = ScanError(
        "This is neither a NIfTI nor a DICOM file.",
        remedy="Choose a .nii or .nii.gz file, or a folder with a DICOM series.",
        path=path,
    )
    return [Found.bad(error, path)]


def read(source: ScanSource) -> Scan:
    """Read a scan that was found.

    Parameters
    ----------
    source : ScanSource

    Returns
    -------
    Scan
        It keeps the title of `source`.

    Raises
    ------
    ScanError, GeometryError
        If the file is gone, damaged, or holds no scan.
    """
    from dgseg.scans import dicom, memory, nifti

    if source.kind == "nifti":
        scan = nifti.read_nifti(source.path, source.frame)
    elif source.kind == "dicom":
        scan = dicom.read_series(source)
    else:
        scan = memory.read_memory(source)
    titled = scan.source.model_copy(update={"title": source.title or scan.source.title})
    return dataclasses.replace(scan, source=titled)


def _nothing(path: Path) -> ScanError:
    return ScanError(
        "No scan was found in this folder.",
        remedy="Choose a folder with NIfTI files, a DICOM series or a BIDS data set.",
        path=path,
    )


def _in_folder(folder: Path) -> list[Found]:
    """NIfTI files folder by folder, then the DICOM series of the whole tree."""
    from dgseg.scans import dicom, nifti

    if is_bids(folder):
        return _in_bids(folder)
    found: list[Found] = []
    others: list[Path] = []
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        data_sets = [name for name in folders if is_bids(here / name)]
        for name in data_sets:
            found += _in_bids(here / name)
        folders[:] = [
            name
            for name in folders
            if name not in data_sets
            and not name.startswith(".")
            and name.casefold() not in _SKIPPED_FOLDERS
        ]
        files = [here / name for name in names if not name.startswith(".")]
        images = [path for path in files if is_nifti(path)]
        stems = {stem_of(path) for path in images}
        for path in images:
            if not _labels_beside(stem_of(path), stems):
                found += nifti.find_nifti(path)
        others += [path for path in files if not is_nifti(path)]
    found += dicom.find_in_files(others)
    return sorted(found, key=lambda item: natural_key(item.path))


def _labels_beside(stem: str, stems: set[str]) -> bool:
    base, _, ending = stem.rpartition("_")
    return ending.casefold() in LABEL_ENDINGS and base in stems


def _in_bids(folder: Path) -> list[Found]:
    from dgseg.scans import nifti

    found = []
    for path in bids_images(folder):
        for item in nifti.find_nifti(path):
            if item.source is None:
                found.append(item)
                continue
            title = item.source.title.replace(path.name, stem_of(path), 1)
            found.append(Found.good(item.source.model_copy(update={"title": title})))
    return found
