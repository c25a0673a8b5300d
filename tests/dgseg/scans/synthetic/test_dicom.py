from __future__ import annotations

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from dgseg.scans.dicom import find_series, read_series
from dgseg.scans.geometry import Geometry
from dgseg.scans.synthetic.dicom import PATIENT_NAME, write_dicom_series
from dgseg.scans.synthetic.site import make_site


@pytest.fixture(scope="module")
def scan():
    return make_site("cord", "maple", 1, 6, n_slices=4, shape=(40, 36))[0].scan


def test_a_series_reads_back_with_the_same_voxels_and_geometry(tmp_path, scan):
    paths = write_dicom_series(tmp_path, scan, 4, "T1 oblique")
    volume = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in paths])
    ras = np.diag([-1, -1, 1, 1]) @ volume.affine
    geometry = Geometry(volume.array.shape, ras, 0)
    assert np.array_equal(geometry.to_canonical(volume.array), scan.array)
    assert np.allclose(geometry.canonical_affine, scan.geometry.canonical_affine, atol=1e-4)


def test_a_series_is_found_and_read_as_any_other(tmp_path, scan):
    write_dicom_series(tmp_path, scan, 4, "T1 oblique")
    write_dicom_series(tmp_path, scan, 5, "again")
    found = find_series(tmp_path)
    assert len(found) == 2
    assert found[0].source is not None
    read = read_series(found[0].source)
    assert np.array_equal(read.array, scan.array)
    assert np.allclose(
        read.geometry.canonical_affine, scan.geometry.canonical_affine, atol=1e-4
    )


def test_the_header_is_sound_and_obviously_synthetic(tmp_path, scan):
    paths = write_dicom_series(tmp_path, scan, 4, "T1 oblique")
    assert [path.name for path in paths] == [f"004-{i:03d}.dcm" for i in range(1, 5)]
    header = pydicom.dcmread(paths[0])
    assert header.PatientName == PATIENT_NAME
    assert header.SeriesDescription == "T1 oblique"
    assert header.Modality == "MR"
    assert UID(header.SOPInstanceUID).is_valid
    assert header.pixel_array.dtype == np.uint16


def test_series_of_one_study_share_it_and_differ_otherwise(tmp_path, scan):
    one = pydicom.dcmread(write_dicom_series(tmp_path, scan, 1, "a")[0])
    two = pydicom.dcmread(write_dicom_series(tmp_path, scan, 2, "b")[0])
    other = pydicom.dcmread(write_dicom_series(tmp_path / "x", scan, 1, "a", study="other")[0])
    assert one.StudyInstanceUID == two.StudyInstanceUID
    assert one.FrameOfReferenceUID == two.FrameOfReferenceUID
    assert one.SeriesInstanceUID != two.SeriesInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert other.StudyInstanceUID != one.StudyInstanceUID
