"""Concerns follow the site, in the background and without Qt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dgseg.errors import WorkspaceError
from dgseg.factors.distance import Distance
from dgseg.site.proposals import write_proposal
from napari_dgseg.cautioning import Cautioning
from napari_dgseg.correcting import Correcting

FAR = Distance("Rome", 9.0, 100.0, "far", foreign=True)


@pytest.fixture
def cautioning(with_scans):
    cautioning = Cautioning(with_scans)
    cautioning.changes = []
    cautioning.changed.connect(lambda: cautioning.changes.append(cautioning.concerns))
    return cautioning


def _kinds(cautioning):
    return [each.kind for each in cautioning.concerns]


def _propose_far(session, scan_id, propose):
    proposal = propose(session.workspace, scan_id)
    folder = session.workspace.proposal_folder(scan_id, session.info.bundle_id)
    write_proposal(folder, replace(proposal, distance=FAR))


def test_they_follow_proposals_corrections_and_the_list(cautioning, with_scans, propose):
    first, second, third = with_scans.scan_ids
    cautioning.refresh()
    assert _kinds(cautioning) == []
    assert cautioning.changes == []
    _propose_far(with_scans, second, propose)
    with_scans.refresh_row(second)
    assert _kinds(cautioning) == ["foreign"]
    assert "1 of 3 scans (scan-2.nii.gz)" in cautioning.concerns[0].sentence
    propose(with_scans.workspace, first)
    correcting = Correcting(with_scans)
    with_scans.open_scan(first)
    correcting.start()
    correcting.confirm(0, correcting.labels[0] * 0)
    assert _kinds(cautioning) == ["foreign", "absent", "few"]
    correcting.confirm(1, correcting.labels[1])
    assert _kinds(cautioning) == ["foreign"]
    for scan_id in (second, third):
        with_scans.remove(scan_id)
    assert _kinds(cautioning) == ["one-scan"]
    with_scans.remove(first)
    assert _kinds(cautioning) == []
    assert len(cautioning.changes) == 6


def test_a_closed_site_raises_none(cautioning, with_scans):
    with_scans.remove(with_scans.scan_ids[0])
    with_scans.remove(with_scans.scan_ids[0])
    assert _kinds(cautioning) == ["one-scan"]
    with_scans.close_workspace()
    cautioning.refresh()
    assert _kinds(cautioning) == []


def test_a_trouble_is_told_once_and_does_not_end_it(cautioning, with_scans, monkeypatch):
    told = []
    with_scans.failed.connect(told.append)
    workspace = with_scans.workspace
    with monkeypatch.context() as patched:

        def refuse(_scan_id):
            raise WorkspaceError("The journal cannot be read.")

        patched.setattr(workspace, "corrections", refuse)
        cautioning.refresh()
    assert [error.problem for error in told] == ["The journal cannot be read."]
    _, *others = with_scans.scan_ids
    for scan_id in others:
        with_scans.remove(scan_id)
    assert _kinds(cautioning) == ["one-scan"]


def test_what_changes_while_it_looks_is_looked_at_again(cautioning, with_scans, monkeypatch):
    waiting = []
    monkeypatch.setattr(
        with_scans.runner, "submit", lambda work, **calls: waiting.append((work, calls))
    )
    cautioning.refresh()
    for scan_id in with_scans.scan_ids[1:]:
        with_scans.remove(scan_id)
    assert len(waiting) == 1
    work, calls = waiting.pop()
    calls["on_error"](WorkspaceError("A scan is gone."))
    work, calls = waiting.pop()
    calls["on_result"](work(None))
    assert _kinds(cautioning) == ["one-scan"]
    assert waiting == []
