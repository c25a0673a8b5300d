"""The walk through what an adaptation changed, without Qt."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from napari.components import ViewerModel

from dgseg.errors import DgsegError
from dgseg.jobs.folder import JobFolder
from dgseg.site.proposals import read_proposal, write_proposal
from napari_dgseg.adapting import Adapting
from napari_dgseg.compare import Comparison
from napari_dgseg.correcting import Correcting
from napari_dgseg.stage import Stage
from napari_dgseg.walking import Walking


class _Watcher:
    def follow(self, folder):
        pass

    def unfollow(self):
        pass


class _Parts:
    """A site whose three scans are segmented, and a job that proposed for two of them."""

    def __init__(self, session, worker, propose):
        self.session = session
        self.viewer = ViewerModel()
        self.stage = Stage(self.viewer, session, Correcting(session))
        self.adapting = Adapting(session, worker, _Watcher())
        self.comparison = Comparison(session, self.stage, self.adapting)
        self.near = []
        self.walking = Walking(
            session,
            self.stage,
            self.adapting,
            self.comparison,
            lambda layer, mask: self.near.append((layer, mask)),
        )
        self.first, self.second, self.third = session.scan_ids
        self.folder = JobFolder(session.workspace.new_job_folder("adapt"))
        for scan_id in session.scan_ids:
            propose(session.workspace, scan_id)
            session.refresh_row(scan_id)
        propose(session.workspace, self.first, self.folder.proposals(self.first))
        propose(session.workspace, self.second, self.folder.proposals(self.second))
        self.change(self.first, 1, lambda labels: np.roll(labels, 2, axis=0))
        self.change(self.second, 3, np.zeros_like)
        (self.folder.path / "result.json").write_text(json.dumps({"verdict": {}}))
        self.adapting.folder = self.folder

    def change(self, scan_id, index, how):
        """Change a slice of the candidate's proposal."""
        proposal = read_proposal(self.folder.proposals(scan_id))
        labels = np.array(proposal.labels)
        labels[index] = how(labels[index])
        write_proposal(
            self.folder.proposals(scan_id),
            type(proposal)(
                labels,
                np.array(proposal.uncertainty),
                proposal.slice_uncertainty,
                proposal.bundle_id,
            ),
        )

    @property
    def place(self):
        """What is on display."""
        current = self.session.current
        return None if current is None else (current.scan_id, self.stage.slice_index)


@pytest.fixture
def parts(qtbot, with_scans, worker, propose):
    parts = _Parts(with_scans, worker, propose)
    yield parts
    parts.stage.close()


def test_it_leads_from_the_largest_change_on_and_back(parts):
    walking = parts.walking
    assert walking.changes == []
    parts.adapting.take_state("finished")
    assert [(c.scan_id, c.slice) for c in walking.changes] == [
        (parts.second, 3),
        (parts.first, 1),
    ]
    assert (walking.at, walking.n_compared, walking.n_scans) == (-1, 2, 3)
    assert parts.place is None
    assert walking.why_not(-1) == "Begin with the first one."
    walking.next()
    assert parts.place == (parts.second, 3)
    assert parts.comparison.view == "difference"
    assert walking.title == "scan-2.nii.gz"
    assert [walking.is_seen(at) for at in (0, 1)] == [True, False]
    assert walking.why_not(-1) == "This is the first one."
    walking.next()
    assert parts.place == (parts.first, 1)
    assert parts.comparison.view == "difference"
    assert walking.why_not(1) == "This is the last one."
    walking.next()
    assert walking.at == 1
    walking.previous()
    assert parts.place == (parts.second, 3)
    assert all(walking.is_seen(at) for at in (0, 1))


def test_it_comes_near_to_the_structures_of_a_scan_that_it_opens(parts):
    parts.adapting.take_state("finished")
    parts.change(parts.second, 1, np.zeros_like)
    parts.walking.next()
    ((layer, mask),) = parts.near
    old = parts.session.current.proposal.labels[3]
    np.testing.assert_array_equal(mask, old > 0)
    assert layer is parts.stage.layer("proposal")
    parts.walking.go(0)  # the person may have come nearer since
    assert len(parts.near) == 1
    parts.walking.next()
    assert len(parts.near) == 2


def test_a_slice_that_was_left_is_found_again(parts):
    parts.adapting.take_state("finished")
    parts.walking.next()
    parts.stage.go_to(0)
    parts.viewer.layers.remove(parts.stage.layer("difference"))
    parts.walking.go(0)
    assert parts.place == (parts.second, 3)
    assert parts.comparison.view == "difference"


def test_a_decision_ends_it(parts):
    parts.adapting.take_state("finished")
    parts.walking.next()
    parts.adapting.keep_old()
    assert parts.walking.changes == []
    assert parts.walking.current is None
    parts.walking.next()
    assert parts.walking.at == -1


def test_models_that_agree_leave_nothing_to_show(parts, propose):
    for scan_id in (parts.first, parts.second):
        propose(parts.session.workspace, scan_id, parts.folder.proposals(scan_id))
    parts.adapting.take_state("finished")
    assert parts.walking.n_compared == 2
    assert "nothing changed" in parts.walking.why_not(1)


def test_what_is_segmented_meanwhile_joins_and_what_was_seen_stays(parts, propose):
    parts.adapting.take_state("finished")
    parts.walking.next()
    third = parts.third
    propose(parts.session.workspace, third, parts.folder.proposals(third), shift=4)
    parts.walking._counted.pop(third)  # as if it had not been segmented before
    parts.session.refresh_row(third)
    assert parts.walking.n_compared == 3
    places = [(change.scan_id, change.slice) for change in parts.walking.changes]
    assert third in {scan_id for scan_id, _ in places}
    at = places.index((parts.second, 3))
    assert parts.walking.at == at
    assert parts.walking.is_seen(at)


@pytest.fixture
def pruned(parts, propose):
    """The third scan: corrected, but without a proposal of the model in use."""
    session, scan_id = parts.session, parts.third
    corrections = session.workspace.corrections(scan_id)
    labels = session.workspace.read_proposal(scan_id, session.info.bundle_id).labels
    corrections.start(labels, "before")
    corrections.record(0, labels[0], "confirmed")
    propose(session.workspace, scan_id, parts.folder.proposals(scan_id), shift=4)
    shutil.rmtree(session.workspace.proposal_folder(scan_id, session.info.bundle_id))
    session.refresh_row(scan_id)
    assert session.row(scan_id).kind == "corrected"
    return scan_id


def test_a_corrected_scan_joins_once_it_is_segmented(parts, pruned, propose):
    parts.adapting.take_state("finished")
    assert parts.walking.n_compared == 2
    propose(parts.session.workspace, pruned)
    parts.session.note_error(pruned, None)  # as segmenting does
    assert parts.walking.n_compared == 3
    assert pruned in {change.scan_id for change in parts.walking.changes}


def test_a_scan_that_is_segmented_at_the_last_moment_joins(parts, pruned, propose):
    parts.session.runner = late = _LateRunner()
    parts.adapting.take_state("finished")
    for _ in parts.session.scan_ids:
        late.step()
    propose(parts.session.workspace, pruned)
    parts.session.note_error(pruned, None)
    while late.work:
        late.step()
    assert not parts.walking.is_busy
    assert parts.walking.n_compared == 3
    assert pruned in {change.scan_id for change in parts.walking.changes}


def test_what_still_cannot_be_compared_is_not_tried_again(parts, pruned):
    parts.adapting.take_state("finished")
    parts.session.runner = late = _LateRunner()
    parts.session.note_error(pruned, None)
    assert not late.work


def test_a_scan_with_a_problem_is_left_out(parts):
    parts.adapting.take_state("finished")
    parts.session.note_error(parts.second, DgsegError("gone"))
    assert [change.scan_id for change in parts.walking.changes] == [parts.first]
    parts.session.note_error(parts.second, None)
    assert len(parts.walking.changes) == 2


def test_a_scan_that_cannot_be_opened_is_told_and_left_out(parts, scan_files):
    parts.adapting.take_state("finished")
    scan_files[1].unlink()
    parts.walking.next()
    assert parts.session.row(parts.second).error is not None
    assert [change.scan_id for change in parts.walking.changes] == [parts.first]
    parts.walking.next()
    assert parts.place == (parts.first, 1)


class _LateRunner:
    """Keeps work until the test lets one piece after the other be done."""

    def __init__(self):
        self.work = []

    def submit(self, work, *, on_result, on_error, on_item=None):
        self.work.append((work, on_result, on_error))

    def step(self):
        work, on_result, on_error = self.work.pop(0)
        try:
            result = work(lambda _: None)
        except Exception as error:  # noqa: BLE001 - as a thread would
            on_error(error)
        else:
            on_result(result)

    def post(self, callback):
        callback()


def test_scans_are_compared_one_at_a_time(parts):
    parts.session.runner = late = _LateRunner()
    parts.adapting.take_state("finished")
    walking = parts.walking
    for n in range(3):
        assert walking.is_busy
        assert walking.why_not(1) == "Old and new are being compared."
        assert len(late.work) == 1, n
        late.step()
    late.step()
    assert not walking.is_busy
    assert len(walking.changes) == 2


def test_a_result_that_comes_after_the_decision_is_dropped(parts):
    parts.session.runner = late = _LateRunner()
    parts.adapting.take_state("finished")
    parts.adapting.keep_old()
    while late.work:
        late.step()
    assert parts.walking.changes == []
    assert not parts.walking.is_busy


def test_one_scan_that_fails_does_not_end_the_comparison(parts, monkeypatch):
    failures = []
    parts.session.failed.connect(failures.append)
    read = type(parts.session.workspace).read_proposal

    def fail(workspace, scan_id, bundle_id):
        if scan_id == parts.second:
            raise DgsegError("The disk is gone.")
        return read(workspace, scan_id, bundle_id)

    monkeypatch.setattr(type(parts.session.workspace), "read_proposal", fail)
    parts.adapting.take_state("finished")
    assert [error.problem for error in failures] == ["The disk is gone."]
    assert [change.scan_id for change in parts.walking.changes] == [parts.first]


def test_a_person_who_opens_another_scan_is_not_taken_back(parts):
    parts.adapting.take_state("finished")
    parts.session.runner = late = _LateRunner()
    parts.walking.next()
    parts.session.open_scan(parts.third)
    while late.work:
        late.step()
    assert parts.session.current.scan_id == parts.third
    parts.session.open_scan(parts.second)
    while late.work:
        late.step()
    assert parts.place != (parts.second, 3)
    assert not parts.walking.is_seen(0)


def test_steps_in_quick_succession_end_at_the_last(parts):
    parts.adapting.take_state("finished")
    parts.walking.next()
    parts.session.runner = late = _LateRunner()
    parts.walking.next()
    parts.walking.previous()
    while late.work:
        late.step()
    assert parts.place == (parts.second, 3)
    assert not parts.walking.is_seen(1)
