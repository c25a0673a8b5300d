"""Opening a site: the lock, new and damaged sites, folders that are something else."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys

import pytest

from dgseg.bundles.bundle import default_bundle, read_info
from dgseg.errors import (
    BundleError,
    WorkspaceError,
    WorkspaceLockedError,
    WorkspaceWriteError,
)
from dgseg.scans.schema import CARDIAC, SPINAL_GM
from dgseg.site.workspace import Workspace

_HOLD = """
import sys
from dgseg.site.workspace import Workspace
site = Workspace.open(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


class TestNewSites:
    def test_it_has_its_layout(self, site, tmp_path):
        assert site.path == tmp_path / "site"
        assert site.name == "Site A"
        assert site.schema == SPINAL_GM
        assert site.records == []
        assert site.accepted.parent == site.path / "bundles"
        assert [entry.action for entry in site.history] == ["initial"]
        content = json.loads((site.path / "site.json").read_text())
        assert content["schema_version"] == 1
        assert content["accepted"] == site.accepted_info.bundle_id

    def test_it_is_called_like_its_folder(self, tmp_path, make_bundle):
        with Workspace.open(tmp_path / "ward 7", bundle=make_bundle()) as site:
            assert site.name == "ward 7"

    def test_it_keeps_its_own_copy_of_the_bundle(self, tmp_path, make_bundle):
        bundle = make_bundle()
        info = read_info(bundle)
        with Workspace.open(tmp_path / "site", bundle=bundle):
            pass
        for file in bundle.iterdir():
            file.unlink()

        with Workspace.open(tmp_path / "site") as site:
            assert site.accepted_info == info

    def test_without_a_bundle_it_takes_the_packaged_one(self, tmp_path):
        try:
            expected = read_info(default_bundle())
        except BundleError:
            with pytest.raises(BundleError, match="without its model"):
                Workspace.open(tmp_path / "site")
            return
        with Workspace.open(tmp_path / "site") as site:
            assert site.accepted_info == expected

    def test_the_bundle_must_segment_the_same(self, tmp_path, make_bundle):
        with pytest.raises(BundleError, match="grey matter"):
            Workspace.open(tmp_path / "site", schema=CARDIAC, bundle=make_bundle())

        with Workspace.open(
            tmp_path / "site", schema=CARDIAC, bundle=make_bundle(CARDIAC)
        ) as site:
            assert site.schema == CARDIAC

    def test_a_bundle_that_is_none_is_refused(self, tmp_path):
        with pytest.raises(BundleError):
            Workspace.open(tmp_path / "site", bundle=tmp_path / "nowhere")

    @pytest.mark.parametrize("step", range(1, 24))
    def test_killed_while_it_is_made(self, tmp_path, make_bundle, monkeypatch, step):
        bundle, n_calls, replace = make_bundle(), [], os.replace
        fsync = os.fsync

        def count(call):
            def counted(*args):
                n_calls.append(call)
                if len(n_calls) >= step:
                    raise KeyboardInterrupt
                return call(*args)

            return counted

        monkeypatch.setattr(os, "fsync", count(fsync))
        monkeypatch.setattr(os, "replace", count(replace))
        with contextlib.suppress(KeyboardInterrupt):
            Workspace.open(tmp_path / "site", bundle=bundle).close()
        monkeypatch.undo()

        with Workspace.open(tmp_path / "site", bundle=bundle) as site:
            assert site.accepted_info == read_info(bundle)
        left = [p.name for p in (tmp_path / "site").rglob(".*")]
        assert left == []


class TestTheLock:
    def test_a_second_one_is_refused(self, site, open_site):
        with pytest.raises(WorkspaceLockedError, match="another window") as caught:
            open_site()
        assert caught.value.remedy
        site.close()
        assert open_site().name == "Site A"

    def test_a_killed_program_holds_nothing(self, site, open_site):
        site.close()
        command = [sys.executable, "-c", _HOLD, str(site.path)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdout.readline() == "open\n"
            with pytest.raises(WorkspaceLockedError):
                open_site()
            program.kill()
            program.wait()

        assert open_site().name == "Site A"

    def test_an_opening_that_fails_lets_go(self, site, open_site):
        site.close()
        with pytest.raises(WorkspaceError, match="is about"):
            open_site(schema=CARDIAC)
        assert open_site().name == "Site A"


class TestFoldersThatAreSomethingElse:
    def test_a_folder_of_scans_is_left_alone(self, tmp_path, make_bundle):
        (tmp_path / "scans").mkdir()
        (tmp_path / "scans" / "brain.nii").touch()

        with pytest.raises(WorkspaceError, match="other things"):
            Workspace.open(tmp_path / "scans", bundle=make_bundle())
        assert [path.name for path in (tmp_path / "scans").iterdir()] == ["brain.nii"]

    def test_an_empty_folder_is_taken(self, tmp_path, make_bundle):
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / ".DS_Store").touch()
        Workspace.open(tmp_path / "new", bundle=make_bundle()).close()

    def test_a_file_is_refused(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(WorkspaceError, match="not a folder"):
            Workspace.open(tmp_path / "file")

    @pytest.mark.parametrize(
        ("code", "problem"), [(errno.EROFS, "read-only"), (errno.EACCES, "may not be written")]
    )
    def test_a_folder_that_cannot_be_written(self, site, open_site, monkeypatch, code, problem):
        site.close()
        os_open = os.open

        def refuse(path, flags, *args, **options):
            if flags & (os.O_WRONLY | os.O_RDWR):
                raise OSError(code, "refused", path)
            return os_open(path, flags, *args, **options)

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(WorkspaceWriteError, match=problem) as caught:
            open_site()
        assert caught.value.remedy

        assert Workspace.read_only_view(site.path).name == "Site A"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_disk_that_is_really_read_only(tmp_path, make_bundle):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        Workspace.open(disk / "site", bundle=make_bundle()).close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(WorkspaceWriteError, match="read-only"):
            Workspace.open(disk / "site")
        assert Workspace.read_only_view(disk / "site").accepted_info
    finally:
        subprocess.run(["umount", str(disk)], check=False)


class TestDamagedSites:
    @pytest.mark.parametrize("name", ["site.json", "scans.json"])
    @pytest.mark.parametrize("content", [None, "{"])
    def test_the_second_copy_is_taken(self, site, open_site, make_scan, name, content):
        scan = make_scan()
        site.add(scan)
        site.close()
        if content is None:
            (site.path / name).unlink()
        else:
            (site.path / name).write_text(content)

        again = open_site()

        assert again.name == "Site A"
        assert [record.scan_id for record in again.records] == [scan.scan_id]

    @pytest.mark.parametrize("name", ["site.json", "scans.json"])
    def test_without_it_the_person_is_told(self, site, open_site, make_scan, name):
        site.add(make_scan())
        site.close()
        (site.path / name).write_text("{")
        (site.path / f"{name}.bak").write_text("{")

        with pytest.raises(WorkspaceError, match="cannot be read") as caught:
            open_site()
        assert "backup" in caught.value.remedy

    def test_a_lost_description_is_not_made_up(self, site, open_site, make_scan):
        site.add(make_scan())
        site.close()
        (site.path / "site.json").unlink()
        (site.path / "site.json.bak").unlink()

        with pytest.raises(WorkspaceError, match=r"lost its site\.json"):
            open_site()

    @pytest.mark.parametrize("name", ["site.json", "scans.json"])
    def test_a_newer_site_is_refused(self, site, open_site, make_scan, name):
        site.add(make_scan())
        site.close()
        file = site.path / name
        content = json.loads(file.read_text()) | {"schema_version": 99, "unknown": 1}
        file.write_text(json.dumps(content))

        with pytest.raises(WorkspaceError, match="newer dgseg"):
            open_site()
        assert json.loads(file.read_text()) == content

    def test_what_a_killed_program_left_is_cleared_away(self, site, open_site, make_scan):
        scan = make_scan()
        site.add(scan)
        site.close()
        folder = site.path / "scans" / scan.scan_id
        for file in (site.path / ".site.json.x1", folder / ".corrections.journal.x2"):
            file.touch()
        (site.path / "bundles" / ".0123.x3").mkdir()

        open_site()

        assert list(site.path.rglob(".*")) == []
