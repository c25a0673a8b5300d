"""Finding scans in files and folders, whatever lies beside them."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from dgseg.errors import ScanError
from dgseg.scans.found import Found, natural_key, size_text
from dgseg.scans.geometry import Geometry
from dgseg.scans.memory import write_memory
from dgseg.scans.scan import ScanSource
from dgseg.scans.sources import discover, read


def titles(path) -> list[str]:
    return [item.source.title if item.source else "!" for item in discover(path)]


def test_found_is_good_or_bad(tmp_path):
    source = ScanSource(kind="nifti", path=tmp_path)
    with pytest.raises(ValueError, match="either"):
        Found(None, None, tmp_path)
    with pytest.raises(ValueError, match="either"):
        Found(source, ScanError("no"), tmp_path)


def test_a_folder_is_searched_in_natural_order(write_nifti, tmp_path):
    for name in ("b/scan-10.nii.gz", "b/scan-2.nii", "a.nii.gz", ".hidden.nii", ".x/c.nii"):
        write_nifti(name)
    write_nifti("derivatives/labels/scan-2.nii.gz")
    (tmp_path / "notes.txt").write_text("nothing")
    assert titles(tmp_path) == ["a.nii.gz", "scan-2.nii", "scan-10.nii.gz"]
    for item in discover(tmp_path):
        assert read(item.source).source == item.source


def test_labels_beside_their_scan_are_no_scans(write_nifti, tmp_path):
    for name in ("P1_ED.nii.gz", "P1_ED_seg.nii.gz", "lonely_seg.nii.gz"):
        write_nifti(name)
    assert titles(tmp_path) == ["lonely_seg.nii.gz", "P1_ED.nii.gz"]
    assert titles(tmp_path / "P1_ED_seg.nii.gz") == ["P1_ED_seg.nii.gz"]


def test_a_bids_data_set(write_nifti, tmp_path):
    for name in (
        "set/sub-01/anat/sub-01_T2w.nii.gz",
        "set/sub-01/ses-2/anat/sub-01_ses-2_T2w.nii.gz",
        "set/sub-01/anat/sub-01_T2w_dseg.nii.gz",
        "set/derivatives/labels/sub-01/anat/sub-01_T2w_seg.nii.gz",
        "set/code/other.nii.gz",
    ):
        write_nifti(name)
    text = json.dumps({"Name": "test", "BIDSVersion": "1.6.0"})
    (tmp_path / "set" / "dataset_description.json").write_text(text)
    expected = ["sub-01_T2w", "sub-01_ses-2_T2w"]
    assert sorted(titles(tmp_path / "set")) == sorted(expected)
    assert sorted(titles(tmp_path)) == sorted(expected)
    source = discover(tmp_path / "set")[0].source
    assert read(source).source.title == source.title


def test_bad_files_do_not_hide_good_ones(write_nifti, dicom, tmp_path):
    write_nifti("good.nii.gz")
    (tmp_path / "bad.nii.gz").write_text("not an image")
    dicom.save(dicom.series(4), "series")
    broken = dicom.series(4, SeriesNumber=8)
    del broken[1]
    dicom.save(broken, "broken")
    found = discover(tmp_path)
    assert sorted(item.source.title for item in found if item.source) == [
        "3 t2_tra",
        "good.nii.gz",
    ]
    assert {item.path.name for item in found if item.error} == {"bad.nii.gz", "broken"}
    assert all(item.error.remedy for item in found if item.error)


def test_files_of_each_kind(write_nifti, dicom, tmp_path):
    folder = dicom.save(dicom.series(4))
    assert titles(next(folder.iterdir())) == ["3 t2_tra"]
    (tmp_path / "a.txt").write_text("text")
    assert "neither" in discover(tmp_path / "a.txt")[0].error.problem
    assert "no such file" in discover(tmp_path / "gone")[0].error.problem
    assert "no such file" in discover(tmp_path / "gone.nii.gz")[0].error.problem
    (tmp_path / "empty").mkdir()
    assert "No scan was found" in discover(tmp_path / "empty")[0].error.problem


def test_a_file_that_may_not_be_read(write_nifti, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    path = write_nifti()
    monkeypatch.setattr(nib, "load", refuse)
    assert "may not be opened" in discover(path)[0].error.problem


def test_scans_kept_from_memory(write_nifti, tmp_path):
    scan = read(discover(write_nifti())[0].source)
    source = write_memory(tmp_path, scan)
    again = read(source)
    assert again.scan_id == scan.scan_id
    assert np.array_equal(again.array, scan.array)
    with pytest.raises(ScanError):
        read(ScanSource(kind="memory", path=tmp_path / "gone" / "scan.npy"))


def test_small_print():
    geometry = Geometry((256, 320, 22), np.diag([0.859375, 0.9, 5.0, 1.0]), 2)
    assert size_text(geometry) == "22 x 320 x 256, 0.9 x 0.86 x 5.0 mm"


def test_natural_order(tmp_path):
    names = ["a10", "a2", "A1", "b", "10", "9"]
    ordered = sorted((tmp_path / name for name in names), key=natural_key)
    assert [path.name for path in ordered] == ["9", "10", "A1", "a2", "a10", "b"]


def test_every_real_file_is_found(real_data):
    assert len(discover(real_data / "spinal-gm")) == 12
    assert all("run-" in title for title in titles(real_data / "spinal-gm"))
    cardiac = discover(real_data / "cardiac")
    assert len(cardiac) == 180
    assert not [item for item in cardiac if item.error]
    assert len(discover(real_data / "dicom" / "brain-two-series")) == 2
    assert not [item for item in discover(real_data / "dicom") if item.error]
