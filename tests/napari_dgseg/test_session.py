"""The session: sites, the table of scans, and the scan that is open."""

from __future__ import annotations

import pytest

from dgseg.bundles import bundle as bundles
from dgseg.errors import BundleError, ScanChangedError, WorkspaceLockedError
from dgseg.scans.schema import SPINAL_GM
from dgseg.site import opening
from dgseg.site.workspace import Workspace
from napari_dgseg.session import SiteSession


def _kinds(session):
    return [row.kind for row in session.rows]


def test_a_bad_file_has_its_own_row_and_stops_nothing(session, scan_files):
    session.add_paths([scan_files[3], *scan_files[:3]])
    assert _kinds(session) == ["new", "new", "new", "bad"]
    bad = session.rows[-1]
    assert bad.error is not None
    assert bad.error.remedy
    assert bad.scan_id == ""
    assert session.scan_ids == [row.scan_id for row in session.rows[:3]]


def test_a_folder_brings_every_scan_and_a_row_for_each_problem(session, scan_files):
    session.add_paths([scan_files[0].parent])
    assert sorted(_kinds(session)) == ["bad", "new", "new", "new"]
    session.add_paths([scan_files[0].parent])  # again: nothing doubles
    assert len(session.rows) == 4


def test_an_empty_folder_and_a_missing_file_are_told(session, tmp_path):
    (tmp_path / "empty").mkdir()
    session.add_paths([tmp_path / "empty", tmp_path / "gone.nii"])
    assert _kinds(session) == ["bad", "bad"]
    assert all(row.error.problem for row in session.rows)


def test_a_problem_row_can_be_removed_and_a_scan_keeps_its_corrections(
    with_scans, scan_files, propose
):
    session = with_scans
    session.add_paths([scan_files[3]])
    session.remove(session.rows[-1].key)
    assert _kinds(session) == ["new", "new", "new"]
    first = session.scan_ids[0]
    corrections = session.workspace.corrections(first)
    proposal = propose(session.workspace, first)
    corrections.start(proposal.labels, proposal.bundle_id)
    corrections.record(1, proposal.labels[1], "confirmed")
    session.remove(first)
    assert first not in session.scan_ids
    session.add_paths(scan_files[:1])
    assert session.row(first).n_corrected == 1


def test_state_in_words(with_scans, propose):
    session = with_scans
    first = session.scan_ids[0]
    assert session.row(first).state_text == "new"
    proposal = propose(session.workspace, first)
    session.refresh_row(first)
    assert session.row(first).state_text == "segmented"
    corrections = session.workspace.corrections(first)
    corrections.start(proposal.labels, proposal.bundle_id)
    corrections.record(1, proposal.labels[1], "confirmed")
    session.refresh_row(first)
    assert session.row(first).state_text == "1 slice corrected"
    corrections.record(2, proposal.labels[1], "confirmed")
    session.refresh_row(first)
    assert session.row(first).state_text == "2 slices corrected"
    session.set_reviewed(first, True)
    assert session.row(first).state_text == "reviewed"


def test_open_switch_and_reopen(with_scans):
    session = with_scans
    opened, closings = [], []
    session.scan_opened.connect(lambda o: opened.append(o.scan_id))
    session.scan_closing.connect(lambda: closings.append(session.current.scan_id))
    first, second, _ = session.scan_ids
    session.open_scan(first)
    session.open_scan(first)  # open already
    session.open_scan(second)
    session.open_scan(first)
    assert opened == [first, second, first]
    assert closings == [first, second]
    assert session.opening == ""


def test_a_scan_changed_on_disk_says_so_in_its_row_and_comes_back(with_scans, scan_files):
    session = with_scans
    content = scan_files[0].read_bytes()
    scan_files[0].write_bytes(scan_files[1].read_bytes())
    session.open_scan(session.scan_ids[0])
    row = session.rows[0]
    assert row.kind == "bad"
    assert isinstance(row.error, ScanChangedError)
    assert session.current is None
    scan_files[0].unlink()
    session.open_scan(session.scan_ids[0])
    assert "no longer there" in session.rows[0].error.problem
    scan_files[0].write_bytes(content)
    session.open_scan(session.scan_ids[0])
    assert session.current is not None
    assert session.rows[0].error is None


def test_a_site_that_is_open_elsewhere_is_refused_and_can_be_tried_again(site, runner):
    session = SiteSession(runner)
    with Workspace.open(site):
        assert not session.open_workspace(site)
        assert isinstance(session.problem, WorkspaceLockedError)
        assert session.rows == []
    assert session.open_workspace(site)
    assert session.problem is None
    session.close_workspace()


def test_without_a_bundled_model_a_new_site_says_why(tmp_path, runner, monkeypatch):
    def absent():
        raise BundleError("This installation of dgseg came without its model.")

    monkeypatch.setattr(opening, "default_bundle", absent)
    monkeypatch.setattr(bundles, "default_bundle", absent)
    session = SiteSession(runner)
    assert not session.open_workspace(tmp_path / "new")
    assert "without its model" in session.problem.problem


def test_another_accepted_model_shows_its_proposals(with_scans, propose, make_bundle):
    session = with_scans
    first = session.scan_ids[0]
    propose(session.workspace, first)
    session.open_scan(first)
    assert session.current.proposal is not None
    session.workspace.accept(make_bundle("new", "0b0b0b0b0b0b"), {"sentence": "better"})
    session.refresh_model()
    assert session.info.name == "new"
    assert session.current.proposal is None
    assert session.row(first).kind == "new"


def test_a_scan_from_memory_is_added_and_opened(session, make_scan):
    scan = make_scan(name="a layer")
    session.add_scans([scan])
    assert session.rows[0].title == "a layer"
    assert session.rows[0].place == "layer in the viewer"
    session.open_scan(scan.scan_id)
    assert session.current.scan.scan_id == scan.scan_id
    assert session.workspace.schema == SPINAL_GM


@pytest.mark.parametrize("n_opened", [1, 2])
def test_only_the_last_clicked_scan_is_shown(with_scans, n_opened):
    """While one scan is read, a click on another one wins."""
    session = with_scans
    waiting = []
    session.runner.submit = lambda work, **calls: waiting.append((work, calls))
    wanted = session.scan_ids[:n_opened]
    for scan_id in wanted:
        session.open_scan(scan_id)
    for work, calls in waiting:
        calls["on_result"](work(None))
    assert session.current.scan_id == wanted[-1]
