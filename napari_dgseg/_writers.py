"""Saving labels through napari itself: on the scan's own grid, to the voxel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

import dgseg
from dgseg.errors import LabelsError
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import LabelSchema
from napari_dgseg.layers import noted
from napari_dgseg.tables import complete

_ENDS = re.compile(r"([LRAPIS])-([LRAPIS])$")
"""The ends of an axis in the names that `layers.axis_labels` gives."""

_RAS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def write_nifti(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save a labels layer as NIfTI with a table of its labels.

    On the grid of the layer's scan, where the layer knows it; else by scale and
    translation, which is exact for scans that are not oblique.

    Parameters
    ----------
    path : str
        Ends with ``.nii.gz`` or ``.nii``.
    data : array of int, shape (slices, rows, columns)
    meta : dict
        The layer's attributes.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    LabelsError
        If the labels do not fit their scan, or cannot be written.
    """
    from dgseg.scans.nifti import write_labels

    labels, scan = _labels_and_scan(data, meta)
    if scan is None:
        scan = _scan_on_screen(labels, meta)
        _tell(
            "This layer was not made for a scan of napari-dgseg: it is saved where it lies "
            "on the screen."
        )
    return [str(write_labels(Path(path), labels, scan, _schema(labels, meta)))]


def write_dicom_seg(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Save a labels layer of a scan that came from DICOM as DICOM segmentation.

    Parameters
    ----------
    path : str
        Ends with ``.dcm``.
    data : array of int, shape (slices, rows, columns)
    meta : dict
        The layer's attributes.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    LabelsError
        If the scan did not come from DICOM, the labels do not fit it, or the file
        cannot be written.
    """
    labels, scan = _labels_and_scan(data, meta)
    if scan is None or scan.source.kind != "dicom":
        raise LabelsError(
            "A DICOM segmentation refers to the DICOM images it was drawn on, and this "
            "layer's scan did not come from DICOM.",
            remedy="Save as .nii.gz, or open the DICOM series and segment that.",
        )
    from dgseg.scans.dicom import write_segmentation

    written = write_segmentation(
        Path(path),
        labels,
        scan,
        _schema(labels, meta),
        model_name="napari-dgseg",
        model_version=dgseg.__version__,
    )
    return [str(written)]


def _labels_and_scan(data: Any, meta: dict[str, Any]) -> tuple[np.ndarray, Scan | None]:
    """A layer's labels as uint8, and the scan they were made for, where the layer knows it."""
    labels = np.asarray(data)
    if labels.ndim != 3:
        raise LabelsError(
            f"Labels with {labels.ndim} axes cannot be saved as a volume.",
            remedy="Save a labels layer with three axes: slices, rows and columns.",
        )
    if labels.min(initial=0) < 0 or labels.max(initial=0) > 255:
        raise LabelsError(
            "Labels must be whole numbers from 0 to 255.",
            remedy="Give the structures smaller numbers before saving.",
        )
    scan = noted(meta.get("metadata", {}), "scan", Scan)
    if scan is not None and labels.shape != scan.array.shape:
        raise LabelsError(
            f"The labels have shape {labels.shape}, the scan they were made for has "
            f"{scan.array.shape}.",
            remedy="Undo the change of their shape, or save a layer made for this scan.",
        )
    return labels.astype(np.uint8, copy=False), scan


def _schema(labels: np.ndarray, meta: dict[str, Any]) -> LabelSchema:
    """The layer's schema, and an entry for each value that was painted beyond it."""
    highest = int(labels.max(initial=0))
    schema = noted(meta.get("metadata", {}), "schema", LabelSchema)
    if schema is None:
        return complete((), highest, "labels")
    if highest >= schema.n_classes:
        _tell(
            f"Label {highest} is not in the label schema {schema.name!r}; it is saved with "
            "its number as its name."
        )
    return complete(schema.labels, highest, schema.name)


def _scan_on_screen(labels: np.ndarray, meta: dict[str, Any]) -> Scan:
    """A stand-in for the scan of a layer that another program or person made.

    napari copies scale, translation and axis labels to a new labels layer; the
    labels that this plugin gives to axes tell their directions. Axes without such
    labels are taken for transverse slices.
    """
    ends = [_ENDS.search(str(label)) for label in meta.get("axis_labels", ())]
    letters = [match[2] for match in ends if match is not None]
    if len({_RAS[letter][0] for letter in letters}) != 3:
        letters = ["S", "P", "L"]
    affine = np.eye(4)
    affine[:3, :3] = 0
    placed = zip(
        letters, meta.get("scale", (1, 1, 1)), meta.get("translate", (0, 0, 0)), strict=True
    )
    for axis, (letter, step, origin) in enumerate(placed):
        anatomy, sign = _RAS[letter]
        affine[anatomy, axis] = sign * step
        affine[anatomy, 3] = sign * origin
    source = ScanSource(kind="memory", path=Path("layer"), title=str(meta.get("name", "")))
    return Scan(labels, Geometry(labels.shape, affine, 0), source)  # type: ignore[arg-type]


def _tell(message: str) -> None:
    from napari.utils.notifications import show_info

    show_info(message)
