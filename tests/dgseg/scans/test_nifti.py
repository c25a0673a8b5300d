"""NIfTI: what is read, what is refused and why, and labels on the very same grid."""

from __future__ import annotations

import gzip
import struct

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.affines import apply_affine

from dgseg.errors import DgsegError, GeometryError, LabelsError, ScanError
from dgseg.scans.nifti import find_nifti, read_labels, read_nifti, read_on_grid, write_labels
from dgseg.scans.scan import Scan
from dgseg.scans.schema import CARDIAC, SPINAL_GM

OBLIQUE = np.array(
    [[-0.5, 0.02, 0.3, 40], [0.03, 0.6, -0.5, -70], [-0.01, 0.1, 2.9, 12], [0, 0, 0, 1]]
)


def only_error(path) -> DgsegError:
    (found,) = find_nifti(path)
    assert found.source is None
    assert found.path == path
    return found.error


def random_labels(scan: Scan, schema=SPINAL_GM, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, schema.n_classes, scan.array.shape).astype(np.uint8)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32])
def test_integers_stay_integers(write_nifti, name, dtype):
    array = np.arange(5 * 6 * 7).reshape(5, 6, 7).astype(dtype)
    path = write_nifti(name, array)
    scan = read_nifti(path)
    assert scan.array.dtype == np.dtype(dtype)
    assert np.array_equal(scan.geometry.to_original(scan.array), array)
    (found,) = find_nifti(path)
    assert found.source == scan.source
    assert found.source.detail.endswith("x 3.0 mm")


def test_scaled_integers_become_float32(tmp_path):
    raw = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    content = bytearray(nib.Nifti1Image(raw, np.eye(4)).to_bytes())
    struct.pack_into("<ff", content, 112, 0.5, -3)  # scl_slope, scl_inter
    path = tmp_path / "scaled.nii"
    path.write_bytes(bytes(content))
    assert nib.load(path).dataobj.slope == 0.5
    scan = read_nifti(path)
    assert scan.array.dtype == np.float32
    assert np.array_equal(scan.geometry.to_original(scan.array), raw * 0.5 - 3)


def test_big_endian_and_nifti2(write_nifti, tmp_path):
    array = np.arange(60, dtype=">i2").reshape(3, 4, 5)
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    image = nib.Nifti1Image(array, np.eye(4), header)
    nib.save(image, tmp_path / "big.nii")
    scan = read_nifti(tmp_path / "big.nii")
    assert scan.array.dtype.isnative
    assert np.array_equal(scan.geometry.to_original(scan.array), array)
    second = read_nifti(write_nifti("two.nii.gz", kind=nib.Nifti2Image))
    labels = random_labels(second)
    written = write_labels(tmp_path / "l.nii.gz", labels, second, SPINAL_GM)
    assert isinstance(nib.load(written), nib.Nifti2Image)


def test_four_dimensions_are_one_scan_a_volume(write_nifti):
    array = np.random.default_rng(0).random((6, 5, 4, 3)).astype(np.float32)
    path = write_nifti("cine.nii.gz", array)
    found = find_nifti(path)
    assert [item.source.frame for item in found] == [0, 1, 2]
    assert found[1].source.title == "cine.nii.gz, volume 2 of 3"
    for index, item in enumerate(found):
        scan = read_nifti(path, item.source.frame)
        assert np.array_equal(scan.geometry.to_original(scan.array), array[..., index])
    with pytest.raises(ScanError, match="3 volumes"):
        read_nifti(path)
    with pytest.raises(ScanError, match="no volume 4"):
        read_nifti(path, 3)


def test_axes_of_length_one_are_dropped(write_nifti):
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    for shape in ((3, 4, 5, 1), (3, 4, 5, 1, 1)):
        scan = read_nifti(write_nifti("s.nii.gz", array.reshape(shape)))
        assert np.array_equal(scan.geometry.to_original(scan.array), array)
    vector = np.stack([array, array + 1], axis=-1)[..., None, :]
    assert len(find_nifti(write_nifti("v.nii.gz", vector))) == 2
    scan = read_nifti(write_nifti("v.nii.gz", vector), 1)
    assert np.array_equal(scan.geometry.to_original(scan.array), array + 1)
    assert read_nifti(write_nifti("one.nii.gz", array[..., :1])).n_slices == 1


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((6, 5), "2-D"),
        ((4, 4, 4, 2, 3), "5-D"),
        ((3, 3, 2, 41), "41 volumes"),
    ],
)
def test_other_numbers_of_axes_are_refused(write_nifti, shape, words):
    path = write_nifti("n.nii.gz", np.zeros(shape, np.int16))
    assert words in str(only_error(path))
    with pytest.raises(ScanError, match=words):
        read_nifti(path)


def test_colour_and_complex_images_are_refused(write_nifti):
    colour = np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for array in (colour, np.ones((4, 4, 4), np.complex64)):
        path = write_nifti("c.nii.gz", array)
        assert "colour or complex" in str(only_error(path))
        with pytest.raises(ScanError, match="colour or complex"):
            read_nifti(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.98])
def test_truncated_files_are_noticed_without_reading_them(write_nifti, name, part):
    path = write_nifti(name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    assert isinstance(only_error(path), ScanError)
    with pytest.raises(ScanError) as caught:
        read_nifti(path)
    assert caught.value.path == path
    assert path.name not in caught.value.public_message


def test_a_text_file_is_no_nifti(tmp_path):
    for name in ("notes.nii.gz", "notes.nii"):
        path = tmp_path / name
        path.write_text("patient seen on Monday\n" * 40)
        assert "not a NIfTI image" in only_error(path).problem
        with pytest.raises(ScanError, match="not a NIfTI image"):
            read_nifti(path)


def test_a_flipped_byte_fails_the_checksum(write_nifti):
    path = write_nifti()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(ScanError, match="damaged"):
        read_nifti(path)


def test_several_gzip_members_are_one_file(write_nifti):
    path = write_nifti()
    content = gzip.decompress(path.read_bytes())
    before = read_nifti(path)
    path.write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:]))
    assert find_nifti(path)[0].source is not None
    assert read_nifti(path).scan_id == before.scan_id


def test_missing_and_forbidden_files(tmp_path):
    assert "no such file" in only_error(tmp_path / "gone.nii.gz").problem
    with pytest.raises(ScanError, match="no such file"):
        read_nifti(tmp_path / "gone.nii.gz")
    (tmp_path / "folder.nii").mkdir()
    assert "no such file" in only_error(tmp_path / "folder.nii").problem


def test_constant_and_not_finite_volumes(write_nifti):
    with pytest.raises(ScanError, match="same value"):
        read_nifti(write_nifti("c.nii.gz", np.full((4, 4, 4), 7, np.int16)))
    with pytest.raises(ScanError, match="100 % of the voxels"):
        read_nifti(write_nifti("n.nii.gz", np.full((4, 4, 4), np.nan, np.float32)))
    half = np.random.default_rng(0).random((4, 4, 4)).astype(np.float32)
    half[:2] = np.inf
    with pytest.raises(ScanError, match="50 % of the voxels"):
        read_nifti(write_nifti("h.nii.gz", half))


def test_some_voxels_that_are_not_finite_become_background(write_nifti):
    array = np.random.default_rng(0).random((4, 4, 4)).astype(np.float32)
    array[0, 0, 0], array[1, 1, 1], array[2, 2, 2] = np.nan, np.inf, -np.inf
    scan = read_nifti(write_nifti("n.nii.gz", array))
    original = scan.geometry.to_original(scan.array)
    assert original[0, 0, 0] == original[1, 1, 1] == array[np.isfinite(array)].min()
    assert scan.source.detail.endswith("3 voxels were not finite and count as background")


def test_undefined_positions(write_nifti, tmp_path):
    path = write_nifti()
    image = nib.load(path)
    image.header["sform_code"], image.header["srow_x"] = 1, 0
    image.header["vox_offset"] = 352
    content = image.header.binaryblock + b"\0" * 4
    content += np.asanyarray(image.dataobj).tobytes(order="F")
    (tmp_path / "flat.nii").write_bytes(content)
    assert isinstance(only_error(tmp_path / "flat.nii"), GeometryError)
    with pytest.raises(GeometryError, match="not invertible"):
        read_nifti(tmp_path / "flat.nii")
    image = nib.load(write_nifti())
    image.header["sform_code"] = image.header["qform_code"] = 0
    image.header["vox_offset"] = 352
    content = image.header.binaryblock + b"\0" * 4
    (tmp_path / "none.nii").write_bytes(
        content + np.asanyarray(image.dataobj).tobytes(order="F")
    )
    assert "does not tell where" in read_nifti(tmp_path / "none.nii").source.detail


def test_slice_axis_and_units_come_from_the_header(tmp_path):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4) * 1e-3)
    image.header.set_dim_info(slice=1)
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "m.nii.gz")
    geometry = read_nifti(tmp_path / "m.nii.gz").geometry
    assert geometry.slice_axis == 1
    assert geometry.spacing == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("affine", [OBLIQUE, np.diag([-2.0, -2.0, 5.0, 1.0])])
def test_labels_keep_the_header_of_their_scan_bit_by_bit(write_nifti, tmp_path, affine):
    path = write_nifti(affine=affine)
    image = nib.load(path)
    image.set_qform(affine, code=1, strip_shears=True)
    image.set_sform(affine, code=4)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"Doe^Jane"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Doe^Jane"))
    nib.save(image, path)
    scan = read_nifti(path)
    labels = random_labels(scan)
    written = write_labels(tmp_path / "out.nii.gz", labels, scan, SPINAL_GM)
    source, result = nib.load(path), nib.load(written)
    assert np.array_equal(source.affine, result.affine)
    for field in ("qform_code", "sform_code", "xyzt_units", "quatern_b", "srow_x", "pixdim"):
        assert np.array_equal(source.header[field], result.header[field]), field
    assert result.get_data_dtype() == np.uint8
    assert np.array_equal(np.asanyarray(result.dataobj), scan.geometry.to_original(labels))
    assert np.array_equal(read_labels(written, scan), labels)
    assert b"Doe" not in gzip.decompress(written.read_bytes())
    voxel = (3, 2, 1)
    place = apply_affine(source.affine, voxel)
    where = np.linalg.inv(scan.geometry.canonical_affine) @ [*place, 1]
    canonical = tuple(np.round(where[:3]).astype(int))
    assert labels[canonical] == np.asanyarray(result.dataobj)[voxel]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    axes=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from((-1, 1))] * 3),
    tilt=st.floats(-0.3, 0.3),
)
def test_labels_are_exact_in_every_orientation(write_nifti, tmp_path, axes, signs, tilt):
    turn = np.array(
        [[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ (np.eye(3)[:, axes] * signs) @ np.diag([0.7, 0.8, 3.0])
    scan = read_nifti(write_nifti("o.nii", affine=affine))
    labels = random_labels(scan)
    written = write_labels(tmp_path / "o_labels.nii", labels, scan, SPINAL_GM)
    image = nib.load(written)
    assert np.array_equal(np.asanyarray(image.dataobj), scan.geometry.to_original(labels))
    assert np.array_equal(image.affine, nib.load(tmp_path / "o.nii").affine)


def test_a_volume_of_a_series_takes_its_labels(write_nifti, tmp_path):
    path = write_nifti("cine.nii.gz", np.random.default_rng(0).random((6, 5, 4, 3)))
    scan = read_nifti(path, 2)
    labels = random_labels(scan)
    written = write_labels(tmp_path / "l.nii.gz", labels, scan, SPINAL_GM)
    assert nib.load(written).shape == (6, 5, 4)
    assert np.array_equal(read_labels(written, scan), labels)


def test_labels_outlive_the_file_of_their_scan(write_nifti, tmp_path):
    path = write_nifti(affine=np.diag([-1.0, 2.0, 4.0, 1.0]))
    scan = read_nifti(path)
    path.unlink()
    labels = random_labels(scan)
    written = write_labels(tmp_path / "l.nii.gz", labels, scan, SPINAL_GM)
    assert np.array_equal(nib.load(written).affine, scan.geometry.affine)
    assert np.array_equal(read_labels(written, scan), labels)


def test_the_table_of_names(write_nifti, tmp_path):
    scan = read_nifti(write_nifti())
    write_labels(tmp_path / "l.nii.gz", random_labels(scan, CARDIAC), scan, CARDIAC)
    lines = (tmp_path / "l.tsv").read_text().splitlines()
    assert lines[0] == "index\tname\tcolor\tabbreviation"
    assert lines[1] == "1\tleft ventricle\t#e5484d\tLV"
    assert len(lines) == 4


def test_labels_that_do_not_fit_are_refused(write_nifti, tmp_path):
    scan = read_nifti(write_nifti())
    good = random_labels(scan)
    with pytest.raises(LabelsError, match="shape"):
        write_labels(tmp_path / "l.nii.gz", good[1:], scan, SPINAL_GM)
    with pytest.raises(LabelsError, match="other than 0 to 2"):
        write_labels(tmp_path / "l.nii.gz", good + 1, scan, SPINAL_GM)
    with pytest.raises(LabelsError, match="ends with"):
        write_labels(tmp_path / "l.mha", good, scan, SPINAL_GM)
    with pytest.raises(LabelsError, match="could not be written"):
        write_labels(tmp_path / "nowhere" / "l.nii.gz", good, scan, SPINAL_GM)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scan.nii.gz"]


def test_labels_on_another_grid_are_refused(write_nifti):
    scan = read_nifti(write_nifti())
    shifted = np.diag([1.0, 1.0, 3.0, 1.0])
    shifted[0, 3] = 1
    other = write_nifti("moved.nii.gz", np.zeros((12, 10, 6), np.uint8), shifted)
    with pytest.raises(LabelsError, match="another grid"):
        read_labels(other, scan)
    fraction = write_nifti("soft.nii.gz", np.full((12, 10, 6), 0.5, np.float32))
    with pytest.raises(LabelsError, match="whole numbers"):
        read_labels(fraction, scan)
    assert (read_on_grid(fraction, scan) == 0.5).all()
    with pytest.raises(LabelsError, match="no such file"):
        read_labels(scan.source.path.with_name("gone.nii"), scan)


def test_every_real_scan_makes_the_round_trip(real_data, tmp_path):
    paths = sorted((real_data / "spinal-gm").glob("sub-*/anat/*.nii.gz"))
    paths += [
        sorted(folder.glob("*_E[DS].nii.gz"))[0] for folder in (real_data / "cardiac").iterdir()
    ]
    assert len(paths) == 16
    for path in paths:
        (found,) = find_nifti(path)
        scan = read_nifti(path)
        assert found.source == scan.source
        image = nib.load(path)
        assert np.array_equal(
            scan.geometry.to_original(scan.array), np.asanyarray(image.dataobj)
        )
        labels = np.zeros(scan.array.shape, np.uint8)
        labels[1:4, 20:60, 30:80] = random_labels(scan)[1:4, 20:60, 30:80]
        written = nib.load(write_labels(tmp_path / "l.nii.gz", labels, scan, SPINAL_GM))
        assert np.array_equal(written.affine, image.affine)
        codes = [str(image.header[f]) for f in ("qform_code", "sform_code", "xyzt_units")]
        again = [str(written.header[f]) for f in ("qform_code", "sform_code", "xyzt_units")]
        assert codes == again
        assert np.array_equal(np.asanyarray(written.dataobj), scan.geometry.to_original(labels))
