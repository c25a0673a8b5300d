"""Scans and their names."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dgseg.errors import ScanError
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource, fingerprint


def make(array: np.ndarray, affine=None) -> Scan:
    slices, rows, columns = array.shape
    geometry = Geometry((columns, rows, slices), np.eye(4) if affine is None else affine, 2)
    return Scan(array, geometry, ScanSource(kind="memory", path="Doe_Jane.nii"))


def test_the_name_tells_voxels_and_grid_but_no_path(rng):
    array = rng.integers(0, 100, (4, 5, 6)).astype(np.int16)
    scan = make(array)
    assert re.fullmatch(r"[0-9a-f]{12}", scan.scan_id)
    assert make(array.copy()).scan_id == scan.scan_id
    assert make(np.asfortranarray(array)).scan_id == scan.scan_id
    changed = array.copy()
    changed[1, 2, 3] += 1
    others = {
        make(changed).scan_id,
        make(array.astype(np.int32)).scan_id,
        make(array, np.diag([1.0, 1.0, 2.0, 1.0])).scan_id,
    }
    assert len(others | {scan.scan_id}) == 4
    assert fingerprint(scan.array, scan.geometry) == scan.scan_id
    assert scan.n_slices == 4


def test_the_array_fits_its_geometry():
    geometry = Geometry((3, 4, 5), np.eye(4), 2)
    source = ScanSource(kind="memory", path="x")
    with pytest.raises(ScanError, match="geometry says"):
        Scan(np.zeros((3, 4, 5)), geometry, source)


def test_sources_survive_json(tmp_path):
    source = ScanSource(kind="nifti", path=tmp_path / "a.nii.gz", frame=3, title="a")
    assert ScanSource.model_validate_json(source.model_dump_json()) == source
