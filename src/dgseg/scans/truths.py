"""True labels that are kept aside, to score proposals by.

One file a scan, ``<scan_id>.npz``: the labels and which slices are annotated, and
nothing else. The image stays where it is, and so does whatever names a patient.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dgseg.errors import LabelsError
from dgseg.files import atomic_write
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.scan import Scan

_DAMAGED = (
    OSError,
    EOFError,
    KeyError,
    TypeError,  # an array alone, where an archive should be
    ValueError,
    NotImplementedError,  # a compression or an encryption that zipfile does not know
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def write_truths(folder: Path, truths: Mapping[str, AnnotatedScan]) -> None:
    """Write the true labels of scans, creating or replacing their files.

    Parameters
    ----------
    folder : Path
        Is made if need be.
    truths : mapping of str to AnnotatedScan
        By the identifier of the scan. Those without labels leave no file.

    Raises
    ------
    LabelsError
        If the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for scan_id, truth in truths.items():
            if truth.labels is not None:
                with atomic_write(_file(folder, scan_id)) as file:
                    np.savez_compressed(file, labels=truth.labels, annotated=truth.annotated)
    except OSError as error:
        raise LabelsError(
            f"The true labels could not be written: {error.strerror or error}.",
            remedy="Choose a folder with space and permission to write.",
            path=folder,
        ) from error


def has_truth(folder: Path, scan_id: str) -> bool:
    """Whether a folder holds true labels of a scan, judged by the file's name alone."""
    return _file(folder, scan_id).is_file()


def read_truth(folder: Path, scan: Scan, domain: str) -> AnnotatedScan:
    """Read the true labels of a scan.

    Parameters
    ----------
    folder : Path
        The one that `write_truths` was given.
    scan : Scan
        The labels are on its canonical grid.
    domain : str
        Of the scan.

    Returns
    -------
    AnnotatedScan
        With labels.

    Raises
    ------
    LabelsError
        If there are none, or they are damaged, or do not fit the scan.
    """
    path = _file(folder, scan.scan_id)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels, annotated = arrays["labels"], arrays["annotated"]
    except FileNotFoundError as error:
        raise LabelsError(
            f"There are no true labels of the scan {scan.scan_id}.",
            remedy="Give the folder into which they were written.",
            path=path,
        ) from error
    except _DAMAGED as error:
        raise LabelsError(
            f"The true labels of the scan {scan.scan_id} are damaged.",
            remedy="Write them again.",
            path=path,
        ) from error
    return AnnotatedScan(scan, labels, annotated, domain)


def _file(folder: Path, scan_id: str) -> Path:
    return folder / f"{scan_id}.npz"
