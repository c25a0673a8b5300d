"""The workspace of one site."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dgseg.errors import WorkspaceError, WorkspaceWriteError
from dgseg.scans.scan import Scan
from dgseg.site.workspace import Workspace


class TestClosing:
    def test_closed_it_takes_nothing_more(self, site, make_scan):
        scan = make_scan()
        site.add(scan)
        site.close()
        site.close()

        for change in (
            lambda: site.add(make_scan(1)),
            lambda: site.remove(scan.scan_id),
            lambda: site.set_reviewed(scan.scan_id, True),
            lambda: site.new_job_folder("adapt"),
            lambda: site.accept(site.accepted, {}),
            lambda: site.roll_back(site.accepted_info.bundle_id),
        ):
            with pytest.raises(WorkspaceError, match="closed"):
                change()

    def test_no_thread_stays(self, site, make_scan, correct):
        scan = make_scan()
        site.add(scan)
        correct(site, scan)
        site.close()

        assert "dgseg-corrections" not in {thread.name for thread in threading.enumerate()}

    def test_a_full_disk_keeps_it_open(self, site, open_site, make_scan, refuse_fsync, correct):
        scan = make_scan()
        site.add(scan)
        refuse_fsync()
        correct(site, scan)

        with pytest.raises(WorkspaceWriteError):
            site.close()
        with pytest.raises(WorkspaceWriteError):
            site.flush()
        refuse_fsync(False)
        site.close()

        assert open_site().state(scan.scan_id).n_corrected == 1

    def test_an_error_inside_is_not_hidden_by_a_full_disk(
        self, site, make_scan, refuse_fsync, correct
    ):
        scan = make_scan()
        site.add(scan)
        refuse_fsync()

        def fail() -> None:
            with site:
                correct(site, scan)
                raise KeyError

        with pytest.raises(KeyError):
            fail()

    def test_a_program_that_just_ends_saves_its_strokes(self, site, open_site, make_scan):
        scan = make_scan()
        site.add(scan)
        site.close()
        script = """
import sys
import numpy as np
from dgseg.site.workspace import Workspace
site = Workspace.open(sys.argv[1])
corrections = site.corrections(sys.argv[2])
corrections.start(np.zeros((5, 24, 20), np.uint8), "0" * 12)
for index in range(5):
    corrections.record(index, np.ones((24, 20), np.uint8), "changed")
"""
        command = [sys.executable, "-c", script, str(site.path), scan.scan_id]
        subprocess.run(command, check=True)

        assert open_site().state(scan.scan_id).n_corrected == 5


class TestViews:
    def test_it_sees_and_changes_nothing(self, site, make_scan, correct):
        scan = make_scan()
        site.add(scan)
        correct(site, scan)
        site.flush()
        before = {path: path.stat().st_mtime_ns for path in site.path.rglob("*")}

        with Workspace.read_only_view(site.path) as view:
            assert view.name == "Site A"
            assert view.schema == site.schema
            assert view.records == site.records
            assert view.accepted == site.accepted
            np.testing.assert_array_equal(view.corrections(scan.scan_id).labels[2], 1)
            with pytest.raises(WorkspaceError, match="reading only"):
                view.add(make_scan(1))
            with pytest.raises(WorkspaceError, match="reading only"):
                view.corrections(scan.scan_id).withdraw(2)

        after = {path: path.stat().st_mtime_ns for path in site.path.rglob("*")}
        assert after == before

    def test_another_folder_is_no_site(self, tmp_path):
        with pytest.raises(WorkspaceError, match="no site"):
            Workspace.read_only_view(tmp_path)


def test_job_folders_newest_first(site):
    made = [site.new_job_folder(kind) for kind in ("adapt", "predict", "adapt")]

    assert site.job_folders() == made[::-1]
    assert all(folder.is_dir() and not any(folder.iterdir()) for folder in made)
    assert "adapt" in made[0].name


def test_paths_stay_in_the_list_of_scans(site, make_scan, make_bundle, propose, correct):
    scan = make_scan(name="Erika_Mustermann.nii.gz")
    site.add(scan)
    propose(site, scan)
    correct(site, scan)
    site.accept(make_bundle(), {"sentence": "Better.", "numbers": {}})
    site.close()

    for path in site.path.rglob("*"):
        assert "Mustermann" not in path.name
        if path.is_file() and path.name not in ("scans.json", "scans.json.bak"):
            assert b"Mustermann" not in path.read_bytes(), path.name


def test_gui_thread_and_others_at_once(site, make_scan, propose, correct):
    scans = [make_scan(seed) for seed in range(4)]

    def work(scan: Scan) -> None:
        site.add(scan)
        propose(site, scan)
        correct(site, scan)
        site.set_reviewed(scan.scan_id, True)
        assert len(site.records) >= 1
        site.corrections(scan.scan_id).flush()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, scan) for scan in scans]:
            done.result()

    assert [r.state.kind for r in site.records] == ["reviewed"] * 4
    assert len(json.loads((site.path / "scans.json").read_text())["scans"]) == 4


def test_a_copy_of_a_site_works(site, make_scan, tmp_path, correct):
    scan = make_scan()
    site.add(scan)
    correct(site, scan)
    site.close()
    shutil.copytree(site.path, tmp_path / "copy")

    with Workspace.open(tmp_path / "copy") as copy:
        assert copy.state(scan.scan_id).n_corrected == 1
        assert copy.accepted.parent == tmp_path / "copy" / "bundles"
        assert copy.accepted_info == site.accepted_info


class TestClearingAway:
    """Whose proposals and factors stay, as models come and go."""

    @staticmethod
    def _see(site, scan, bundle_id, propose) -> None:
        propose(site, scan, bundle_id)
        site.factors_folder(scan.scan_id, bundle_id).mkdir(parents=True, exist_ok=True)

    @staticmethod
    def _there(site, scan) -> set[str]:
        folder = site.proposal_folder(scan.scan_id, "x").parent
        proposed = {path.name for path in folder.iterdir()}
        seen = {path.name for path in (folder.parent / "factors").iterdir()}
        assert proposed == seen
        return seen

    def test_those_in_use_and_the_ones_before_stay(self, site, make_scan, make_bundle, propose):
        scan = make_scan()
        site.add(scan)
        ids = [site.accepted_info.bundle_id]
        self._see(site, scan, ids[0], propose)
        for _ in range(3):
            ids.append(site.accept(make_bundle(), {}).bundle_id)
            self._see(site, scan, ids[-1], propose)
        assert self._there(site, scan) == {ids[2], ids[3]}

    def test_going_back_needs_no_new_proposals(self, site, make_scan, make_bundle, propose):
        scan = make_scan()
        site.add(scan)
        first = site.accepted_info.bundle_id
        self._see(site, scan, first, propose)
        second = site.accept(make_bundle(), {}).bundle_id
        self._see(site, scan, second, propose)
        site.roll_back(first)
        assert site.read_proposal(scan.scan_id, first) is not None
        site.roll_back(second)
        assert self._there(site, scan) == {first, second}

    def test_a_candidate_keeps_its_factors_until_somebody_decides(
        self, open_site, make_scan, make_bundle, propose
    ):
        site, scan = open_site(), make_scan()
        site.add(scan)
        accepted = site.accepted_info.bundle_id
        bundle = make_bundle()
        job = site.new_job_folder("adapt")
        shutil.copytree(bundle, job / "bundle")
        broken = site.new_job_folder("adapt")
        (broken / "bundle").mkdir()
        for bundle_id in (accepted, bundle.name, "1" * 12):
            self._see(site, scan, bundle_id, propose)
        site.close()
        site = open_site()
        assert self._there(site, scan) == {accepted, bundle.name}
        site.close()
        (job / "decision.json").write_text('{"decision": "refused"}')
        assert self._there(open_site(), scan) == {accepted}

    def test_who_only_looks_deletes_nothing(self, site, make_scan, propose):
        scan = make_scan()
        site.add(scan)
        for bundle_id in (site.accepted_info.bundle_id, "1" * 12):
            self._see(site, scan, bundle_id, propose)
        Workspace.read_only_view(site.path)
        assert len(self._there(site, scan)) == 2
