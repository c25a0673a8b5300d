"""What is proposed lies where it is, on grids of all kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from dgseg.inference.segmenter import segment_with
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource


def rotation(axis, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(3)
    a, b = [i for i in range(3) if i != axis]
    turn[[a, b], [a, b]] = c
    turn[a, b], turn[b, a] = -s, s
    return turn


def affine(order, signs, spacing, turn=None):
    """From voxels to millimetres: axis i runs along RAS axis order[i], signs[i]."""
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    for axis, (anatomy, sign, mm) in enumerate(zip(order, signs, spacing, strict=True)):
        matrix[anatomy, axis] = sign * mm
    if turn is not None:
        matrix[:3, :3] = turn @ matrix[:3, :3]
    matrix[:3, 3] = (11.0, -23.0, 37.0)
    return matrix


GRIDS = {
    "plain": ((64, 56, 12), affine((0, 1, 2), (1, 1, 1), (1, 1, 4)), 2),
    "flipped": ((64, 56, 12), affine((0, 1, 2), (-1, -1, -1), (0.7, 0.7, 3)), 2),
    "permuted": ((12, 64, 56), affine((2, 0, 1), (1, -1, 1), (4, 0.8, 0.8)), 0),
    "sagittal": ((10, 60, 72), affine((0, 2, 1), (1, 1, -1), (3.3, 0.9, 0.9)), 0),
    "coronal": ((60, 10, 72), affine((0, 1, 2), (-1, 1, -1), (0.9, 5, 0.9)), 1),
    "anisotropic": ((64, 40, 12), affine((0, 1, 2), (1, -1, 1), (0.45, 0.95, 4)), 2),
    "oblique": (
        (64, 56, 12),
        affine((0, 1, 2), (1, -1, 1), (0.6, 0.6, 4), rotation(0, 17) @ rotation(1, -11)),
        2,
    ),
    "odd": ((61, 47, 7), affine((0, 1, 2), (1, 1, -1), (0.83, 0.83, 2.5)), 2),
}


@pytest.mark.parametrize("spacing_mm", [None, 0.5, 0.77, 1.3])
@pytest.mark.parametrize("name", GRIDS)
def test_an_ellipsoid_stays_in_its_place(name, spacing_mm, threshold, info_of):
    shape, matrix, slice_axis = GRIDS[name]
    middle = np.array(shape) * (0.55, 0.45, 0.5) + 0.3
    radii = np.array(shape) * 0.28
    grid = np.moveaxis(np.mgrid[: shape[0], : shape[1], : shape[2]], 0, -1)
    distance = np.sqrt((((grid - middle) / radii) ** 2).sum(-1))
    # Smooth, so that its border at 0.5 lies between the voxels too.
    original = 1 / (1 + np.exp((distance - 1) * 10))
    geometry = Geometry(shape, matrix, slice_axis)
    source = ScanSource(kind="memory", path=Path("memory"))
    scan = Scan(geometry.to_canonical(original.astype(np.float32)).copy(), geometry, source)

    result = segment_with(threshold, info_of(spacing_mm=spacing_mm), scan, precision="fp32")

    found = geometry.to_original(result.labels) > 0
    truth = original > 0.5
    shift = np.subtract(center_of_mass(found), center_of_mass(truth))
    assert np.abs(shift).max() < 0.1
    overlap = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert overlap > 0.97
