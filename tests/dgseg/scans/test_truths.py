"""True labels put aside: they come back as they were, and name nobody."""

from __future__ import annotations

import io

import numpy as np
import pytest

from dgseg.errors import LabelsError
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.truths import has_truth, read_truth, write_truths


def make_truth(rng, *, labelled: bool = True) -> AnnotatedScan:
    geometry = Geometry((3, 4, 5), np.eye(4), 2)
    array = rng.normal(size=geometry.canonical_shape).astype(np.float32)
    source = ScanSource(kind="nifti", path="Mustermann_Erika/Mustermann.nii", title="Erika")
    scan = Scan(array, geometry, source)
    labels = rng.integers(0, 3, array.shape, dtype=np.uint8) if labelled else None
    marks = np.array([False, True, True, False, True]) if labelled else None
    return AnnotatedScan(scan, labels, marks, "Mustermann-Klinik", subject="Mustermann")


@pytest.fixture
def truth(rng) -> AnnotatedScan:
    return make_truth(rng)


@pytest.fixture
def folder(tmp_path, truth):
    folder = tmp_path / "demo" / "truth"
    write_truths(folder, {truth.scan.scan_id: truth})
    return folder


def test_they_come_back_as_they_were(folder, truth):
    found = read_truth(folder, truth.scan, "here")

    np.testing.assert_array_equal(found.labels, truth.labels)
    np.testing.assert_array_equal(found.annotated, truth.annotated)
    assert found.labels.dtype == np.uint8
    assert found.scan is truth.scan
    assert found.domain == "here"


def test_written_again_they_are_replaced(folder, truth):
    again = AnnotatedScan(truth.scan, 2 - truth.labels, None, "a")
    write_truths(folder, {truth.scan.scan_id: again})

    found = read_truth(folder, truth.scan, "a")
    np.testing.assert_array_equal(found.labels, again.labels)
    assert found.annotated.all()
    assert len(list(folder.iterdir())) == 1


def test_a_scan_without_labels_leaves_no_file(folder, rng):
    bare = make_truth(rng, labelled=False)
    write_truths(folder, {bare.scan.scan_id: bare})

    assert not has_truth(folder, bare.scan.scan_id)
    assert len(list(folder.iterdir())) == 1


def test_a_missing_file_is_said(folder, truth, rng, tmp_path):
    other = make_truth(rng).scan
    assert has_truth(folder, truth.scan.scan_id)
    assert not has_truth(folder, other.scan_id)
    for where, scan in ((folder, other), (tmp_path / "nowhere", truth.scan)):
        with pytest.raises(LabelsError, match="no true labels") as caught:
            read_truth(where, scan, "a")
        assert caught.value.path == where / f"{scan.scan_id}.npz"
        assert caught.value.remedy


def archive(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def array(values) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        array(np.zeros(3)),
        archive(labels=np.zeros((5, 3, 4), np.uint8)),
        archive(labels=np.array([{}], dtype=object), annotated=np.ones(5, bool)),
    ],
    ids=["empty", "foreign", "array", "part", "pickle"],
)
def test_a_damaged_file_is_said(folder, truth, content):
    (path,) = folder.iterdir()
    path.write_bytes(content)

    with pytest.raises(LabelsError, match="damaged") as caught:
        read_truth(folder, truth.scan, "a")
    assert caught.value.path == path
    assert str(folder) not in caught.value.public_message


def test_a_flipped_byte_is_noticed_or_does_not_matter(folder, truth):
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    n_noticed = 0
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 0xFF
        path.write_bytes(flipped)
        try:
            found = read_truth(folder, truth.scan, "a")
        except LabelsError:
            n_noticed += 1
        else:
            np.testing.assert_array_equal(found.labels, truth.labels)
            np.testing.assert_array_equal(found.annotated, truth.annotated)
    assert n_noticed > len(whole) / 2


def test_a_cut_off_file_is_noticed(folder, truth):
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    for n_bytes in range(len(whole)):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(LabelsError):
            read_truth(folder, truth.scan, "a")


def test_labels_of_another_grid_are_refused(folder, truth):
    other = AnnotatedScan(truth.scan, truth.labels, None, "a")
    small = Geometry((2, 4, 5), np.eye(4), 2)
    array = np.zeros(small.canonical_shape, np.float32)
    scan = Scan(array, small, truth.scan.source)
    write_truths(folder, {scan.scan_id: other})

    with pytest.raises(LabelsError, match="shape"):
        read_truth(folder, scan, "a")


def test_nobody_is_named(folder, truth):
    (path,) = folder.iterdir()
    assert path.name == f"{truth.scan.scan_id}.npz"
    with np.load(path, allow_pickle=False) as arrays:
        kept = {name: arrays[name].dtype for name in arrays.files}
    assert kept == {"labels": np.dtype(np.uint8), "annotated": np.dtype(bool)}
    for word in (b"Mustermann", b"Erika"):
        assert word not in path.read_bytes()


def test_a_disk_that_refuses_is_said(tmp_path, truth):
    in_the_way = tmp_path / "truth"
    in_the_way.write_bytes(b"")

    with pytest.raises(LabelsError, match="could not be written") as caught:
        write_truths(in_the_way, {truth.scan.scan_id: truth})
    assert caught.value.path == in_the_way
