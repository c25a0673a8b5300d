"""Opening scans through napari itself: File > Open, drag and drop, ``viewer.open``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from dgseg.errors import DgsegError, LabelsError, ScanError
from dgseg.scans.scan import Scan
from napari_dgseg import layers
from napari_dgseg.tables import read_schema

PathOrPaths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Reader = Callable[[PathOrPaths], list[layers.LayerTuple]]

_SUFFIXES = (".nii", ".nii.gz", ".dcm")
_LABEL_NAME = re.compile(r"(seg|segmentation|labels?|mask)([^a-z]|$)")
"""``cord_seg``, ``dseg``, ``label-GM``, ``gt_mask``, but not ``masked`` or ``segmented``."""

_MOST_LABELS = 64
"""Values in a label file; an 8-bit image has more."""

_FILES_LOOKED_AT = 40
"""Files of a folder that are looked at before it counts as one without scans."""

_MOST_SCANS = 20
"""Scans that are opened at once; a folder of a whole study belongs into the dock."""


def get_reader(path: PathOrPaths) -> Reader | None:
    """The reader for a path, if it looks like a scan or a folder with scans.

    Cheap, as napari asks for everything that is opened: names are looked at, and
    of files without an ending the first bytes.

    Parameters
    ----------
    path : path-like or sequence of path-like
        What is to be opened; all of a sequence must look like scans.

    Returns
    -------
    callable or None
        `read_layers`.
    """
    paths = _as_list(path)
    try:
        return read_layers if paths and all(map(_looks_readable, paths)) else None
    except OSError:
        return None


def read_layers(path: PathOrPaths) -> list[layers.LayerTuple]:
    """Read scans as layers in patient orientation, in millimetres.

    Every DICOM series and every volume of a 4-D file becomes a layer. A NIfTI
    file with few whole numbers and a name with ``seg``, ``label`` or ``mask``
    becomes a labels layer.

    Parameters
    ----------
    path : path-like or sequence of path-like

    Returns
    -------
    list of layer tuples

    Raises
    ------
    DgsegError
        If nothing could be read. If only some files are bad, a warning names them.
    """
    from dgseg.scans.sources import discover, read

    found = [item for one in _as_list(path) for item in discover(one)]
    # Several files of one DICOM series each lead to the whole series.
    sources = list(dict.fromkeys(item.source for item in found if item.source is not None))
    problems = [item.error for item in found if item.error is not None]
    result: list[layers.LayerTuple] = []
    for source in sources[:_MOST_SCANS]:
        try:
            result.append(_layer(read(source)))
        except DgsegError as error:
            problems.append(error)
    if not result:
        raise (
            problems[0]
            if problems
            else ScanError(
                "No scan was found here.",
                remedy="Choose a NIfTI file, a DICOM file or a folder with a series.",
                path=_as_list(path)[0],
            )
        )
    _warn(problems, left_out=max(0, len(sources) - _MOST_SCANS))
    return result


def _layer(scan: Scan) -> layers.LayerTuple:
    if not _holds_labels(scan):
        return layers.image_layer(scan)
    labels = scan.array.astype(np.uint8)
    name = scan.source.title or f"labels {scan.scan_id}"
    try:
        schema = read_schema(scan.source.path, int(labels.max()))
    except LabelsError as error:
        # The table beside the file does not fit; the labels themselves are fine.
        _warn([error], left_out=0)
        schema = read_schema(None, int(labels.max()))
    return layers.labels_layer(labels, scan, schema, name, copy=False)


def _holds_labels(scan: Scan) -> bool:
    if scan.source.kind != "nifti" or not _LABEL_NAME.search(scan.source.path.name.lower()):
        return False
    array = scan.array
    if array.min() < 0 or array.max() > 255:
        return False
    values = array.astype(np.uint8)
    if not np.issubdtype(array.dtype, np.integer) and (values != array).any():
        return False
    return np.count_nonzero(np.bincount(values.reshape(-1))) <= _MOST_LABELS


def _warn(problems: Sequence[DgsegError], *, left_out: int) -> None:
    from napari.utils.notifications import show_warning

    for problem in problems[:3]:
        show_warning(str(problem))
    if len(problems) > 3:
        show_warning(f"{len(problems) - 3} more files could not be read.")
    if left_out:
        show_warning(
            f"{left_out} further scans were not opened. Add the folder in the dock "
            "Plugins > Site adaptation, which opens them one at a time."
        )


def _as_list(path: PathOrPaths) -> list[Path]:
    if isinstance(path, (str, os.PathLike)):
        return [Path(path)]
    return [Path(one) for one in path]


def _looks_readable(path: Path) -> bool:
    if path.is_dir():
        return any(_is_scan_file(file) for file in islice(_files(path), _FILES_LOOKED_AT))
    return path.name.lower().endswith(_SUFFIXES)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(parent, name)


def _is_scan_file(path: Path) -> bool:
    if path.name.lower().endswith(_SUFFIXES):
        return True
    # Scanners write DICOM files without an ending, or with one that is a number.
    if path.suffix and not path.suffix[1:].isdigit():
        return path.suffix.lower() in {".ima", ".dicom"}
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"
