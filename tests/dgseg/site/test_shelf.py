"""The scans of a site: their files, their states, and taking them out."""

from __future__ import annotations

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from dgseg.errors import ScanChangedError, WorkspaceError, WorkspaceWriteError
from dgseg.scans.geometry import Geometry
from dgseg.scans.memory import read_memory
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.sources import read
from dgseg.site.proposals import Proposal, write_proposal
from dgseg.site.workspace import Workspace


class TestScans:
    def test_the_list_comes_back(self, site, open_site, make_scan):
        scans = [make_scan(seed) for seed in (2, 0, 1)]
        for scan in scans:
            record = site.add(scan)
        assert record.shape == scans[-1].array.shape
        site.close()

        records = open_site().records

        assert [record.scan_id for record in records] == [scan.scan_id for scan in scans]
        assert [record.source for record in records] == [scan.source for scan in scans]
        assert records[-1].added == record.added

    def test_a_scan_that_is_added_again_is_one_scan(self, site, make_scan):
        scan = make_scan()
        first = site.add(scan)
        content = (site.path / "scans.json").stat().st_mtime_ns

        assert site.add(scan) == first
        assert len(site.records) == 1
        assert (site.path / "scans.json").stat().st_mtime_ns == content

    def test_a_copy_of_a_scan_is_the_same_scan_at_its_new_place(self, site, make_scan, correct):
        scan = make_scan()
        site.add(scan)
        correct(site, scan)
        copy = scan.source.path.with_name("copy.nii.gz")
        scan.source.path.rename(copy)

        record = site.add(read(ScanSource(kind="nifti", path=copy)))

        assert [one.scan_id for one in site.records] == [scan.scan_id]
        assert record.source.path == copy
        assert record.state.n_corrected == 1
        assert site.read_scan(scan.scan_id).scan_id == scan.scan_id

    def test_scanner_and_sequence_are_kept_as_digits(self, site, open_site, make_scan):
        scan = replace(make_scan(), group="0a1b2c")
        assert site.add(scan).group == "0a1b2c"
        assert site.add(make_scan(1)).group == ""
        # Found again without its sidecar, it is of the same scanner all the same.
        assert site.add(make_scan()).group == "0a1b2c"
        site.close()

        assert [record.group for record in open_site().records] == ["0a1b2c", ""]

    def test_a_site_of_an_older_version_learns_them_with_its_scans(
        self, site, open_site, make_scan, correct
    ):
        scan = make_scan()
        site.add(scan)
        correct(site, scan)
        site.close()
        for file in site.path.glob("scans.json*"):
            content = json.loads(file.read_text())
            del content["scans"][0]["group"]
            file.write_text(json.dumps(content))

        site = open_site()
        assert site.records[0].group == ""
        record = site.add(replace(scan, group="0a1b2c"))
        assert (record.group, record.state.n_corrected) == ("0a1b2c", 1)

    def test_a_relative_path_is_kept_as_an_absolute_one(self, site, make_scan, monkeypatch):
        scan = make_scan()
        monkeypatch.chdir(scan.source.path.parent)
        relative = read(ScanSource(kind="nifti", path=scan.source.path.name))

        assert site.add(relative).source.path == scan.source.path

    def test_an_unknown_scan_is_an_error(self, site):
        for ask in (site.state, site.read_scan, site.corrections, site.remove):
            with pytest.raises(WorkspaceError, match="no scan"):
                ask("0" * 12)

    def test_a_deleted_scan_keeps_its_corrections(self, site, make_scan, correct):
        scan = make_scan()
        site.add(scan)
        correct(site, scan)
        scan.source.path.unlink()

        with pytest.raises(ScanChangedError, match="no longer there") as caught:
            site.read_scan(scan.scan_id)

        assert caught.value.path == scan.source.path
        assert "corrections are kept" in caught.value.remedy
        assert site.state(scan.scan_id).n_corrected == 1

    def test_a_changed_scan_is_noticed(self, site, make_scan):
        scan = make_scan()
        site.add(scan)
        values = np.ones((20, 24, 5), np.float32) + np.arange(5)
        nib.Nifti1Image(values, np.diag([0.5, 0.5, 5.0, 1])).to_filename(scan.source.path)

        with pytest.raises(ScanChangedError, match="another image"):
            site.read_scan(scan.scan_id)

    def test_a_truncated_scan_is_noticed(self, site, make_scan):
        scan = make_scan()
        site.add(scan)
        scan.source.path.write_bytes(scan.source.path.read_bytes()[:200])

        with pytest.raises(ScanChangedError, match="no longer be read"):
            site.read_scan(scan.scan_id)

    def test_a_full_disk_leaves_the_list_as_it_was(self, site, make_scan, refuse_fsync):
        scan = make_scan()
        site.add(scan)
        refuse_fsync()

        with pytest.raises(WorkspaceWriteError, match="full"):
            site.add(make_scan(1))
        with pytest.raises(WorkspaceWriteError, match="full"):
            site.set_reviewed(scan.scan_id, True)
        with pytest.raises(WorkspaceWriteError, match="full"):
            site.remove(scan.scan_id)

        assert [record.scan_id for record in site.records] == [scan.scan_id]
        assert site.records[0].state.kind == "new"


class TestScansWithoutAFile:
    @pytest.fixture
    def scan(self, rng) -> Scan:
        affine = np.array(
            [[0, 0, -5, 3.3], [0.7, 0.1, 0, 1], [0.1, -0.7, 0, 2], [0, 0, 0, 1.0]]
        )
        geometry = Geometry((6, 7, 3), affine, 2)
        array = geometry.to_canonical(rng.normal(size=geometry.shape))
        source = ScanSource(kind="memory", path="image", title="Image 1", detail="small")
        return Scan(array, geometry, source)

    def test_it_can_be_read_again(self, site, open_site, scan, correct):
        record = site.add(scan)
        correct(site, scan, 1)
        site.close()
        found = open_site().read_scan(scan.scan_id)

        np.testing.assert_array_equal(found.array, scan.array)
        assert found.array.dtype == scan.array.dtype
        assert found.geometry.same_grid(scan.geometry)
        assert found.geometry.slice_axis == 2
        assert read_memory(record.source).scan_id == scan.scan_id
        assert (found.source.title, found.source.detail) == ("Image 1", "small")

    def test_it_moves_with_the_site(self, site, scan, tmp_path):
        site.add(scan)
        site.close()
        moved = site.path.rename(tmp_path / "elsewhere")

        with Workspace.open(moved) as again:
            assert again.read_scan(scan.scan_id).scan_id == scan.scan_id

    def test_adding_it_again_mends_a_lost_copy(self, site, scan):
        record = site.add(scan)
        record.source.path.write_bytes(b"")
        with pytest.raises(ScanChangedError):
            site.read_scan(scan.scan_id)

        site.add(scan)

        assert site.read_scan(scan.scan_id).scan_id == scan.scan_id

    def test_the_file_of_a_scan_is_not_forgotten(self, site, make_scan):
        scan = make_scan()
        site.add(scan)
        source = ScanSource(kind="memory", path="image")

        record = site.add(Scan(scan.array, scan.geometry, source))

        assert record.source == scan.source


class TestStates:
    def test_from_new_to_reviewed(self, site, open_site, make_scan, propose, correct):
        scan = make_scan()
        assert site.add(scan).state.kind == "new"
        propose(site, scan)
        assert site.state(scan.scan_id).kind == "segmented"
        correct(site, scan)
        state = site.records[0].state
        assert (state.kind, state.n_corrected) == ("corrected", 1)
        site.set_reviewed(scan.scan_id, True)
        site.close()

        again = open_site()
        state = again.state(scan.scan_id)
        assert (state.kind, state.n_corrected) == ("reviewed", 1)
        again.set_reviewed(scan.scan_id, False)
        again.corrections(scan.scan_id).withdraw(2)
        assert again.state(scan.scan_id).kind == "segmented"

    def test_only_the_accepted_bundle_counts(self, site, make_scan, make_bundle, propose):
        scan = make_scan()
        site.add(scan)
        old = site.accepted_info.bundle_id
        propose(site, scan)
        site.accept(make_bundle(), {})
        assert site.state(scan.scan_id).kind == "new"
        site.roll_back(old)
        assert site.state(scan.scan_id).kind == "segmented"

    def test_a_proposal_of_another_grid_is_none(self, site, make_scan, propose):
        scan = make_scan()
        site.add(scan)
        propose(site, scan)
        bundle_id = site.accepted_info.bundle_id
        assert site.read_proposal(scan.scan_id, bundle_id) is not None
        other = np.zeros((1, 2, 3), np.uint8)
        small = Proposal(other, other, np.zeros(1, np.float32), bundle_id)
        write_proposal(site.proposal_folder(scan.scan_id, bundle_id), small)

        assert site.read_proposal(scan.scan_id, bundle_id) is None
        assert site.read_proposal(scan.scan_id, "0" * 12) is None

    def test_old_proposals_are_cleared_away(self, site, make_scan, propose):
        scan = make_scan()
        site.add(scan)
        accepted = site.accepted_info.bundle_id
        for bundle_id in (accepted, "1" * 12, "2" * 12):
            propose(site, scan, bundle_id)

        assert site.prune_proposals(keep=["2" * 12]) == 1
        assert site.read_proposal(scan.scan_id, accepted) is not None
        assert site.read_proposal(scan.scan_id, "1" * 12) is None
        assert site.read_proposal(scan.scan_id, "2" * 12) is not None

    def test_what_corrections_started_from_stays(self, site, make_scan, propose, correct):
        """Else nobody could tell any more what was corrected."""
        scan = make_scan()
        site.add(scan)
        for bundle_id in ("1" * 12, "2" * 12):
            propose(site, scan, bundle_id)
            site.factors_folder(scan.scan_id, bundle_id).mkdir(parents=True)
        corrections = site.corrections(scan.scan_id)
        corrections.start(site.read_proposal(scan.scan_id, "1" * 12).labels, "1" * 12)

        assert site.prune_proposals() == 1
        assert site.read_proposal(scan.scan_id, "1" * 12) is not None
        assert site.read_proposal(scan.scan_id, "2" * 12) is None
        assert not site.factors_folder(scan.scan_id, "1" * 12).exists()

    def test_where_the_corrections_cannot_be_read_everything_stays(
        self, open_site, make_scan, propose
    ):
        site, scan = open_site(), make_scan()
        site.add(scan)
        propose(site, scan, "1" * 12)
        folder = site.proposal_folder(scan.scan_id, "1" * 12)
        site.close()
        (folder.parent.parent / "corrections.journal").mkdir()
        assert open_site().prune_proposals() == 0
        assert folder.exists()

    def test_latent_factors_go_with_the_proposals(self, site, make_scan):
        scan = make_scan()
        site.add(scan)
        accepted = site.accepted_info.bundle_id
        folders = {
            bundle_id: site.factors_folder(scan.scan_id, bundle_id)
            for bundle_id in (accepted, "1" * 12, "2" * 12)
        }
        for folder in folders.values():
            folder.mkdir(parents=True)

        assert site.prune_proposals(keep=["2" * 12]) == 0
        there = {bundle_id for bundle_id, folder in folders.items() if folder.exists()}
        assert there == {accepted, "2" * 12}


class TestRemoving:
    def test_the_corrections_go_to_the_archive_and_come_back(self, site, make_scan, correct):
        scan = make_scan()
        site.add(scan)
        correct(site, scan)
        held = site.corrections(scan.scan_id)
        site.remove(scan.scan_id)

        assert site.records == []
        assert (site.path / "archive" / scan.scan_id / "corrections.journal").is_file()
        with pytest.raises(WorkspaceError, match="closed"):
            held.withdraw(2)

        assert site.add(scan).state.n_corrected == 1
        np.testing.assert_array_equal(site.corrections(scan.scan_id).labels[2], 1)

    def test_killed_between_the_list_and_the_archive(
        self, site, open_site, make_scan, monkeypatch, correct
    ):
        scan = make_scan()
        site.add(scan)
        correct(site, scan)
        rename = type(site.path).rename

        def fail(*_: object) -> None:
            raise OSError(28, "full")

        monkeypatch.setattr(type(site.path), "rename", fail)
        with pytest.raises(WorkspaceWriteError):
            site.remove(scan.scan_id)
        monkeypatch.setattr(type(site.path), "rename", rename)
        site.close()

        again = open_site()
        assert again.records == []
        assert again.add(scan).state.n_corrected == 1
