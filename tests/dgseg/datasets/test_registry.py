"""Data sets by name: from a local copy, a download, or made up."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import threading
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from dgseg.datasets import registry, spinal_gm, synthetic
from dgseg.datasets.download import download_files
from dgseg.datasets.registry import DATASETS, ROOT_VARIABLE, load
from dgseg.errors import DatasetError, LabelsError
from dgseg.files import sha256_of
from dgseg.scans.schema import CARDIAC, SPINAL_GM


@pytest.fixture(autouse=True)
def nothing_on_this_machine(monkeypatch, tmp_path):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    monkeypatch.setattr(
        registry.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache")
    )


def save(path: Path, array: np.ndarray, affine=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def make_spinal(root: Path, name: str = "sub-7Ses1") -> Path:
    """One made-up person: cord in slices 1 to 3, a stray grey voxel in slice 5."""
    folder = root / "spinal-gm"
    image = np.random.default_rng(0).integers(0, 99, (12, 12, 6)).astype(np.int16)
    for run in (1, 2):
        save(folder / name / "anat" / f"{name}_run-{run}_T2starw.nii.gz", image)
    cord, grey = np.zeros((12, 12, 6)), np.zeros((12, 12, 6))
    cord[3:9, 3:9, 1:4] = 1.0
    grey[5:7, 5:7, 1:4] = 0.8
    grey[4, 4, 1:4] = 0.4
    grey[0, 0, 5] = 1.0
    labels = folder / "derivatives" / "labels" / name / "anat"
    save(labels / f"{name}_run-1_T2starw_seg-manual.nii.gz", cord)
    save(labels / f"{name}_run-1_T2starw_gmseg-manual.nii.gz", grey)
    (folder / "participants.tsv").write_text(f"participant_id\tSite\n{name}\tHere\n")
    return folder


def test_what_is_known_of_each():
    assert tuple(DATASETS) == ("spinal-gm", "cardiac", "synthetic-cord", "synthetic-heart")
    assert DATASETS["spinal-gm"].licence == "CC0-1.0"
    assert len(DATASETS["spinal-gm"].sha256) == 24
    assert DATASETS["spinal-gm"].schema is SPINAL_GM
    assert DATASETS["cardiac"].schema is CARDIAC
    assert not DATASETS["cardiac"].spacing_known
    assert not DATASETS["cardiac"].url
    with pytest.raises(DatasetError, match="'nope'") as caught:
        load("nope")
    assert "cardiac" in caught.value.remedy


@pytest.mark.parametrize("name", ["spinal-gm", "cardiac"])
def test_absent_data_sets_name_both_ways_out(name, tmp_path):
    with pytest.raises(DatasetError, match="not on this machine") as caught:
        load(name, root=tmp_path)
    assert ROOT_VARIABLE in caught.value.remedy
    assert "download" in caught.value.remedy
    assert "root=" in caught.value.remedy
    with pytest.raises(DatasetError):
        load("cardiac", download=True)


def test_spinal_labels(tmp_path, monkeypatch):
    make_spinal(tmp_path)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    dataset = load("spinal-gm")
    assert dataset.domains == ("Here",)
    assert [entry.labelled for entry in dataset.entries] == [True, False]
    first, second = (entry.load() for entry in dataset.entries)
    assert first.subject == "7"
    assert first.annotated.tolist() == [False, True, True, True, False, False]
    assert np.bincount(first.labels.ravel()).tolist() == [12 * 12 * 6 - 108, 12, 96]
    assert second.labels is None
    assert not second.annotated.any()


def test_labels_on_another_grid_are_an_error(tmp_path):
    folder = make_spinal(tmp_path)
    mask = next(folder.glob("derivatives/labels/*/anat/*_seg-manual.nii.gz"))
    save(mask, np.zeros((12, 12, 6)), np.diag([2.0, 1.0, 1.0, 1.0]))
    with pytest.raises(LabelsError, match="another grid"):
        load("spinal-gm", root=tmp_path).entries[0].load()


def test_damaged_copies(tmp_path):
    folder = make_spinal(tmp_path)
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-7Ses1\t30\n")
    with pytest.raises(DatasetError, match="table of participants"):
        load("spinal-gm", root=tmp_path)
    (folder / "participants.tsv").write_text("participant_id\tSite\nsub-1\tHere\n")
    with pytest.raises(DatasetError, match="None of the scans"):
        load("spinal-gm", root=tmp_path)
    (tmp_path / "cardiac").mkdir()
    with pytest.raises(DatasetError, match="None of the scans"):
        load("cardiac", root=tmp_path)


def test_cardiac_labels(tmp_path):
    labels = np.zeros((8, 8, 5), np.uint8)
    labels[2:4, 2:4, 1], labels[2:4, 2:4, 3] = 1, 3
    image = np.random.default_rng(0).integers(0, 99, labels.shape).astype(np.int16)
    save(tmp_path / "cardiac" / "here" / "P1_ED.nii.gz", image)
    save(tmp_path / "cardiac" / "here" / "P1_ED_seg.nii.gz", labels)
    save(tmp_path / "cardiac" / "there" / "P2_ES.nii.gz", image)
    dataset = load("cardiac", root=tmp_path)
    assert dataset.domains == ("here", "there")
    first, second = (entry.load() for entry in dataset.entries)
    assert (first.subject, first.domain) == ("P1", "here")
    assert first.annotated.sum() == 3
    assert second.labels is None
    save(tmp_path / "cardiac" / "here" / "P1_ED_seg.nii.gz", labels * 2)
    with pytest.raises(LabelsError, match="other than 0 to 3"):
        dataset.entries[0].load()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that does not talk."""

    def log_message(self, *args) -> None:
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server on this machine with two files, and a data set made of them."""
    monkeypatch.setenv("NO_PROXY", "*")
    folder = tmp_path / "server"
    files = {"a/one.bin": b"one", "two.bin": b"two" * 999}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    handler = partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield dataclasses.replace(
        DATASETS["spinal-gm"],
        url=f"http://127.0.0.1:{server.server_port}/",
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    )
    server.shutdown()
    server.server_close()
    thread.join()


def test_downloads_are_compared_with_their_digests(mirror, tmp_path):
    target = tmp_path / "target"
    download_files(mirror, target)
    assert {name: sha256_of(target / name) for name in mirror.sha256} == dict(mirror.sha256)
    (tmp_path / "server" / "two.bin").write_bytes(b"changed")
    download_files(mirror, target)  # what is there and right is not fetched again
    (target / "two.bin").unlink()
    with pytest.raises(DatasetError, match="not the one") as caught:
        download_files(mirror, target)
    assert caught.value.path == target / "two.bin"
    assert not (target / "two.bin").exists()
    assert (target / "a" / "one.bin").exists()


def test_no_server_is_an_error_with_a_way_out(mirror, tmp_path):
    gone = dataclasses.replace(mirror, url="http://127.0.0.1:9/")
    with pytest.raises(DatasetError, match="could not be downloaded"):
        download_files(gone, tmp_path / "target")


def test_a_download_is_found_again(mirror, tmp_path, monkeypatch):
    """A whole copy served from this machine: fetched once, then read from the cache."""
    folder = make_spinal(tmp_path / "made", "sub-9418")
    served = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.nii.gz")
    }
    for name, content in served.items():
        path = tmp_path / "server" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in served.items()}
    info = dataclasses.replace(mirror, sha256=digests)
    monkeypatch.setattr(registry, "DATASETS", {"spinal-gm": info})
    assert len(load("spinal-gm", download=True).entries) == 2
    assert load("spinal-gm").domains == ("UCL",)
    assert (tmp_path / "cache" / "datasets" / "spinal-gm" / "participants.tsv").is_file()


@pytest.mark.parametrize("name", ["synthetic-cord", "synthetic-heart"])
def test_made_up_centres(name, monkeypatch):
    monkeypatch.setattr(synthetic, "SCANS_PER_SITE", 1)
    synthetic._site.cache_clear()
    dataset = load(name)
    assert len(dataset.domains) == len(dataset.entries) >= 3
    entry = dataset.entries[0]
    scan = entry.load()
    assert (scan.domain, scan.subject) == (entry.domain, entry.subject)
    assert dataset.schema.accepts(scan.labels)
    assert scan.annotated.any()
    synthetic._site.cache_clear()


def test_the_real_spinal_cords(real_data):
    dataset = load("spinal-gm", root=real_data)
    assert sorted(dataset.domains) == ["CEITEC", "Juntendo", "NWU", "Philips", "UCL"]
    assert sum(entry.labelled for entry in dataset.entries) == 6
    assert len(dataset.entries) == 12
    by_title = {entry.source.title: entry for entry in dataset.entries}
    assert {e.subject for e in dataset.entries if e.domain == "CEITEC"} == {"10062"}
    philips = by_title["sub-9604_run-1_T2starw.nii.gz"].load()
    assert philips.annotated.tolist() == [True] * 14 + [False] * 6
    assert not philips.labels[14:].any()
    for entry in dataset.entries:
        if entry.labelled:
            scan = entry.load()
            counts = np.bincount(scan.labels.ravel(), minlength=3)
            assert counts[2] > counts[1] > 300
            assert all(
                scan.labels[scan.annotated].reshape(scan.annotated.sum(), -1).max(1) == 2
            )


def test_known_digests_are_those_of_the_local_copy(real_data):
    for name, digest in spinal_gm.INFO.sha256.items():
        assert sha256_of(real_data / "spinal-gm" / name) == digest


def test_the_real_hearts(real_data):
    dataset = load("cardiac", root=real_data)
    assert len(dataset.entries) == 180
    assert len({(e.domain, e.subject) for e in dataset.entries}) == 90
    counts = {
        domain: len({e.subject for e in dataset.entries if e.domain == domain})
        for domain in dataset.domains
    }
    assert counts == {
        "acdc": 28,
        "mnms-philips-c2": 24,
        "mnms-philips-c3": 14,
        "mnms-siemens-c1": 24,
    }
    for entry in dataset.entries[::9]:
        scan = entry.load()
        assert CARDIAC.accepts(scan.labels)
        assert scan.annotated.sum() >= 3


def test_hearts_whose_headers_were_reset_stand_the_same_way_up(tmp_path):
    rng = np.random.default_rng(3)
    image = rng.integers(0, 900, (32, 30, 6)).astype(np.int16)
    labels = rng.integers(0, 4, image.shape).astype(np.uint8)
    for name, signs in (("plus", 1), ("minus", -1)):
        affine = np.diag([signs, signs, 1, 1]).astype(float)
        folder = tmp_path / "cardiac" / name
        folder.mkdir(parents=True)
        nib.save(nib.Nifti1Image(image, affine), folder / "P1_ED.nii.gz")
        nib.save(nib.Nifti1Image(labels, affine), folder / "P1_ED_seg.nii.gz")
    one, two = (entry.load() for entry in load("cardiac", root=tmp_path).entries)
    np.testing.assert_array_equal(one.scan.array, two.scan.array)
    np.testing.assert_array_equal(one.labels, two.labels)
    # The first voxel is to the right and in front: above, and to the left of the picture.
    np.testing.assert_array_equal(one.scan.array, image.transpose(2, 1, 0))
    np.testing.assert_array_equal(one.labels, labels.transpose(2, 1, 0))
