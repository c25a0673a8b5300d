"""What a job sees of a site."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from dgseg.errors import WorkspaceError, WorkspaceWriteError
from dgseg.site.domains import veiled
from dgseg.site.snapshot import read_snapshot, write_snapshot
from dgseg.site.workspace import Workspace


@pytest.fixture
def scans(site, make_scan):
    """A corrected scan, one only started, one untouched."""
    scans = [make_scan(seed) for seed in range(3)]
    for scan in scans:
        site.add(scan)
    for scan in scans[:2]:
        base = np.full(scan.array.shape, 2, np.uint8)
        site.corrections(scan.scan_id).start(base, site.accepted_info.bundle_id)
    corrections = site.corrections(scans[0].scan_id)
    corrections.record(1, np.ones(scans[0].array.shape[1:], np.uint8), "changed")
    corrections.record(3, corrections.slice_labels(3), "confirmed")
    return scans


def test_it_holds_every_scan_and_the_corrections(site, scans, tmp_path):
    folder = write_snapshot(site, tmp_path / "job" / "inputs")
    found = read_snapshot(folder)

    assert [one.scan_id for one in found] == [scan.scan_id for scan in scans]
    assert [one.source.path for one in found] == [scan.source.path for scan in scans]
    assert {one.domain for one in found} == {"Site A"}
    expected = np.full(scans[0].array.shape, 2, np.uint8)
    expected[1] = 1
    np.testing.assert_array_equal(found[0].labels, expected)
    assert found[0].annotated.tolist() == [False, True, False, True, False]
    assert found[1].labels is None
    assert found[2].annotated is None


@pytest.mark.parametrize(
    ("groups", "domains"),
    [
        (("aaaaaa",) * 3, ["Site A"] * 3),
        (("aaaaaa", "", ""), ["Site A"] * 3),
        (("bbbbbb", "aaaaaa", ""), ["Site A · {0}", "Site A · {1}", "Site A"]),
    ],
)
def test_each_scanner_of_several_is_a_domain(site, scans, tmp_path, groups, domains):
    for scan, group in zip(scans, groups, strict=True):
        site.add(replace(scan, group=group))

    found = read_snapshot(write_snapshot(site, tmp_path / "inputs"))

    veils = [veiled(group, site.secret) for group in groups]
    assert not set(groups) & set(filter(None, veils))
    domains = [name.format(*veils) for name in domains]
    assert [one.domain for one in found] == domains
    assert [one.domain_as(parted=True) for one in found] == domains
    assert {one.domain_as(parted=False) for one in found} == {"Site A"}
    assert found[0].annotated.sum() == 2


def test_one_of_an_older_version_knows_no_scanners(site, scans, tmp_path):
    file = write_snapshot(site, tmp_path / "inputs") / "scans.json"
    content = json.loads(file.read_text())
    for entry in content["scans"]:
        del entry["group"]
    file.write_text(json.dumps(content))

    assert {one.domain for one in read_snapshot(file.parent)} == {"Site A"}


def test_later_strokes_do_not_reach_it(site, scans, tmp_path):
    folder = write_snapshot(site, tmp_path / "inputs")
    corrections = site.corrections(scans[0].scan_id)
    corrections.withdraw(1)
    corrections.record(0, corrections.slice_labels(0), "confirmed")
    site.remove(scans[0].scan_id)
    site.close()

    assert read_snapshot(folder)[0].annotated.tolist() == [False, True, False, True, False]


def test_a_view_can_take_one_while_the_site_is_open(site, scans, tmp_path):
    site.flush()
    view = Workspace.read_only_view(site.path)

    found = read_snapshot(write_snapshot(view, tmp_path / "inputs"))

    assert found[0].annotated.sum() == 2


def test_file_names_know_no_patient(site, scans, tmp_path):
    folder = write_snapshot(site, tmp_path / "inputs")

    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(["scans.json", f"{scans[0].scan_id}.journal"])


@pytest.mark.parametrize("lost", ["scans.json", "journal"])
def test_an_unfinished_one_is_refused(site, scans, tmp_path, lost):
    folder = write_snapshot(site, tmp_path / "inputs")
    next(folder.glob(f"*{lost}")).unlink()

    with pytest.raises(WorkspaceError) as caught:
        read_snapshot(folder)
    assert "Start the job again" in caught.value.remedy


def test_a_newer_one_is_refused(site, scans, tmp_path):
    file = write_snapshot(site, tmp_path / "inputs") / "scans.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": 99}))

    with pytest.raises(WorkspaceError, match="newer"):
        read_snapshot(file.parent)


def test_a_full_disk_is_said(site, scans, tmp_path, monkeypatch):
    site.flush()

    def refuse(handle: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(WorkspaceWriteError, match="full"):
        write_snapshot(site, tmp_path / "inputs")
    monkeypatch.undo()

    with pytest.raises(WorkspaceError):
        read_snapshot(tmp_path / "inputs")
