"""Scans that no file backs, put into a folder so that they can be read again.

An image that a person built or simulated inside the viewer has no file of its
own. It is kept as ``scan.npy`` (intensities as they are, canonical orientation)
and ``scan.json`` (the original grid), so that it is read back with the same
fingerprint.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dgseg.errors import ScanError
from dgseg.files import read_array, write_array, write_json
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource

ARRAY_NAME = "scan.npy"


def write_memory(folder: str | Path, scan: Scan) -> ScanSource:
    """Keep a scan in a folder.

    Parameters
    ----------
    folder : path-like
        Exists; one scan a folder.
    scan : Scan
        Any scan.

    Returns
    -------
    ScanSource
        From which `read_memory` reads the same scan again.

    Raises
    ------
    OSError
        As the file system raises it.
    """
    folder = Path(folder)
    geometry = scan.geometry
    write_array(folder / ARRAY_NAME, scan.array)
    content = {
        "shape": list(geometry.shape),
        "affine": geometry.affine.tolist(),
        "slice_axis": geometry.slice_axis,
    }
    write_json(folder / "scan.json", content)
    return ScanSource(
        kind="memory",
        path=folder / ARRAY_NAME,
        title=scan.source.title,
        detail=scan.source.detail,
    )


def read_memory(source: ScanSource) -> Scan:
    """Read a scan that `write_memory` kept.

    Raises
    ------
    ScanError
        If it is gone or damaged.
    """
    try:
        content = json.loads(source.path.with_name("scan.json").read_text(encoding="utf-8"))
        affine = np.array(content["affine"], dtype=np.float64)
        geometry = Geometry(tuple(content["shape"]), affine, content["slice_axis"])
        return Scan(read_array(source.path), geometry, source)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ScanError(
            "The copy of an image without a file is gone or damaged.",
            remedy="Open the image again and add it to the site again.",
            path=source.path,
        ) from error
