"""An old layer that looks as a new one would."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Points

from dgseg.scans.schema import SPINAL_GM
from napari_dgseg import layers
from napari_dgseg.redressing import can_become, redress


def _made(tuple_) -> Layer:
    return Layer.create(*tuple_)


def _state(layer) -> dict:
    """All that napari would write down to make the layer again, as it is compared."""
    state = dict(layer.as_layer_data_tuple()[1])
    for name in ("metadata", "features", "colormap", "experimental_clipping_planes", "plane"):
        state.pop(name, None)
    return {name: str(value) for name, value in state.items()}


@pytest.fixture
def other(make_scan):
    """A scan of another shape, place and range of values."""
    scan = make_scan(shape=(30, 28, 5), spacing=(0.7, 0.6, 4.0), name="other")
    scan.array[:] *= 9
    return scan


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8])
def test_an_image_becomes_another_in_every_respect(scan, other, dtype):
    viewer = ViewerModel()
    old = viewer.add_layer(_made(layers.image_layer(scan)))
    old.gamma, old.opacity, old.colormap, old.contrast_limits = 0.5, 0.2, "viridis", (1, 2)
    old.rotate, old.blending, old.rendering = 20, "additive", "mip"
    old.mode = "transform"
    data, options, kind = layers.image_layer(other)
    new = Layer.create(data.clip(0, 100).astype(dtype), options, kind)
    assert can_become(old, new)
    redress(old, new)
    assert _state(old) == _state(new)
    assert old.data is new.data
    assert layers.scan_of(old) is other
    assert old.colormap.name == "gray"
    assert old.contrast_limits_range == new.contrast_limits_range
    assert old.mode == "pan_zoom"
    np.testing.assert_array_equal(old.extent.world, new.extent.world)
    assert viewer.dims.nsteps[0] == 5


def test_labels_become_others_without_a_past(scan, other, labels):
    viewer = ViewerModel()
    old = viewer.add_layer(_made(layers.labels_layer(labels, scan, SPINAL_GM, "old")))
    old.mode, old.selected_label, old.contour = "paint", 2, 3
    old.paint((1, 4, 4), 2)
    wanted = np.zeros(other.array.shape, np.uint8)
    wanted[2, 3:9, 4:12] = 1
    new = _made(layers.labels_layer(wanted, other, SPINAL_GM, "new", visible=False))
    redress(old, new)
    assert _state(old) == _state(new)
    assert old.mode == "pan_zoom"
    old.undo()
    np.testing.assert_array_equal(old.data, wanted)
    assert old.editable
    colours, expected = old.colormap.color_dict, new.colormap.color_dict
    assert all(np.array_equal(colours[key], expected[key]) for key in expected)


def test_a_redressed_layer_can_be_painted_on(scan, labels):
    old = _made(layers.labels_layer(labels, scan, SPINAL_GM, "old"))
    redress(old, _made(layers.labels_layer(labels * 0, scan, SPINAL_GM, "new")))
    old.paint((1, 10, 10), 2)
    assert old.data[1, 10, 10] == 2
    old.undo()
    assert old.data[1, 10, 10] == 0
    assert labels[1, 10, 10] == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Image(np.zeros((3, 4, 4))), Labels(np.zeros((3, 4, 4), int))),
        (Image(np.zeros((3, 4, 4, 3)), rgb=True), Image(np.zeros((3, 4, 4)))),
        (Points(np.zeros((2, 3))), Points(np.zeros((2, 3)))),
        (
            Image([np.zeros((3, 8, 8)), np.zeros((3, 4, 4))], multiscale=True),
            Image(np.zeros((3, 4, 4))),
        ),
    ],
)
def test_what_cannot_be_redressed(old, new):
    assert not can_become(old, new)


def test_the_canvas_shows_what_it_would_show_of_a_new_layer(
    make_napari_viewer_proxy, scan, other, labels
):
    """Other values, another type, shape and place: napari's textures follow."""
    viewer = make_napari_viewer_proxy(show=True)
    wanted = np.zeros(other.array.shape, np.uint8)
    wanted[:, 3:12, 4:15] = 1

    def tuples(scan, labels, dtype):
        data, options, kind = layers.image_layer(scan)
        yield (
            (data / data.max() * 200).astype(dtype),
            options | {"contrast_limits": (0, 200)},
            kind,
        )
        yield layers.labels_layer(labels, scan, SPINAL_GM, "labels")

    def picture():
        viewer.reset_view()
        viewer.dims.set_point(0, float(viewer.layers[0].data_to_world((2, 0, 0))[0]))
        return viewer.screenshot(canvas_only=True, flash=False)

    for tuple_ in tuples(scan, labels, np.int16):
        viewer.add_layer(_made(tuple_))
    before = picture()
    for old, tuple_ in zip(viewer.layers, tuples(other, wanted, np.float32), strict=True):
        redress(old, _made(tuple_))
    redressed = picture()
    for tuple_ in tuples(other, wanted, np.float32):
        viewer.add_layer(_made(tuple_))
    viewer.layers[0].visible = viewer.layers[1].visible = False
    np.testing.assert_array_equal(redressed, picture())
    assert (redressed != before).any()
