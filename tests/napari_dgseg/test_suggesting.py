"""The next slice of the whole site, without Qt."""

from __future__ import annotations

import pytest

from dgseg.errors import DgsegError
from napari_dgseg.correcting import Correcting
from napari_dgseg.suggesting import Suggesting


@pytest.fixture
def suggesting(with_scans, propose):
    """All scans segmented, the first one open and being corrected."""
    correcting = Correcting(with_scans)
    suggesting = Suggesting(with_scans, correcting)
    suggesting.arrivals, suggesting.refusals = [], []
    suggesting.arrived.connect(suggesting.arrivals.append)
    suggesting.refused.connect(suggesting.refusals.append)
    for scan_id in with_scans.scan_ids:
        propose(with_scans.workspace, scan_id)
    with_scans.open_scan(with_scans.scan_ids[0])
    correcting.start()
    suggesting.correcting = correcting
    return suggesting


def _confirm(suggesting, index):
    suggesting.correcting.confirm(index, suggesting.correcting.labels[index])


def test_it_goes_through_all_scans_until_nothing_is_left(suggesting, with_scans):
    for n in range(1, 16):
        suggesting.go()
        assert len(suggesting.arrivals) == n
        found = suggesting.arrivals[-1]
        assert with_scans.current.scan_id == found.scan_id
        assert found.slice not in suggesting.correcting.slices
        _confirm(suggesting, found.slice)
    suggesting.go()
    assert "Every slice" in suggesting.refusals[-1]
    places = {(found.scan_id, found.slice) for found in suggesting.arrivals}
    assert len(places) == 15
    assert suggesting.arrivals[0].slice == 3  # it stands for those on both sides of it
    # Other scans come before slices beside a corrected one.
    assert {found.scan_id for found in suggesting.arrivals[:3]} == set(with_scans.scan_ids)
    assert not suggesting.is_busy


def test_scans_with_a_problem_or_reviewed_are_left_alone(suggesting, with_scans):
    first, second, third = with_scans.scan_ids
    with_scans.set_reviewed(first, True)
    with_scans.note_error(second, DgsegError("gone"))
    suggesting.go()
    assert suggesting.arrivals[-1].scan_id == third


def test_a_scan_that_cannot_be_opened_is_told_and_then_left_out(
    suggesting, with_scans, scan_files
):
    _confirm(suggesting, 4)
    for path in scan_files[1:3]:
        path.unlink()
    suggesting.go()
    assert "could not be opened" in suggesting.refusals[-1]
    suggesting.go()
    suggesting.go()
    assert suggesting.arrivals[-1].scan_id == with_scans.scan_ids[0]
    assert with_scans.current.scan_id == with_scans.scan_ids[0]


def test_who_only_looks_starts_no_corrections(with_scans, propose):
    suggesting = Suggesting(with_scans, Correcting(with_scans))
    propose(with_scans.workspace, with_scans.scan_ids[1])
    with_scans.open_scan(with_scans.scan_ids[0])
    suggesting.go()
    assert with_scans.current.scan_id == with_scans.scan_ids[1]
    assert not with_scans.current.corrections.started


def test_without_any_proposal_there_is_nothing_to_go_to(with_scans):
    suggesting = Suggesting(with_scans, Correcting(with_scans))
    refusals = []
    suggesting.refused.connect(refusals.append)
    suggesting.go()
    assert len(refusals) == 1


def test_a_new_proposal_is_noticed_and_an_old_one_not_read_again(
    suggesting, with_scans, propose, monkeypatch
):
    from napari_dgseg import suggesting as module

    read, survey = [], module.survey_scan

    def counted(workspace, scan_id, *others):
        read.append(scan_id)
        return survey(workspace, scan_id, *others)

    monkeypatch.setattr(module, "survey_scan", counted)
    suggesting.go()
    suggesting.go()
    assert sorted(read) == sorted(with_scans.scan_ids)
    read.clear()
    propose(with_scans.workspace, with_scans.scan_ids[2], shift=1)
    suggesting.go()
    assert read == [with_scans.scan_ids[2]]


def test_the_previous_model_has_a_say(suggesting, with_scans, make_bundle, propose):
    workspace = with_scans.workspace
    workspace.accept(make_bundle("new", "0b0b0b0b0b0b"), {})
    for n, scan_id in enumerate(with_scans.scan_ids):
        propose(workspace, scan_id, shift=3 * (n > 0))
    with_scans.refresh_model()
    suggesting.go()
    found = suggesting.arrivals[-1]
    assert found.scan_id in with_scans.scan_ids[1:]
    assert "the last two models differ in" in found.reason


def test_another_click_meanwhile_wins(suggesting, with_scans, runner, monkeypatch):
    _confirm(suggesting, 4)
    _, second, third = with_scans.scan_ids
    submit, held = runner.submit, []

    def hold(work, **callbacks):
        held.append(lambda: submit(work, **callbacks))

    monkeypatch.setattr(runner, "submit", hold)
    suggesting.go()
    held.pop(0)()  # what to suggest is known; the scan is being opened
    goal = with_scans.opening
    other = third if goal == second else second
    assert suggesting.is_busy
    with_scans.open_scan(other)
    assert not suggesting.is_busy
    for rest in held:
        rest()
    assert with_scans.current.scan_id == other
    assert suggesting.arrivals == []
