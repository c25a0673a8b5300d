"""The viewer's image layers as scans: what this plugin opened, and what a person did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Layer

from dgseg.errors import DgsegError, LabelsError
from dgseg.scans.found import size_text
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from napari_dgseg.layers import METADATA_KEY, scan_of

if TYPE_CHECKING:
    from napari.components import ViewerModel


def scans_in(viewer: ViewerModel, known: set[str]) -> tuple[list[Scan], list[str]]:
    """The viewer's image layers as scans, except those that are known, and why some are none.

    A layer that this plugin's readers opened knows its scan. Any other image layer of
    three axes is taken for slices in radiological orientation, with the layer's scale as
    its spacing: napari knows nothing of the patient.
    """
    scans: list[Scan] = []
    problems: list[str] = []
    for layer in viewer.layers:
        if not isinstance(layer, Image) or role_of(layer) not in ("", "scan"):
            continue
        try:
            scan = scan_of(layer) or _scan_from(layer)
        except DgsegError as error:
            problems.append(f"{layer.name}: {error.problem}")
            continue
        if scan.scan_id not in known:
            known.add(scan.scan_id)
            scans.append(scan)
        else:
            problems.append(f"{layer.name} is in the table already.")
    return scans, problems or ["No image is open in the viewer."]


def role_of(layer: Layer) -> str:
    """What one of our layers is for; empty for other people's."""
    ours = layer.metadata.get(METADATA_KEY)
    return str(ours.get("role", "")) if isinstance(ours, dict) else ""


def _scan_from(layer: Image) -> Scan:
    if layer.rgb or layer.multiscale or layer.ndim != 3:
        raise LabelsError("Only grey-scale images of three axes can be segmented.")
    array = np.asarray(layer.data)
    if not np.isfinite(array).all():
        raise LabelsError("It holds values that are no numbers.")
    slices, rows, columns = (float(s) for s in layer.scale[-3:])
    at = [float(t) for t in layer.translate[-3:]]
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = slices, -rows, -columns
    affine[:, 3] = (-at[2], -at[1], at[0], 1)
    geometry = Geometry(array.shape, affine, slice_axis=0)
    detail = size_text(geometry)
    source = ScanSource(kind="memory", path=Path(), title=layer.name, detail=detail)
    return Scan(array, geometry, source)
