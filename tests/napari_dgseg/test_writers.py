from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from dgseg.errors import LabelsError
from dgseg.scans.nifti import read_nifti
from dgseg.scans.schema import SPINAL_GM
from napari_dgseg import layers
from napari_dgseg._readers import read_layers
from napari_dgseg._writers import write_dicom_seg, write_nifti


@pytest.fixture
def oblique_file(tmp_path, rng):
    """A NIfTI file with turned, flipped and permuted axes."""
    turn = np.radians(20)
    rotation = np.eye(4)
    rotation[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    permuted = np.zeros((4, 4))
    permuted[2, 0], permuted[0, 1], permuted[1, 2], permuted[3, 3] = -0.5, 0.6, 3.0, 1
    array = rng.normal(100, 20, (20, 18, 5)).astype(np.float32)
    path = tmp_path / "oblique.nii.gz"
    nib.save(nib.Nifti1Image(array, rotation @ permuted), path)
    return path


def save(layer, path):
    data, meta, _ = layer.as_layer_data_tuple()
    return write_nifti(str(path), data, meta)


def test_labels_return_to_the_scans_own_grid(oblique_file, tmp_path):
    scan = read_nifti(oblique_file)
    labels = np.zeros(scan.array.shape, np.uint8)
    labels[scan.array > 120] = 2
    layer = Layer.create(*layers.labels_layer(labels, scan, SPINAL_GM, "a"))
    (written,) = save(layer, tmp_path / "out.nii.gz")
    before, after = nib.load(oblique_file), nib.load(written)
    np.testing.assert_array_equal(before.affine, after.affine)
    np.testing.assert_array_equal(np.asarray(after.dataobj) == 2, before.get_fdata() > 120)
    assert "white matter" in (tmp_path / "out.tsv").read_text()


def test_saved_labels_open_again_as_they_were(oblique_file, tmp_path):
    scan = read_nifti(oblique_file)
    labels = (scan.array > 110).astype(np.uint8)
    labels[scan.array > 130] = 2
    layer = Layer.create(*layers.labels_layer(labels, scan, SPINAL_GM, "a"))
    (written,) = save(layer, tmp_path / "a_dseg.nii.gz")
    ((data, kwargs, kind),) = read_layers(written)
    assert kind == "labels"
    np.testing.assert_array_equal(data, labels)
    np.testing.assert_allclose(kwargs["translate"], layer.translate, atol=1e-3)
    assert list(kwargs["features"]["name"])[1:] == list(SPINAL_GM.names)


@pytest.mark.parametrize("slice_axis", [0, 1, 2])
def test_a_new_layer_over_a_scan_lies_where_the_scan_lies(
    make_scan, slice_axis, tmp_path, recwarn
):
    """As napari makes one: with scale, translation and axis labels, but no metadata."""
    affine = np.diag([-0.5, 0.7, 3.0, 1.0])
    affine[:3, 3] = (5, -6, 7)
    scan = make_scan(affine=affine, slice_axis=slice_axis)
    _, kwargs, _ = layers.image_layer(scan)
    viewer = ViewerModel()
    placed = {k: kwargs[k] for k in ("scale", "translate", "units", "axis_labels")}
    labels = np.zeros(scan.array.shape, np.int32)
    labels[1, 2, 3] = 4
    (written,) = save(viewer.add_labels(labels, **placed), tmp_path / "a.nii.gz")
    image = nib.load(written)
    stored = np.argwhere(np.asarray(image.dataobj) == 4)[0]
    expected = scan.geometry.canonical_affine @ (1, 2, 3, 1)
    np.testing.assert_allclose(image.affine @ (*stored, 1), expected, atol=1e-4)


def test_a_layer_of_unknown_origin_is_taken_for_transverse(tmp_path):
    viewer = ViewerModel()
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[2, 1, 3] = 1
    layer = viewer.add_labels(labels, scale=(3, 0.5, 0.5))
    (written,) = save(layer, tmp_path / "a.nii")
    image = nib.load(written)
    stored = np.argwhere(np.asarray(image.dataobj) == 1)[0]
    np.testing.assert_allclose(image.affine @ (*stored, 1), (-1.5, -0.5, 6, 1), atol=1e-5)


def test_a_label_beyond_the_schema_is_saved_with_its_number(oblique_file, tmp_path):
    scan = read_nifti(oblique_file)
    labels = np.zeros(scan.array.shape, np.uint8)
    layer = Layer.create(*layers.labels_layer(labels, scan, SPINAL_GM, "a"))
    layer.data[0, 0, 0] = 4
    save(layer, tmp_path / "a.nii.gz")
    names = [line.split("\t")[1] for line in (tmp_path / "a.tsv").read_text().splitlines()]
    assert names[1:] == ["grey matter", "white matter", "label 3", "label 4"]


def test_what_cannot_be_saved_is_a_clear_error(scan, labels, tmp_path):
    layer = Layer.create(*layers.labels_layer(labels, scan, SPINAL_GM, "a"))
    layer.data = labels[:3]
    with pytest.raises(LabelsError, match=r"shape \(3, 36, 40\)"):
        save(layer, tmp_path / "a.nii.gz")
    layer = Layer.create(np.zeros((4, 4), np.uint8), {}, "labels")
    with pytest.raises(LabelsError, match="2 axes"):
        save(layer, tmp_path / "a.nii.gz")
    layer = Layer.create(np.full((2, 4, 4), 300), {}, "labels")
    with pytest.raises(LabelsError, match="0 to 255"):
        save(layer, tmp_path / "a.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_dicom_segmentations_need_a_dicom_scan(scan, labels, tmp_path):
    layer = Layer.create(*layers.labels_layer(labels, scan, SPINAL_GM, "a"))
    data, meta, _ = layer.as_layer_data_tuple()
    with pytest.raises(LabelsError, match="did not come from DICOM"):
        write_dicom_seg(str(tmp_path / "a.dcm"), data, meta)


def test_a_dicom_scan_gets_a_dicom_segmentation(dicom_folder, tmp_path):
    from dgseg.scans.dicom import read_segmentation

    _, kwargs, _ = read_layers(str(dicom_folder))[0]
    scan = layers.noted(kwargs["metadata"], "scan", object)
    labels = np.zeros(scan.array.shape, np.uint8)
    labels[1, 3:9, 2:7] = 1
    labels[2, 4:6, 4:6] = 2
    layer = Layer.create(*layers.labels_layer(labels, scan, SPINAL_GM, "a"))
    data, meta, _ = layer.as_layer_data_tuple()
    (written,) = write_dicom_seg(str(tmp_path / "a.dcm"), data, meta)
    np.testing.assert_array_equal(read_segmentation(written, scan), labels)


def test_napari_saves_labels_with_this_writer(plugin, viewer_model, corrections, tmp_path):
    for name in ("a.nii.gz", "b.nii"):
        written = corrections.save(str(tmp_path / name))
        assert written == [str(tmp_path / name)]
        assert (tmp_path / name).exists()
