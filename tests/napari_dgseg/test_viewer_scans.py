"""Layers of the viewer as scans."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dgseg.viewer_scans import scans_in


@pytest.fixture
def viewer():
    return ViewerModel()


def test_layers_of_the_viewer_become_scans(viewer, rng):
    array = rng.normal(size=(6, 12, 10)).astype(np.float32)
    viewer.add_image(array, name="plain", scale=(4, 0.6, 0.7), translate=(8, 3, 2))
    viewer.add_image(rng.random((12, 10)), name="flat")
    viewer.add_image(rng.random((6, 12, 10, 3)), rgb=True, name="photo")
    viewer.add_labels(np.zeros((6, 12, 10), int))
    scans, problems = scans_in(viewer, set())
    (scan,) = scans
    assert scan.source.title == "plain"
    np.testing.assert_allclose(scan.geometry.spacing, (4, 0.6, 0.7))
    np.testing.assert_allclose(scan.geometry.translate, (8, 3, 2))
    np.testing.assert_array_equal(scan.array, array)
    assert [problem.split(":")[0] for problem in problems] == ["flat", "photo"]
    again, problems = scans_in(viewer, {scan.scan_id})
    assert again == []
    assert "in the table already" in problems[0]


def test_an_empty_viewer_has_no_scans(viewer):
    assert scans_in(viewer, set()) == ([], ["No image is open in the viewer."])
