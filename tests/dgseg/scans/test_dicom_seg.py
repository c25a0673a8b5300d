"""DICOM-SEG: every voxel back at its place, whatever the files' order and the plane."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from dgseg.errors import LabelsError
from dgseg.scans.dicom import find_series, read_segmentation, read_series, write_segmentation
from dgseg.scans.export import export_labels
from dgseg.scans.nifti import read_labels, read_nifti
from dgseg.scans.scan import Scan
from dgseg.scans.schema import CARDIAC, SPINAL_GM, Label, LabelSchema

PLANES = {
    "axial": (1, 0, 0, 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "flipped": (-1, 0, 0, 0, 1, 0),
    "oblique": (0.96, 0.28, 0, -0.28 * 0.8, 0.96 * 0.8, 0.6),
}


def scan_of(dicom, orientation=PLANES["axial"], folder="dicom", **elements) -> Scan:
    series = dicom.series(6, (10, 8), orientation, (-11.0, 4.0, 30.0), **elements)
    return read_series(find_series(dicom.save(series, folder))[0].source)


def random_labels(scan: Scan, schema: LabelSchema) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.integers(0, schema.n_classes, scan.array.shape).astype(np.uint8)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("schema", [SPINAL_GM, CARDIAC], ids=lambda schema: schema.name)
def test_round_trip_in_every_plane(dicom, tmp_path, plane, schema):
    scan = scan_of(dicom, PLANES[plane])
    labels = random_labels(scan, schema)
    path = write_segmentation(tmp_path / "s.dcm", labels, scan, schema, model_name="m")
    assert np.array_equal(read_segmentation(path, scan), labels)


def test_the_mask_lies_over_the_slice_it_was_drawn_on(dicom, tmp_path):
    """Compared frame by frame with the positions of the source images."""
    scan = scan_of(dicom, PLANES["oblique"])
    labels = np.zeros(scan.array.shape, np.uint8)
    labels[1, 2:5, 1:4] = 1
    path = write_segmentation(tmp_path / "s.dcm", labels, scan, SPINAL_GM, model_name="m")
    segmentation = pydicom.dcmread(path)
    assert segmentation.NumberOfFrames == 1
    (frame,) = segmentation.PerFrameFunctionalGroupsSequence
    position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
    reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
    original = scan.geometry.to_original(labels)
    drawn = int(np.flatnonzero(original.any(axis=(1, 2)))[0])
    expected = (scan.geometry.affine @ [drawn, 0, 0, 1])[:3] * (-1, -1, 1)
    assert np.allclose(position, expected, atol=1e-4)
    for file in scan.source.path.iterdir():
        source = pydicom.dcmread(file)
        if source.SOPInstanceUID == reference.ReferencedSOPInstanceUID:
            assert np.allclose(source.ImagePositionPatient, expected, atol=1e-4)
            assert np.array_equal(
                segmentation.pixel_array.astype(np.uint8), original[drawn].astype(np.uint8)
            )
            break
    else:
        pytest.fail("the segmentation refers to no image of the series")


@pytest.mark.parametrize("filled", [(), (0,), (5,), (0, 5), (1, 3)])
def test_slices_without_labels(dicom, tmp_path, filled):
    scan = scan_of(dicom, PLANES["coronal"])
    labels = np.zeros(scan.array.shape, np.uint8)
    labels[list(filled), 3:6, 2:4] = 2
    path = write_segmentation(tmp_path / "s.dcm", labels, scan, SPINAL_GM, model_name="m")
    assert np.array_equal(read_segmentation(path, scan), labels)


def test_a_single_slice(dicom, tmp_path):
    series = dicom.series(1, (10, 8), PLANES["oblique"], SpacingBetweenSlices=4.0)
    scan = read_series(find_series(dicom.save(series))[0].source)
    labels = random_labels(scan, SPINAL_GM)
    path = write_segmentation(tmp_path / "s.dcm", labels, scan, SPINAL_GM, model_name="m")
    assert np.array_equal(read_segmentation(path, scan), labels)


def test_names_colours_and_codes(dicom, tmp_path):
    scan = scan_of(dicom)
    other = LabelSchema(name="mine", labels=(Label(value=1, name="lesion", color="#ff0000"),))
    expected = {
        SPINAL_GM: ["12958003", "27088001"],
        CARDIAC: ["87878005", "49848007", "53085002"],
        other: ["85756007"],
    }
    for schema, values in expected.items():
        labels = random_labels(scan, schema)
        path = write_segmentation(
            tmp_path / "s.dcm", labels, scan, schema, model_name="cord", model_version="7"
        )
        dataset = pydicom.dcmread(path)
        segments = dataset.SegmentSequence
        assert [s.SegmentLabel for s in segments] == list(schema.names)
        types = [s.SegmentedPropertyTypeCodeSequence[0] for s in segments]
        assert [t.CodeValue for t in types] == values
        assert {t.CodingSchemeDesignator for t in types} == {"SCT"}
        assert all(len(s.RecommendedDisplayCIELabValue) == 3 for s in segments)
        algorithm = segments[0].SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("cord", "7")
        assert dataset.Modality == "SEG"
        assert dataset.SeriesNumber == 1003
        assert dataset.PatientID == "4711"


def test_headers_with_gaps_still_work(dicom, tmp_path):
    series = dicom.series(4)
    for dataset in series:
        del dataset.AccessionNumber, dataset.StudyID, dataset.PatientBirthDate
        del dataset.FrameOfReferenceUID
    scan = read_series(find_series(dicom.save(series))[0].source)
    labels = random_labels(scan, SPINAL_GM)
    path = write_segmentation(tmp_path / "s.dcm", labels, scan, SPINAL_GM, model_name="m")
    assert np.array_equal(read_segmentation(path, scan), labels)


def test_refusals(dicom, write_nifti, tmp_path):
    scan = scan_of(dicom)
    labels = random_labels(scan, SPINAL_GM)
    target = tmp_path / "s.dcm"
    with pytest.raises(LabelsError, match="other than 0 to 2"):
        write_segmentation(target, labels + 1, scan, SPINAL_GM, model_name="m")
    with pytest.raises(LabelsError, match="could not be written"):
        write_segmentation(tmp_path / "no" / "s.dcm", labels, scan, SPINAL_GM, model_name="m")
    nifti = read_nifti(write_nifti())
    with pytest.raises(LabelsError, match="another kind"):
        write_segmentation(
            target, random_labels(nifti, SPINAL_GM), nifti, SPINAL_GM, model_name="m"
        )
    path = write_segmentation(target, labels, scan, SPINAL_GM, model_name="m")
    elsewhere = scan_of(dicom, PLANES["sagittal"], "elsewhere")
    with pytest.raises(LabelsError, match="on the grid of the scan"):
        read_segmentation(path, elsewhere)
    with pytest.raises(LabelsError, match="on the grid of the scan"):
        read_segmentation(next(scan.source.path.iterdir()), scan)
    for file in scan.source.path.iterdir():
        file.unlink()
    with pytest.raises(LabelsError, match="no longer in its folder"):
        write_segmentation(target, labels, scan, SPINAL_GM, model_name="m")


def test_export_of_dicom_and_nifti(dicom, write_nifti, tmp_path):
    scan = scan_of(dicom, PLANES["oblique"])
    labels = random_labels(scan, SPINAL_GM)
    paths = export_labels(
        labels, scan, SPINAL_GM, tmp_path / "out", name="3 t2/tra: a", model_name="m"
    )
    assert [path.name for path in paths] == [
        "3-t2-tra-a_dseg.nii.gz",
        "3-t2-tra-a_dseg.tsv",
        "3-t2-tra-a_dseg.dcm",
    ]
    assert np.array_equal(read_labels(paths[0], scan), labels)
    assert np.array_equal(read_segmentation(paths[2], scan), labels)
    nifti = read_nifti(write_nifti())
    paths = export_labels(
        random_labels(nifti, CARDIAC), nifti, CARDIAC, tmp_path, name="..", model_name="m"
    )
    assert [path.name for path in paths] == [
        f"{nifti.scan_id}_dseg.nii.gz",
        f"{nifti.scan_id}_dseg.tsv",
    ]
    (tmp_path / "file").write_text("")
    with pytest.raises(LabelsError, match="folder could not be made"):
        export_labels(labels, scan, SPINAL_GM, tmp_path / "file", name="a", model_name="m")


def test_an_exported_segmentation_is_no_scan(dicom, tmp_path):
    scan = scan_of(dicom)
    export_labels(
        random_labels(scan, SPINAL_GM),
        scan,
        SPINAL_GM,
        scan.source.path,
        name="x",
        model_name="m",
    )
    found = find_series(scan.source.path)
    assert [item.source.series_uid for item in found] == [scan.source.series_uid]


def test_every_real_series(real_data, tmp_path):
    folders = sorted(p for p in (real_data / "dicom").iterdir() if p.is_dir())
    found = [find_series(folder) for folder in folders]
    scans = [read_series(item.source) for series in found for item in series[:2]]
    assert len(scans) == 5
    for scan in scans:
        labels = random_labels(scan, SPINAL_GM)
        paths = export_labels(
            labels, scan, SPINAL_GM, tmp_path, name=scan.scan_id, model_name="m"
        )
        assert np.array_equal(read_labels(paths[0], scan), labels)
        assert np.array_equal(read_segmentation(paths[2], scan), labels)


def test_uids_are_new_each_time(dicom, tmp_path):
    scan = scan_of(dicom, SeriesInstanceUID=generate_uid())
    labels = random_labels(scan, SPINAL_GM)
    uids = set()
    for name in ("a.dcm", "b.dcm"):
        path = write_segmentation(tmp_path / name, labels, scan, SPINAL_GM, model_name="m")
        uids.add(pydicom.dcmread(path).SOPInstanceUID)
    assert len(uids) == 2
