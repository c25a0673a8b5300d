"""Geometry: exact ways there and back, in agreement with nibabel."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.affines import apply_affine

from dgseg.errors import GeometryError
from dgseg.scans.geometry import Geometry

LOW_HIGH = {"R": ("L", "R"), "L": ("R", "L"), "A": ("P", "A"), "P": ("A", "P")}
LOW_HIGH |= {"S": ("I", "S"), "I": ("S", "I")}


@st.composite
def geometries(draw, oblique: float = 20.0) -> Geometry:
    """Any permutation and flip of the axes, any voxel size, tilted a little."""
    axes = draw(st.permutations(range(3)))
    matrix = np.zeros((3, 3))
    for axis, anatomy in enumerate(axes):
        size = draw(st.floats(0.2, 8.0))
        matrix[anatomy, axis] = size * draw(st.sampled_from((-1.0, 1.0)))
    angles = np.radians([draw(st.floats(-oblique, oblique)) for _ in range(3)])
    for (first, second), angle in zip(((0, 1), (0, 2), (1, 2)), angles, strict=True):
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = [draw(st.floats(-200, 200)) for _ in range(3)]
    shape = tuple(draw(st.integers(1, 7)) for _ in range(3))
    return Geometry(shape, affine, draw(st.integers(0, 2)))


def indices(shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)


@given(geometries())
def test_there_and_back_is_exact(geometry):
    array = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
    canonical = geometry.to_canonical(array)
    assert canonical.shape == geometry.canonical_shape
    assert np.array_equal(geometry.to_original(canonical), array)
    back = geometry.to_canonical(geometry.to_original(canonical))
    assert np.array_equal(back, canonical)


@given(geometries())
def test_every_voxel_keeps_its_place_in_the_patient(geometry):
    there = geometry.to_canonical(np.arange(np.prod(geometry.shape)).reshape(geometry.shape))
    world = apply_affine(geometry.affine, indices(geometry.shape)).reshape(-1, 3)
    canonical = apply_affine(geometry.canonical_affine, indices(geometry.canonical_shape))
    assert np.allclose(canonical.reshape(-1, 3), world[there.ravel()], atol=1e-6)


@given(geometries())
def test_agrees_with_nibabels_closest_canonical_up_to_the_order_of_axes(geometry):
    array = np.arange(np.prod(geometry.shape), dtype=np.int32).reshape(geometry.shape)
    closest = nib.as_closest_canonical(nib.Nifti1Image(array, geometry.affine))
    ours = nib.Nifti1Image(
        np.ascontiguousarray(geometry.to_canonical(array)), geometry.canonical_affine
    )
    again = nib.as_closest_canonical(ours)
    assert np.array_equal(np.asanyarray(again.dataobj), np.asanyarray(closest.dataobj))
    assert np.allclose(again.affine, closest.affine, atol=1e-4)


@given(geometries())
def test_end_letters_are_those_of_nibabel(geometry):
    codes = nib.aff2axcodes(geometry.canonical_affine)
    assert geometry.end_letters == tuple(LOW_HIGH[code] for code in codes)


@given(geometries())
def test_spacing_and_slice_axis(geometry):
    assert geometry.permutation[0] == geometry.slice_axis
    expected = nib.affines.voxel_sizes(geometry.canonical_affine)
    assert np.allclose(geometry.spacing, expected)


@pytest.mark.parametrize(
    ("slice_axis", "plane", "letters"),
    [
        (2, "axial", (("I", "S"), ("A", "P"), ("R", "L"))),
        (1, "coronal", (("A", "P"), ("S", "I"), ("R", "L"))),
        (0, "sagittal", (("R", "L"), ("S", "I"), ("A", "P"))),
    ],
)
def test_slices_are_shown_as_radiologists_expect(slice_axis, plane, letters):
    geometry = Geometry((5, 6, 7), np.eye(4), slice_axis)
    assert (geometry.plane, geometry.end_letters) == (plane, letters)
    assert geometry.obliquity_deg == pytest.approx(0)


@given(geometries(oblique=0.0))
def test_translation_lays_scans_of_one_study_over_each_other(geometry):
    """The same point of the patient has the same canonical coordinates in both scans."""
    moved = np.array(geometry.affine)
    moved[:3, 3] += [5.0, -7.0, 11.0]
    other = Geometry(geometry.shape, moved, geometry.slice_axis)
    shift = np.array(other.translate) - geometry.translate
    assert sorted(np.abs(shift)) == pytest.approx([5, 7, 11])


def test_guess_takes_the_thickest_then_the_shortest_axis():
    assert Geometry.guess((9, 9, 9), np.diag([1, 5, 1, 1])).slice_axis == 1
    assert Geometry.guess((4, 64, 64), np.eye(4)).slice_axis == 0
    assert Geometry.guess((64, 64, 60), np.eye(4)).plane == "axial"


def test_obliquity_is_the_angle_of_the_tilt():
    angle = np.radians(12)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert Geometry((3, 3, 3), affine, 2).obliquity_deg == pytest.approx(12)


@pytest.mark.parametrize(
    ("shape", "affine", "slice_axis"),
    [
        ((3, 3), np.eye(4), 0),
        ((3, 0, 3), np.eye(4), 0),
        ((3, 3, 3), np.zeros((4, 4)), 0),
        ((3, 3, 3), np.full((4, 4), np.nan), 0),
        ((3, 3, 3), np.eye(3), 0),
        ((3, 3, 3), np.eye(4), 3),
    ],
)
def test_undefined_positions_are_refused(shape, affine, slice_axis):
    with pytest.raises(GeometryError):
        Geometry(shape, affine, slice_axis)


def test_arrays_of_another_shape_are_refused():
    geometry = Geometry((2, 3, 4), np.eye(4), 2)
    with pytest.raises(GeometryError, match="original grid"):
        geometry.to_canonical(np.zeros((4, 3, 2)))
    with pytest.raises(GeometryError, match="canonical grid"):
        geometry.to_original(np.zeros((2, 3, 4)))


def test_same_grid_looks_at_shape_and_place():
    geometry = Geometry((2, 3, 4), np.eye(4), 2)
    shifted = np.eye(4)
    shifted[0, 3] = 0.5
    assert geometry.same_grid(Geometry((2, 3, 4), np.eye(4), 0))
    assert not geometry.same_grid(Geometry((2, 3, 4), shifted, 2))
    assert not geometry.same_grid(Geometry((2, 3, 5), np.eye(4), 2))


@settings(max_examples=20, deadline=None)
@given(geometries())
def test_label_files_lie_where_their_scan_does(geometry):
    from dgseg.scans.nifti import _label_image
    from dgseg.scans.scan import Scan, ScanSource

    rng = np.random.default_rng(0)
    array = rng.random(geometry.canonical_shape).astype(np.float32)
    scan = Scan(array, geometry, ScanSource(kind="memory", path="x"))
    labels = rng.integers(0, 3, geometry.canonical_shape).astype(np.uint8)
    image = _label_image(np.asarray(geometry.to_original(labels)), scan)
    loaded = nib.Nifti1Image.from_bytes(image.to_bytes())
    assert np.array_equal(np.asanyarray(loaded.dataobj), geometry.to_original(labels))
    assert np.allclose(loaded.affine, geometry.affine, rtol=1e-6, atol=1e-4)
    assert loaded.get_data_dtype() == np.uint8


def test_all_48_orientations_are_told_apart():
    seen = set()
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((-1, 1), repeat=3):
            affine = np.eye(4)
            affine[:3, :3] = np.eye(3)[:, axes] * signs
            geometry = Geometry((3, 4, 5), affine, 2)
            seen.add((geometry.permutation, geometry.flipped_axes, geometry.plane))
    assert len(seen) == 48
