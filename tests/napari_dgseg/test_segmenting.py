"""The queue of scans to segment, driven by the protocol's own messages."""

from __future__ import annotations

from dgseg.errors import DgsegError
from dgseg.worker.protocol import Predict, PredictResult
from napari_dgseg.segmenting import Segmenting


def _result(session, scan_id):
    info = session.info
    out = session.workspace.proposal_folder(scan_id, info.bundle_id)
    return PredictResult(
        scan_id=scan_id, bundle_id=info.bundle_id, out=out, seconds=1.0, device="cpu"
    )


def test_says_why_not(session, scan_files, worker):
    segmenting = Segmenting(session, worker)
    assert "step 1" in segmenting.why_not()
    session.add_paths(scan_files[:1])
    assert segmenting.why_not() == ""


def test_one_scan_from_click_to_proposal(with_scans, worker, propose):
    session, segmenting = with_scans, Segmenting(with_scans, worker)
    scan_id = session.scan_ids[0]
    session.open_scan(scan_id)
    segmenting.segment([scan_id])
    request = worker.requests[0]
    assert isinstance(request, Predict)
    assert request.bundle == session.workspace.accepted
    assert request.source == session.source(scan_id)
    worker.progress(0.5, "segmenting")
    assert (segmenting.total_fraction, segmenting.stage) == (0.5, "segmenting")
    propose(session.workspace, scan_id)
    worker.answer(_result(session, scan_id))
    assert not segmenting.is_running
    assert session.current.proposal is not None
    assert session.row(scan_id).kind == "segmented"


def test_a_scan_that_fails_does_not_stop_the_others(with_scans, worker, propose):
    session, segmenting = with_scans, Segmenting(with_scans, worker)
    first, second, third = session.scan_ids
    segmenting.segment(session.scan_ids)
    worker.fail(DgsegError("The scan is constant.", remedy="Scan again."))
    assert session.row(first).error.problem == "The scan is constant."
    for scan_id in (second, third):
        propose(session.workspace, scan_id)
        worker.answer(_result(session, scan_id))
    assert (segmenting.n_done, segmenting.n_failed, segmenting.n_total) == (2, 1, 3)
    assert [session.row(i).kind for i in session.scan_ids] == ["bad", "segmented", "segmented"]
    propose(session.workspace, first)
    segmenting.segment([first])  # mended, tried again
    worker.answer(_result(session, first))
    assert session.row(first).error is None


def test_cancel_forgets_the_rest(with_scans, worker):
    segmenting = Segmenting(with_scans, worker)
    segmenting.segment(with_scans.scan_ids)
    segmenting.cancel()
    assert worker.cancelled == [1]
    assert segmenting.stage == "cancelling"
    worker.progress(0.9, "segmenting")
    assert segmenting.stage == "cancelling"
    worker.confirm_cancel()
    assert not segmenting.is_running
    assert len(worker.requests) == 1
    segmenting.segment(with_scans.scan_ids[:1])  # and it can be used again
    assert len(worker.requests) == 2


def test_a_scan_is_queued_once(with_scans, worker):
    segmenting = Segmenting(with_scans, worker)
    first, second, _ = with_scans.scan_ids
    segmenting.segment([first])
    segmenting.segment([first, second, second])
    assert segmenting.n_total == 2


def test_another_image_under_the_old_name_is_an_error(with_scans, worker):
    segmenting = Segmenting(with_scans, worker)
    first, second, _ = with_scans.scan_ids
    segmenting.segment([first])
    worker.answer(_result(with_scans, second))
    assert "another image" in with_scans.row(first).error.problem
