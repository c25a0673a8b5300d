from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel

from dgseg.errors import DgsegError, ScanError
from dgseg.scans.schema import SPINAL_GM
from napari_dgseg import layers
from napari_dgseg._readers import get_reader, read_layers


@pytest.fixture
def write(tmp_path, rng):
    """A function that writes a NIfTI file, by default a small float image."""

    def write(name="scan.nii.gz", array=None, affine=None):
        if array is None:
            array = rng.normal(100, 20, (20, 18, 5)).astype(np.float32)
        affine = np.diag([0.5, 0.5, 3, 1]) if affine is None else affine
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        nib.save(nib.Nifti1Image(array, affine), path)
        return path

    return write


@pytest.fixture
def warned(monkeypatch):
    """What a person is warned of."""
    messages = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", messages.append)
    return messages


def test_what_looks_like_a_scan_gets_the_reader(write, dicom_folder, tmp_path):
    assert get_reader(str(write())) is read_layers
    assert get_reader(write("b.NII")) is read_layers
    assert get_reader([str(write("c.nii")), str(write("d.nii"))]) is read_layers
    assert get_reader(str(dicom_folder)) is read_layers
    assert get_reader(str(tmp_path)) is read_layers


def test_what_does_not_is_left_to_others(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"png")
    (tmp_path / "README").write_text("short")
    for path in (tmp_path, tmp_path / "photo.png", tmp_path / "absent", [], ["a.nii", "b.tif"]):
        assert get_reader(path if isinstance(path, list) else str(path)) is None


def test_a_scan_is_one_image_in_patient_orientation(write):
    affine = np.diag([-0.5, -0.7, 3.0, 1])
    ((data, kwargs, kind),) = read_layers(str(write(affine=affine)))
    assert kind == "image"
    assert data.shape == (5, 18, 20)
    assert kwargs["axis_labels"] == ("axial I-S", "coronal A-P", "sagittal R-L")
    np.testing.assert_allclose(kwargs["scale"], (3, 0.7, 0.5), rtol=1e-5)
    assert kwargs["name"] == "scan.nii.gz"


def test_each_volume_of_a_4d_file_is_a_layer(write, rng):
    path = write(array=rng.normal(0, 1, (20, 18, 5, 3)).astype(np.float32))
    assert len(read_layers(path)) == 3


def test_each_dicom_series_is_a_layer(dicom_folder):
    result = read_layers(str(dicom_folder))
    assert sorted(data.shape[0] for data, _, _ in result) == [4, 5]


def test_files_of_one_series_make_one_layer(dicom_folder):
    files = sorted(dicom_folder.glob("1-*"))
    assert len(read_layers([str(path) for path in files])) == 1


@pytest.mark.parametrize("name", ["cord_seg.nii.gz", "x_dseg.nii", "gt_mask.nii", "labels.nii"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_label_files_become_labels_layers(write, labels, name, dtype):
    path = write(name, array=labels.T.astype(dtype))
    ((data, kwargs, kind),) = read_layers(path)
    assert kind == "labels"
    assert data.dtype == np.uint8
    assert np.count_nonzero(data == 1) == np.count_nonzero(labels == 1)
    assert list(kwargs["features"]["name"]) == ["background", "label 1", "label 2"]


def test_a_table_beside_the_labels_names_them(write, labels):
    path = write("a_dseg.nii.gz", array=labels.T)
    table = "index\tname\tcolor\n0\tnothing\t#000000\n2\twhite matter\t#3d8bfd\n"
    path.with_name("a_dseg.tsv").write_text(table)
    ((_, kwargs, _),) = read_layers(path)
    assert list(kwargs["features"]["name"]) == ["background", "label 1", "white matter"]


def test_a_broken_table_is_a_warning(write, labels, warned):
    path = write("a_dseg.nii.gz", array=labels.T)
    path.with_name("a_dseg.tsv").write_text("number;name\n1;x\n")
    ((_, kwargs, kind),) = read_layers(path)
    assert "label names" in warned[0]
    assert kind == "labels"
    assert list(kwargs["features"]["name"])[1] == "label 1"


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("masked.nii", np.arange(1800, dtype=np.int16).reshape(20, 18, 5) % 7),
        ("probability_seg.nii", np.linspace(0, 1, 1800, dtype=np.float32).reshape(20, 18, 5)),
        ("8bit_mask.nii", np.arange(1800).reshape(20, 18, 5).astype(np.uint8)),
        ("ct_seg.nii", np.arange(1800, dtype=np.int16).reshape(20, 18, 5) - 900),
    ],
)
def test_images_with_such_names_stay_images(write, name, array):
    assert read_layers(write(name, array=array))[0][2] == "image"


def test_a_bad_file_is_a_clear_error(tmp_path):
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"not a scan")
    assert get_reader(str(bad)) is read_layers
    with pytest.raises(DgsegError, match=r"bad\.nii\.gz"):
        read_layers(str(bad))


def test_an_empty_folder_is_a_clear_error(tmp_path):
    with pytest.raises(ScanError, match="No scan"):
        read_layers(tmp_path)


def test_good_files_open_beside_a_bad_one(write, tmp_path, warned):
    write("good.nii.gz")
    (tmp_path / "bad.nii.gz").write_bytes(b"not a scan")
    assert len(read_layers(tmp_path)) == 1
    assert "bad.nii.gz" in warned[0]


def test_a_folder_of_many_scans_opens_the_first_twenty(write, tmp_path, warned):
    for i in range(22):
        write(f"scan-{i}.nii")
    assert len(read_layers(tmp_path)) == 20
    assert warned[0].startswith("2 further scans")


def test_napari_opens_scans_with_this_reader(write, labels, plugin):
    viewer = ViewerModel()
    viewer.open(str(write()), plugin="napari-dgseg")
    viewer.open(str(write("scan_seg.nii.gz", array=labels.T)), plugin="napari-dgseg")
    image, drawn = viewer.layers
    assert layers.scan_of(image).source.kind == "nifti"
    assert type(drawn).__name__ == "Labels"
    assert layers.schema_of(drawn) != SPINAL_GM


def test_dicom_folder_through_napari(dicom_folder, plugin):
    viewer = ViewerModel()
    viewer.open(str(dicom_folder), plugin="napari-dgseg")
    assert len(viewer.layers) == 2
