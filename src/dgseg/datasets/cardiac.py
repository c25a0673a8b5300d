"""Short-axis cine hearts of two challenges, from a local copy: four centres."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np

from dgseg.datasets.dataset import DatasetInfo, Entry
from dgseg.errors import DatasetError
from dgseg.scans.annotated import AnnotatedScan, labelled_range
from dgseg.scans.found import natural_key
from dgseg.scans.geometry import Geometry
from dgseg.scans.nifti import check_labels, read_labels, read_nifti
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import CARDIAC

_IMAGE = re.compile(r"^(?P<subject>.+)_(?:ED|ES)\.nii(?:\.gz)?$")

INFO = DatasetInfo(
    name="cardiac",
    title="Short-axis cine hearts of M&Ms and ACDC (4 centres; local copy only)",
    url="",
    licence="M&Ms: research use only; ACDC: CC BY-NC-SA 4.0",
    schema=CARDIAC,
    citation=(
        "Campello VM, et al. Multi-centre, multi-vendor and multi-disease cardiac "
        "segmentation: the M&Ms challenge. IEEE Trans Med Imaging. 2021;40:3543-3554. "
        "Bernard O, et al. Deep learning techniques for automatic MRI cardiac "
        "multi-structures segmentation and diagnosis. IEEE Trans Med Imaging. "
        "2018;37:2514-2525."
    ),
    spacing_known=False,
)


def entries(root: Path) -> tuple[Entry, ...]:
    """The scans below a copy: ``<domain>/<subject>_ED.nii.gz`` and ``_ED_seg``, ``_ES``.

    Parameters
    ----------
    root : Path
        One folder a domain.

    Returns
    -------
    tuple of Entry

    Raises
    ------
    DatasetError
        If no scan is there.
    """
    found = []
    for path in sorted(root.glob("*/*"), key=natural_key):
        match = _IMAGE.match(path.name)
        if match is None:
            continue
        domain, subject = path.parent.name, match["subject"]
        labels = path.with_name(path.name.replace(".nii", "_seg.nii"))
        labelled = labels.is_file()
        load = partial(_load, path, labels if labelled else None, domain, subject)
        source = ScanSource(kind="nifti", path=path, title=path.name)
        found.append(Entry(domain, subject, source, labelled, load))
    if not found:
        raise DatasetError(
            "None of the scans of the data set cardiac are in this folder.",
            remedy="It should hold one folder a centre, with files such as P002_ED.nii.gz "
            "and P002_ED_seg.nii.gz.",
            path=root,
        )
    return tuple(found)


def _load(path: Path, labels_path: Path | None, domain: str, subject: str) -> AnnotatedScan:
    scan = read_nifti(path)
    upright = _upright(scan.geometry)
    turned = Scan(_turn(scan.array, scan.geometry, upright), upright, scan.source)
    if labels_path is None:
        return AnnotatedScan(turned, None, None, domain, subject)
    labels = read_labels(labels_path, scan)
    check_labels(labels, scan, CARDIAC)
    labels = _turn(labels, scan.geometry, upright)
    return AnnotatedScan(turned, labels, labelled_range(labels), domain, subject)


def _upright(geometry: Geometry) -> Geometry:
    """Where the voxels really are, if the header was reset and cannot tell.

    The copies in use have identity affines, with or without two minus signs,
    though both challenges store voxels in the same order: from right to left,
    and from front to back. Taken at their word, half of the hearts would stand
    on their heads beside the others.
    """
    if not np.array_equal(np.abs(geometry.affine), np.eye(4)):
        return geometry
    return Geometry(geometry.shape, np.diag([-1.0, -1.0, 1.0, 1.0]), geometry.slice_axis)


def _turn(array: np.ndarray, before: Geometry, after: Geometry) -> np.ndarray:
    return np.ascontiguousarray(after.to_canonical(before.to_original(array)))
