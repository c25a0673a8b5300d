"""Labels out of the program, in every form that the scan's origin allows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from dgseg.errors import LabelsError
from dgseg.scans.dicom import write_segmentation
from dgseg.scans.nifti import write_labels
from dgseg.scans.scan import Scan
from dgseg.scans.schema import LabelSchema

_UNSAFE = re.compile(r"[^\w.,=+-]+")


def export_labels(
    labels: np.ndarray,
    scan: Scan,
    schema: LabelSchema,
    folder: str | Path,
    *,
    name: str,
    model_name: str,
    model_version: str = "",
) -> list[Path]:
    """Write labels as NIfTI with a table of names, and as DICOM-SEG for DICOM scans.

    Parameters
    ----------
    labels : ndarray of uint8, shape (slices, rows, columns)
        On the canonical grid.
    scan : Scan
    schema : LabelSchema
    folder : path-like
        Created if absent.
    name : str
        What the files are named after; a BIDS stem, for instance. Characters
        that some file systems refuse become ``-``.
    model_name, model_version : str
        Of the bundle that proposed the labels, for the DICOM header.

    Returns
    -------
    list of Path
        ``<name>_dseg.nii.gz``, ``<name>_dseg.tsv`` and, for DICOM,
        ``<name>_dseg.dcm``.

    Raises
    ------
    LabelsError
        If the labels do not fit the scan or the schema, or a file cannot be written.
    """
    folder = Path(folder)
    stem = _UNSAFE.sub("-", name).strip("-.") or scan.scan_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabelsError(
            f"The folder could not be made: {error.strerror or error}.",
            remedy="Choose a folder where you may write.",
            path=folder,
        ) from error
    image = write_labels(folder / f"{stem}_dseg.nii.gz", labels, scan, schema)
    written = [image, folder / f"{stem}_dseg.tsv"]
    if scan.source.kind == "dicom":
        written.append(
            write_segmentation(
                folder / f"{stem}_dseg.dcm",
                labels,
                scan,
                schema,
                model_name=model_name,
                model_version=model_version,
            )
        )
    return written
