from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Layer

from dgseg.errors import LabelsError
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import CARDIAC, SPINAL_GM
from napari_dgseg import layers


def test_a_scan_lies_in_millimetres_with_its_own_array(scan):
    data, kwargs, kind = layers.image_layer(scan)
    layer = Layer.create(data, kwargs, kind)
    assert layer.data is scan.array
    assert layer.name == "scan"
    np.testing.assert_allclose(layer.scale, scan.geometry.spacing)
    np.testing.assert_allclose(layer.translate, scan.geometry.translate)
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert layers.scan_of(layer) is scan
    assert layers.schema_of(layer) is None


@pytest.mark.parametrize(
    ("slice_axis", "expected"),
    [
        (2, ("axial I-S", "coronal A-P", "sagittal R-L")),
        (1, ("coronal A-P", "axial S-I", "sagittal R-L")),
        (0, ("sagittal R-L", "axial S-I", "coronal A-P")),
    ],
)
def test_sliders_are_named_by_plane_and_ends(make_scan, slice_axis, expected):
    scan = make_scan(slice_axis=slice_axis)
    assert layers.axis_labels(scan.geometry) == expected
    assert layers.image_layer(scan)[1]["axis_labels"] == expected


def test_oblique_scans_get_no_affine_and_raise_no_warning(make_scan, recwarn):
    turn = np.radians(25)
    affine = np.diag([0.5, 0.5, 3.0, 1.0])
    rotation = np.eye(4)
    rotation[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    scan = make_scan(affine=rotation @ affine)
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layers.image_layer(scan)))
    np.testing.assert_allclose(layers.image_layer(scan)[1]["scale"], (3.0, 0.5, 0.5))
    assert not [w for w in recwarn if "orthogonal" in str(w.message)]


def test_contrast_limits_leave_out_a_few_bright_voxels(rng):
    array = rng.normal(100, 5, (30, 200, 200)).astype(np.float32)
    array[3, 4, 5:9] = 1e6
    low, high = layers.contrast_limits(array)
    expected = np.percentile(array, (0.5, 99.5))
    np.testing.assert_allclose((low, high), expected, rtol=0.01)
    flipped = layers.contrast_limits(array[:, ::-1, ::-1])
    np.testing.assert_allclose(flipped, expected, rtol=0.01)


def test_contrast_limits_of_constant_and_nearly_empty_images():
    assert layers.contrast_limits(np.full((2, 4, 4), 7, np.int16)) == (7.0, 8.0)
    lonely = np.zeros((4, 300, 300), np.uint8)
    lonely[2, 7, 9] = 200
    assert layers.contrast_limits(lonely) == (0.0, 200.0)


def test_labels_have_the_colours_and_names_of_the_schema(scan, labels):
    layer = Layer.create(*layers.labels_layer(labels, scan, SPINAL_GM, "proposal"))
    assert layer.name == "proposal"
    assert layer.data.dtype == np.uint8
    np.testing.assert_allclose(layer.get_color(1), (1, 0xB0 / 255, 0, 1), atol=0.01)
    assert layer.get_color(0) is None or layer.get_color(0)[3] == 0
    assert layer.get_color(9)[3] == 0
    assert list(layer.features["name"]) == ["background", "grey matter", "white matter"]
    assert layers.schema_of(layer) == SPINAL_GM
    assert layers.scan_of(layer) is scan


def test_painting_reaches_the_caller_only_without_a_copy(scan, labels):
    apart = Layer.create(*layers.labels_layer(labels, scan, SPINAL_GM, "a"))
    shared = Layer.create(*layers.labels_layer(labels, scan, SPINAL_GM, "b", copy=False))
    apart.data[0, 0, 0] = 1
    assert labels[0, 0, 0] == 0
    shared.data[0, 0, 0] = 2
    assert labels[0, 0, 0] == 2


def test_copied_labels_are_writable_contiguous_uint8(scan, labels):
    view = labels[:, ::-1].astype(np.int64)
    view.setflags(write=False)
    data, _, _ = layers.labels_layer(view[:, ::-1], scan, SPINAL_GM, "a")
    assert data.dtype == np.uint8
    assert data.flags.writeable
    assert data.flags.c_contiguous
    np.testing.assert_array_equal(data, labels)


def test_labels_of_another_shape_or_task_are_refused(scan, labels):
    with pytest.raises(LabelsError, match="shape"):
        layers.labels_layer(labels[:3], scan, SPINAL_GM, "a")
    with pytest.raises(LabelsError, match="'cardiac'"):
        layers.labels_layer(labels + 2, scan, CARDIAC, "a")


def test_options_override_what_the_layer_would_get(scan, labels):
    _, kwargs, _ = layers.labels_layer(labels, scan, SPINAL_GM, "a", opacity=1, visible=False)
    assert kwargs["opacity"] == 1
    assert kwargs["visible"] is False


def test_uncertainty_glows_over_the_scan(scan):
    values = np.full(scan.array.shape, 30, np.uint8)
    layer = Layer.create(*layers.uncertainty_layer(values, scan))
    assert layer.blending == "additive"
    assert tuple(layer.contrast_limits) == (0, 255)
    np.testing.assert_allclose(layer.scale, scan.geometry.spacing)
    with pytest.raises(LabelsError):
        layers.uncertainty_layer(values[1:], scan)


def test_foreign_metadata_is_not_mistaken_for_ours():
    layer = Layer.create(np.zeros((2, 4, 4)), {"metadata": {"dgseg": "theirs"}}, "image")
    assert layers.scan_of(layer) is None
    layer.metadata = {"dgseg": {"scan": 3}}
    assert layers.scan_of(layer) is None


@settings(max_examples=60, deadline=None)
@given(
    n_slices=st.integers(2, 60),
    spacing_mm=st.integers(30, 800).map(lambda n: n / 100),
    origin_mm=st.integers(-300_000, 300_000).map(lambda n: n / 1000),
)
@example(n_slices=16, spacing_mm=2.2, origin_mm=-31.721)
def test_the_slider_reaches_every_slice(n_slices, spacing_mm, origin_mm):
    affine = np.diag([0.7, 0.7, spacing_mm, 1.0])
    affine[2, 3] = origin_mm
    geometry = Geometry((4, 4, n_slices), affine, 2)
    array = np.zeros(geometry.canonical_shape, np.float32)
    scan = Scan(array, geometry, ScanSource(kind="memory", path=Path("memory")))
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layers.image_layer(scan)))
    assert viewer.dims.nsteps[0] == n_slices
