"""Corrections between the layer and the disk."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from dgseg.errors import WorkspaceWriteError
from dgseg.site.workspace import Workspace
from napari_dgseg.correcting import Correcting
from napari_dgseg.session import SiteSession


@pytest.fixture
def correcting(with_scans, propose):
    """The first scan open, with a proposal, not started."""
    correcting = Correcting(with_scans)
    propose(with_scans.workspace, with_scans.scan_ids[0])
    with_scans.open_scan(with_scans.scan_ids[0])
    return correcting


def _changed(correcting, index):
    labels = correcting.labels[index]
    labels[0, 0] = 1
    return labels


def _saved(correcting, session):
    session.current.corrections.flush()
    session.runner.deliver()
    return correcting.saved


def test_says_why_it_cannot_start(with_scans, propose):
    correcting = Correcting(with_scans)
    assert "step 1" in correcting.why_not_start()
    with_scans.open_scan(with_scans.scan_ids[0])
    assert "step 2" in correcting.why_not_start()
    propose(with_scans.workspace, with_scans.scan_ids[0])
    with_scans.reload_proposal()
    assert correcting.why_not_start() == ""


def test_start_copies_the_proposal(correcting, with_scans):
    assert not correcting.is_started
    correcting.start()
    assert correcting.is_started
    np.testing.assert_array_equal(correcting.labels, with_scans.current.proposal.labels)
    assert correcting.slices == {}


def test_a_change_is_listed_saved_and_survives(correcting, with_scans, site, runner):
    correcting.start()
    changed = _changed(correcting, 2)
    correcting.record(2, changed)
    assert correcting.slices == {2: "changed"}
    assert with_scans.row(with_scans.current.scan_id).n_corrected == 1
    assert _saved(correcting, with_scans) == "saved"
    assert correcting.saved_at is not None
    scan_id = with_scans.current.scan_id
    with_scans.close_workspace()
    again = SiteSession(runner)
    reopened = Correcting(again)
    again.open_workspace(site)
    again.open_scan(scan_id)
    assert reopened.slices == {2: "changed"}
    np.testing.assert_array_equal(reopened.labels[2], changed)
    again.close_workspace()


def test_a_slice_that_is_undone_to_the_proposal_is_no_correction(correcting, with_scans):
    correcting.start()
    before = correcting.labels[2]
    correcting.record(2, _changed(correcting, 2))
    correcting.record(2, before)
    assert correcting.slices == {}


def test_undo_to_the_proposal_is_seen_after_reopening_too(correcting, with_scans):
    correcting.start()
    before = correcting.labels[2]
    correcting.record(2, _changed(correcting, 2))
    first, second, _ = with_scans.scan_ids
    with_scans.open_scan(second)
    assert correcting.slices == {}
    with_scans.open_scan(first)
    assert correcting.slices == {2: "changed"}
    correcting.record(2, before)
    assert correcting.slices == {}


def test_confirm_paint_undo_leaves_it_confirmed(correcting):
    correcting.start()
    right = correcting.labels[1]
    correcting.confirm(1, right)
    assert correcting.slices == {1: "confirmed"}
    correcting.record(1, _changed(correcting, 1))
    assert correcting.slices == {1: "changed"}
    correcting.confirm(1, _changed(correcting, 1))  # counts already
    assert correcting.slices == {1: "changed"}
    correcting.record(1, right)
    assert correcting.slices == {1: "confirmed"}


def test_withdraw_gives_the_proposal_back(correcting, with_scans):
    correcting.start()
    correcting.record(3, _changed(correcting, 3))
    labels = correcting.withdraw(3)
    np.testing.assert_array_equal(labels, with_scans.current.proposal.labels[3])
    assert correcting.slices == {}
    assert correcting.withdraw(3) is None


def test_finds_the_least_certain_slice_until_none_is_left(correcting):
    correcting.start()
    labels = correcting.labels
    order = []
    while (index := correcting.least_certain()) is not None:
        order.append(index)
        correcting.confirm(index, labels[index])
    assert order == [4, 3, 2, 1, 0]


def test_a_full_disk_is_told_and_mended(correcting, with_scans, monkeypatch):
    correcting.start()
    assert _saved(correcting, with_scans) == "saved"
    corrections = with_scans.current.corrections

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(corrections._journal, "append", full)
    correcting.record(2, _changed(correcting, 2))
    with pytest.raises(WorkspaceWriteError, match="full"):
        corrections.flush()
    with_scans.runner.deliver()
    assert correcting.saved == "failed"
    assert "disk is full" in correcting.error.problem
    assert correcting.slices == {2: "changed"}  # in memory, and shown
    monkeypatch.undo()
    assert _saved(correcting, with_scans) == "saved"
    assert correcting.error is None


def test_labels_outside_the_schema_are_refused_with_words(correcting, with_scans):
    told = []
    with_scans.failed.connect(told.append)
    correcting.start()
    labels = correcting.labels[0]
    labels[0, 0] = 9
    correcting.record(0, labels)
    assert "values outside" in told[0].problem
    assert correcting.slices == {}


def test_a_newer_model_is_offered_for_the_untouched_slices(
    correcting, with_scans, make_bundle, propose
):
    correcting.start()
    changed = _changed(correcting, 2)
    correcting.record(2, changed)
    workspace = with_scans.workspace
    workspace.accept(make_bundle("new", "0b0b0b0b0b0b"), {})
    new = propose(workspace, with_scans.current.scan_id, shift=3)
    with_scans.refresh_model()
    assert correcting.is_outdated
    correcting.start()
    assert not correcting.is_outdated
    np.testing.assert_array_equal(correcting.labels[2], changed)
    np.testing.assert_array_equal(correcting.labels[1], new.labels[1])


def test_closing_the_site_lets_go(correcting, with_scans, site):
    correcting.start()
    correcting.record(2, _changed(correcting, 2))
    with_scans.close_workspace()
    assert not correcting.is_started
    with Workspace.open(site) as workspace:
        scan_id = workspace.records[0].scan_id
        assert workspace.corrections(scan_id).slices == {2: "changed"}
