"""Fixtures of the plugin's tests: small scans, labels, and a viewer without Qt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Layer

from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import SPINAL_GM
from napari_dgseg import layers


@pytest.fixture
def make_scan(rng):
    """A function that makes a scan in memory: shape on the original grid, affine, slice axis."""

    def make(
        shape=(40, 36, 7), spacing=(0.5, 0.5, 3.0), slice_axis=2, affine=None, name="scan"
    ) -> Scan:
        if affine is None:
            affine = np.diag([*spacing, 1.0])
            affine[:3, 3] = (-11.0, 7.0, 30.0)
        geometry = Geometry(shape, affine, slice_axis)
        array = rng.normal(100, 20, geometry.canonical_shape).astype(np.float32)
        array[:, 8:20, 10:24] += 150
        source = ScanSource(kind="memory", path=Path("memory"), title=name)
        return Scan(array, geometry, source)

    return make


@pytest.fixture
def scan(make_scan) -> Scan:
    """Seven transverse slices of 36 x 40 pixels."""
    return make_scan()


@pytest.fixture
def labels(scan) -> np.ndarray:
    """Labels of `scan`: a block of grey within a block of white matter."""
    volume = np.zeros(scan.array.shape, np.uint8)
    volume[:, 8:20, 10:24] = 2
    volume[:, 12:16, 14:20] = 1
    return volume


@pytest.fixture
def viewer_model(scan, labels) -> ViewerModel:
    """A viewer without Qt with `scan` and, on top, ``corrections``."""
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layers.image_layer(scan)))
    tuple_ = layers.labels_layer(labels, scan, SPINAL_GM, "corrections")
    viewer.add_layer(Layer.create(*tuple_))
    return viewer


@pytest.fixture
def corrections(viewer_model) -> Labels:
    """The labels layer of `viewer_model`."""
    return viewer_model.layers["corrections"]
