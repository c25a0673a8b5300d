"""DICOM: one scan a stack, every defect named, and nothing that names the patient."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from nibabel.affines import apply_affine
from pydicom.uid import JPEG2000Lossless, RLELossless, generate_uid

from dgseg.errors import GeometryError, ScanError
from dgseg.scans.dicom import find_series, find_series_of, read_series
from dgseg.scans.dicom_headers import is_dicom

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.98, 0.1, np.sqrt(1 - 0.98**2 - 0.01), -0.1, 0.995, 0.0)


def orthonormal(orientation) -> tuple[float, ...]:
    row, column = np.reshape(orientation, (2, 3))
    row = row / np.linalg.norm(row)
    column = column - row * (row @ column)
    return (*row, *(column / np.linalg.norm(column)))


def only(found):
    (item,) = found
    return item


def flat(parts) -> list:
    return [dataset for part in parts for dataset in part]


def errors(found) -> list[str]:
    return [str(item.error) for item in found if item.error]


@pytest.mark.parametrize(
    "orientation", [(1, 0, 0, 0, 1, 0), CORONAL, SAGITTAL, orthonormal(OBLIQUE)]
)
def test_every_voxel_lies_where_its_slice_says(dicom, orientation):
    series = dicom.series(n=5, orientation=orientation, origin=(-40.0, 25.0, 7.0))
    scan = read_series(only(find_series(dicom.save(series))).source)
    assert scan.array.dtype == np.uint16
    assert scan.n_slices == 5
    to_voxel = np.linalg.inv(scan.geometry.canonical_affine)
    for dataset in series:
        row_mm, column_mm = dataset.PixelSpacing
        along_row, along_column = np.reshape(dataset.ImageOrientationPatient, (2, 3))
        for row, column in ((0, 0), (7, 0), (0, 5), (4, 3)):
            lps = np.array(dataset.ImagePositionPatient, dtype=float)
            lps += along_row * column * column_mm + along_column * row * row_mm
            voxel = apply_affine(to_voxel, lps * (-1, -1, 1))
            assert np.allclose(voxel, np.round(voxel), atol=1e-4)
            index = tuple(np.round(voxel).astype(int))
            assert scan.array[index] == dataset.pixel_array[row, column]


def test_header_alone_tells_the_geometry_that_is_read(dicom):
    series = dicom.series(n=4, orientation=orthonormal(OBLIQUE))
    found = only(find_series(dicom.save(series)))
    scan = read_series(found.source)
    assert found.source.title == "3 t2_tra"
    assert found.source.detail == "4 x 8 x 6, 0.5 x 0.75 x 3.0 mm"
    assert scan.geometry.slice_axis == 0
    assert np.linalg.det(scan.geometry.affine[:3, :3]) > 0
    assert "Doe" not in repr(found) + scan.source.model_dump_json()
    assert "4711" not in repr(found) + scan.source.model_dump_json()


def test_series_echoes_and_planes_are_scans_of_their_own(dicom):
    uid = generate_uid()
    first = dicom.series(SeriesInstanceUID=uid, EchoTime=10.0, EchoNumbers=1)
    second = dicom.series(SeriesInstanceUID=uid, EchoTime=20.0, EchoNumbers=2, seed=1)
    other = dicom.series(
        seed=2, SeriesNumber=1, SeriesDescription="t1_cor", orientation=CORONAL
    )
    folder = dicom.save(first + second + other)
    found = find_series(folder)
    assert [item.source.title for item in found] == [
        "1 t1_cor",
        "3 t2_tra (TE 10 ms)",
        "3 t2_tra (TE 20 ms)",
    ]
    scans = [read_series(item.source) for item in found]
    assert scans[0].geometry.plane == "coronal"
    assert {int(scan.array.max()) for scan in scans[1:]} == {
        max(int(d.pixel_array.max()) for d in part) for part in (first, second)
    }


def test_a_localizer_of_three_planes(dicom):
    uid = generate_uid()
    planes = ((1, 0, 0, 0, 1, 0), CORONAL, SAGITTAL)
    datasets = flat(dicom.series(3, orientation=p, SeriesInstanceUID=uid) for p in planes)
    found = find_series(dicom.save(datasets))
    assert sorted(read_series(item.source).geometry.plane for item in found) == [
        "axial",
        "coronal",
        "sagittal",
    ]


@pytest.mark.parametrize(
    ("keyword", "values", "words"),
    [
        ("TemporalPositionIdentifier", (1, 2), "time point 2"),
        ("AcquisitionNumber", (1, 2, 3), "acquisition 3"),
        ("DiffusionBValue", (0.0, 800.0), "b-value 800"),
        ("TriggerTime", (0.0, 40.0), "trigger time 40"),
    ],
)
def test_volumes_at_the_same_place_are_told_apart(dicom, keyword, values, words):
    uid = generate_uid()
    parts = [
        dicom.series(4, SeriesInstanceUID=uid, seed=i, **{keyword: value})
        for i, value in enumerate(values)
    ]
    found = find_series(dicom.save(flat(parts)))
    assert len(found) == len(values)
    assert any(words in item.source.title for item in found)
    assert all(read_series(item.source).n_slices == 4 for item in found)


def test_magnitude_and_phase_are_told_apart(dicom):
    uid = generate_uid()
    kinds = (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"])
    parts = [dicom.series(SeriesInstanceUID=uid, ImageType=k, seed=len(k[2])) for k in kinds]
    titles = [item.source.title for item in find_series(dicom.save(flat(parts)))]
    assert titles == ["3 t2_tra (M)", "3 t2_tra (P)"]


def test_unnamed_volumes_are_ranked_by_their_numbers(dicom):
    uid = generate_uid()
    parts = [dicom.series(3, SeriesInstanceUID=uid, seed=i) for i in range(2)]
    for number, dataset in enumerate(parts[0] + parts[1], 1):
        dataset.InstanceNumber = number
    found = find_series(dicom.save(parts[0] + parts[1]))
    for item, part in zip(found, parts, strict=True):
        scan = read_series(item.source)
        assert sorted(scan.array.ravel()) == sorted(
            np.concatenate([d.pixel_array.ravel() for d in part])
        )


def test_too_many_volumes_are_a_time_series(dicom):
    uid = generate_uid()
    parts = [
        dicom.series(2, (2, 2), SeriesInstanceUID=uid, TemporalPositionIdentifier=i + 1)
        for i in range(41)
    ]
    assert "41 volumes" in only(errors(find_series(dicom.save(flat(parts)))))


def test_a_missing_slice_is_named(dicom):
    series = dicom.series(6)
    del series[2]
    found = only(find_series(dicom.save(series)))
    assert isinstance(found.error, GeometryError)
    assert "1 slice is missing" in found.error.problem
    assert "6.00 mm apart, the others 3.00 mm" in found.error.problem
    assert {"2", "4"} <= set(found.error.problem.replace(")", " ").split())


def test_unequal_spacing_is_named(dicom):
    series = dicom.series(6)
    series[5].ImagePositionPatient = [0.0, 0.0, 15.4]
    assert "not equally spaced" in only(errors(find_series(dicom.save(series))))


def test_a_doubled_slice_is_named(dicom):
    series = dicom.series(5)
    again = dicom.series(5, SeriesInstanceUID=series[0].SeriesInstanceUID)[2]
    again.InstanceNumber = 9
    message = only(errors(find_series(dicom.save([*series, again]))))
    assert "same place (instance numbers" in message
    assert "9" in message


def test_a_file_copied_twice_is_named(dicom):
    series = dicom.series(5)
    assert "same place" in only(errors(find_series(dicom.save([*series, series[1]]))))


def test_a_stray_slice_is_set_apart(dicom):
    series = dicom.series(5)
    uid = series[0].SeriesInstanceUID
    stray = dicom.series(1, orientation=SAGITTAL, SeriesInstanceUID=uid)[0]
    stray.InstanceNumber = 77
    found = find_series(dicom.save([*series, stray]))
    assert "instance number 77" in only(errors(found))
    good = only([item for item in found if item.source])
    assert good.source.detail.endswith("1 image of the series set apart")
    assert read_series(good.source).n_slices == 5


def test_a_turned_slice_inside_leaves_a_gap(dicom):
    series = dicom.series(6)
    series[3].ImageOrientationPatient = list(SAGITTAL)
    messages = " ".join(errors(find_series(dicom.save(series))))
    assert "another plane" in messages
    assert "1 slice is missing" in messages


def test_a_tilted_gantry_is_named(dicom):
    series = dicom.series(5)
    for index, dataset in enumerate(series):
        dataset.ImagePositionPatient = [0.0, 0.8 * index, 3.0 * index]
    assert "tilted gantry" in only(errors(find_series(dicom.save(series))))


def test_a_missing_end_is_told_by_the_counts(dicom):
    series = dicom.series(6, ImagesInAcquisition=6)[:-1]
    detail = only(find_series(dicom.save(series))).source.detail
    assert detail.endswith("the header tells of 6 images, 5 are here")
    later = dicom.series(6)[1:]
    detail = only(find_series(dicom.save(later, "later"))).source.detail
    assert "the first image may be missing" in detail


def test_a_series_in_several_folders_is_one_and_copies_are_two(dicom, tmp_path):
    series = dicom.series(6)
    dicom.save(series[:3], "study/a")
    dicom.save(series[3:], "study/b")
    found = only(find_series(tmp_path / "study"))
    assert found.path == tmp_path / "study"
    assert read_series(found.source).n_slices == 6
    dicom.save(series, "copies/one")
    dicom.save(series, "copies/two")
    copies = find_series(tmp_path / "copies")
    assert [item.path.name for item in copies] == ["one", "two"]
    assert len({read_series(item.source).scan_id for item in copies}) == 1


def test_file_order_and_names_do_not_matter(dicom):
    series = dicom.series(7, orientation=orthonormal(OBLIQUE))
    scans = [
        read_series(only(find_series(dicom.save(part, name))).source)
        for part, name in ((series, "a"), (series[::-1], "b"))
    ]
    assert scans[0].scan_id == scans[1].scan_id


def test_one_file_opens_its_series(dicom):
    folder = dicom.save(dicom.series(4) + dicom.series(3, SeriesNumber=9))
    path = next(p for p in folder.iterdir() if pydicom.dcmread(p).SeriesNumber == 9)
    assert only(find_series_of(path)).source.title == "9 t2_tra"


def test_objects_without_a_scan_are_passed_over(dicom):
    series = dicom.series(4)
    report = dicom.series(1)[0]
    report.Modality = "SR"
    del report.Rows, report.Columns, report.PixelData
    mask = dicom.series(1, Modality="SEG")[0]
    folder = dicom.save([*series, report, mask])
    (folder / "readme.txt").write_text("nothing")
    (folder / ".hidden").write_bytes(b"\0" * 128 + b"DICM")
    assert only(find_series(folder)).source is not None
    alone = dicom.save([report], "alone")
    assert "holds no image" in only(errors(find_series_of(next(alone.iterdir()))))


def test_screen_captures_and_colours_have_errors(dicom):
    capture = dicom.series(1)[0]
    del capture.ImagePositionPatient
    assert "screen captures" in only(errors(find_series(dicom.save([capture], "a"))))
    colour = dicom.series(1, SamplesPerPixel=3)
    assert "colour" in only(errors(find_series(dicom.save(colour, "b"))))


def test_rescaled_values_and_inverted_display(dicom):
    series = dicom.series(3, RescaleSlope=0.5, RescaleIntercept=-10)
    scan = read_series(only(find_series(dicom.save(series))).source)
    assert scan.array.dtype == np.float32
    assert scan.array.min() == min(d.pixel_array.min() for d in series) * 0.5 - 10
    inverted = dicom.series(3, PhotometricInterpretation="MONOCHROME1")
    scan = read_series(only(find_series(dicom.save(inverted, "inverted"))).source)
    assert scan.array.max() == max(d.pixel_array.max() for d in inverted)


def test_each_slice_has_its_own_slope(dicom):
    series = dicom.series(3)
    for index, dataset in enumerate(series):
        dataset.RescaleSlope, dataset.RescaleIntercept = index + 1, 0
    scan = read_series(only(find_series(dicom.save(series))).source)
    expected = [d.pixel_array.astype(float) * (i + 1) for i, d in enumerate(series)]
    assert np.isclose(scan.array.sum(dtype=float), np.sum(expected))


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels(dicom, syntax):
    if syntax is JPEG2000Lossless:
        pytest.importorskip("openjpeg")
    plain = dicom.series(3, (32, 32))
    expected = read_series(only(find_series(dicom.save(plain, "plain"))).source)
    for dataset in plain:
        dataset.compress(syntax, generate_instance_uid=False)
    scan = read_series(only(find_series(dicom.save(plain, "packed"))).source)
    assert np.array_equal(scan.array, expected.array)


def test_without_a_plugin_the_way_out_is_named(dicom, monkeypatch):
    series = dicom.series(3, (32, 32))
    for dataset in series:
        dataset.compress(RLELossless, generate_instance_uid=False)
    folder = dicom.save(series)
    source = only(find_series(folder)).source
    from pydicom.pixels.decoders import base

    monkeypatch.setattr(base.Decoder, "is_available", property(lambda self: False))
    error = only(find_series(folder)).error
    assert "pip install napari-dgseg[pylibjpeg]" in error.remedy
    with pytest.raises(ScanError, match="RLE Lossless"):
        read_series(source)


def test_damaged_files(dicom):
    series = dicom.series(4)
    folder = dicom.save(series)
    source = only(find_series(folder)).source
    victim = sorted(folder.iterdir())[1]
    victim.write_bytes(victim.read_bytes()[:-20])
    with pytest.raises(ScanError, match="damaged or incomplete") as caught:
        read_series(source)
    assert caught.value.path == victim
    victim.write_bytes(victim.read_bytes()[:300])
    assert any("damaged" in text for text in errors(find_series(folder)))
    (folder / "fake.dcm").write_text("not a DICOM file at all")
    assert is_dicom(folder / "fake.dcm")
    assert any(str(folder / "fake.dcm") in text for text in errors(find_series(folder)))


def test_an_element_of_a_wrong_length_spoils_its_file_alone(dicom):
    folder = dicom.save(dicom.series(3, EchoTime="1.50"))
    victim = sorted(folder.iterdir())[1]
    begin = b"\x18\x00\x81\x00"
    # As if these four bytes were a number of eight, for which pydicom has an error of its own.
    victim.write_bytes(victim.read_bytes().replace(begin + b"DS", begin + b"FD"))
    found = [each.error for each in find_series(folder) if each.error is not None]
    assert [error.path for error in found] == [victim]
    assert "damaged or incomplete" in str(found[0])


def test_a_series_that_is_gone(dicom):
    folder = dicom.save(dicom.series(3))
    source = only(find_series(folder)).source
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(ScanError, match="no longer in its folder"):
        read_series(source)


def test_constant_series_and_single_slices(dicom):
    series = dicom.series(3)
    for dataset in series:
        dataset.PixelData = bytes(len(dataset.PixelData))
    with pytest.raises(ScanError, match="same value"):
        read_series(only(find_series(dicom.save(series))).source)
    alone = dicom.series(1, SpacingBetweenSlices=4.0)
    scan = read_series(only(find_series(dicom.save(alone, "alone"))).source)
    assert scan.geometry.spacing[0] == pytest.approx(4)


def test_enhanced_multi_frame_images(dicom):
    legacy = pytest.importorskip("highdicom.legacy")
    plain = dicom.series(5, orientation=orthonormal(OBLIQUE))
    for dataset in plain:
        dataset.PositionReferenceIndicator = ""
        dataset.Laterality = ""
    expected = read_series(only(find_series(dicom.save(plain, "plain"))).source)
    enhanced = legacy.LegacyConvertedEnhancedMRImage(
        plain, generate_uid(), 8, generate_uid(), 1
    )
    found = only(find_series(dicom.save([enhanced], "enhanced")))
    scan = read_series(found.source)
    assert scan.array.dtype == np.float32
    assert np.array_equal(scan.array, expected.array)
    assert np.allclose(scan.geometry.affine, expected.geometry.affine, atol=1e-4)
    assert found.source.path.is_file()


def test_real_series(real_data):
    counts, planes = {}, set()
    for name in ("brain-two-series", "prostate-t2", "head-gre"):
        found = find_series(real_data / "dicom" / name)
        assert not errors(found)
        counts[name] = len({item.source.series_uid for item in found})
        scans = [read_series(item.source) for item in found]
        planes |= {scan.geometry.plane for scan in scans}
        text = " ".join(repr(item) for item in found)
        assert "Dumbledore" not in text
    assert counts == {"brain-two-series": 2, "prostate-t2": 1, "head-gre": 1}
    assert planes == {"axial", "sagittal"}
