from __future__ import annotations

import numpy as np
import pytest

from napari_dgseg import layers
from napari_dgseg.orientation import OrientationLetters, edge_letters

AXIAL = {"top": "A", "bottom": "P", "left": "R", "right": "L"}


@pytest.fixture
def letters(viewer_model, scan):
    letters = OrientationLetters(viewer_model, scan.geometry)
    yield letters
    letters.close()


def shown_on(viewer):
    """The texts of the canvas, on any version."""
    if hasattr(viewer, "canvas"):
        texts = [o for o in viewer.canvas.overlays.values() if getattr(o, "text", "")]
        return sorted(o.text for o in texts if o.visible)
    overlay = viewer.text_overlay
    return sorted(c for c in overlay.text if c.isalpha()) if overlay.visible else []


@pytest.mark.parametrize(
    ("slice_axis", "expected"),
    [
        (2, AXIAL),
        (1, {"top": "S", "bottom": "I", "left": "R", "right": "L"}),
        (0, {"top": "S", "bottom": "I", "left": "A", "right": "P"}),
    ],
)
def test_slices_as_acquired_look_as_a_radiologist_expects(make_scan, slice_axis, expected):
    geometry = make_scan(slice_axis=slice_axis).geometry
    assert edge_letters(geometry, (1, 2)) == expected


def test_letters_name_the_side_of_the_patient_that_is_there(make_scan, rng):
    """Whatever the file's axes: towards an edge, millimetres grow towards its letter."""
    towards = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}
    for _ in range(20):
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[rng.permutation(3)] * rng.choice([-2.0, 1.0, 0.5], 3)
        scan = make_scan(shape=(9, 11, 7), affine=affine, slice_axis=int(rng.integers(3)))
        axes = [int(a) for a in rng.permutation(3)[:2]]
        letters = edge_letters(scan.geometry, (axes[0], axes[1]))
        for axis, (low, high) in zip(axes, [("top", "bottom"), ("left", "right")], strict=True):
            step = scan.geometry.canonical_affine[:3, axis]
            anatomy, sign = towards[letters[high]]
            assert np.sign(step[anatomy]) == sign
            anatomy, sign = towards[letters[low]]
            assert np.sign(-step[anatomy]) == sign


def test_letters_stand_on_the_canvas(viewer_model, letters):
    assert letters.letters == AXIAL
    assert shown_on(viewer_model) == ["A", "L", "P", "R"]


def test_rolled_and_transposed_axes(viewer_model, letters):
    viewer_model.dims.transpose()
    assert letters.letters == {"top": "R", "bottom": "L", "left": "A", "right": "P"}
    viewer_model.dims.transpose()
    viewer_model.dims.roll()
    assert letters.letters == {"top": "I", "bottom": "S", "left": "A", "right": "P"}
    assert shown_on(viewer_model) == ["A", "I", "P", "S"]


def test_a_flipped_camera_flips_the_letters(viewer_model, letters):
    getattr(viewer_model, "scene", viewer_model).camera.orientation2d = ("up", "left")
    assert letters.letters == {"top": "P", "bottom": "A", "left": "L", "right": "R"}


def test_a_fourth_axis_in_front(viewer_model, letters):
    viewer_model.add_image(np.zeros((2, 7, 36, 40)))
    assert letters.letters == AXIAL
    viewer_model.dims.order = (1, 2, 0, 3)
    assert letters.letters == {}


def test_nothing_in_3d_and_when_unwanted(viewer_model, letters):
    viewer_model.dims.ndisplay = 3
    assert letters.letters == {}
    assert shown_on(viewer_model) == []
    viewer_model.dims.ndisplay = 2
    assert len(shown_on(viewer_model)) == 4
    letters.visible = False
    assert shown_on(viewer_model) == []


def test_another_scan(viewer_model, letters, make_scan):
    letters.geometry = make_scan(slice_axis=0).geometry
    assert letters.letters["top"] == "S"
    letters.geometry = None
    assert shown_on(viewer_model) == []


def test_sliders_are_named_by_plane(viewer_model, letters):
    assert viewer_model.dims.axis_labels == ("axial I-S", "coronal A-P", "sagittal R-L")


def test_closing_leaves_the_viewer_as_it_was(viewer_model, scan):
    overlay = (
        viewer_model.canvas.overlays.text
        if hasattr(viewer_model, "canvas")
        else (viewer_model.text_overlay)
    )
    overlay.text = "mine"
    letters = OrientationLetters(viewer_model, scan.geometry)
    letters.close()
    assert overlay.text == "mine"
    assert not overlay.visible
    viewer_model.dims.roll()
    assert shown_on(viewer_model) == []


def test_letters_in_a_real_viewer_through_the_proxy(make_napari_viewer_proxy, scan):
    viewer = make_napari_viewer_proxy()
    data, kwargs, _ = layers.image_layer(scan)
    viewer.add_image(data, **kwargs)
    letters = OrientationLetters(viewer, scan.geometry)
    viewer.dims.roll()
    assert shown_on(viewer) == ["A", "I", "P", "S"]
    viewer.screenshot(canvas_only=True, flash=False)
    letters.close()
    assert shown_on(viewer) == []
