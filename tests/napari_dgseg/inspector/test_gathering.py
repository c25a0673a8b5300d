"""Factors of all scans, driven by the protocol's own messages."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from dgseg.errors import DgsegError
from dgseg.factors.record import write_factors
from dgseg.worker.protocol import Inspect, InspectResult
from napari_dgseg.inspector.gathering import Gathering
from napari_dgseg.inspector.models import SeenModel


@pytest.fixture
def model(with_scans):
    return SeenModel("accepted", with_scans.info, with_scans.workspace.accepted)


@pytest.fixture
def gathering(with_scans, worker):
    gathering = Gathering(with_scans, worker)
    yield gathering
    gathering.close()


@pytest.fixture
def answer(with_scans, worker, make_factors):
    """A function that answers the last question, as the worker would."""

    def write(**changed):
        request = worker.requests[-1]
        scan_id = next(
            r.scan_id for r in with_scans.workspace.records if r.source == request.source
        )
        told = {"scan_id": scan_id, "bundle_id": request.out.name, **changed}
        write_factors(request.out, make_factors(scan_id, request.out.name))
        worker.answer(InspectResult(out=request.out, seconds=0.1, device="cpu", **told))

    return write


def test_one_after_the_other_and_the_open_scan_first(
    gathering, model, with_scans, worker, answer
):
    third = with_scans.scan_ids[2]
    gathering.want([model], third)
    assert (gathering.n_done, gathering.n_total, len(worker.requests)) == (0, 3, 1)
    request = worker.requests[0]
    assert isinstance(request, Inspect)
    assert request.source == with_scans.source(third)
    assert request.bundle == with_scans.workspace.accepted
    assert request.labels is None
    for n_done in (1, 2, 3):
        answer()
        assert gathering.n_done == n_done
    assert not gathering.is_busy
    assert len(worker.requests) == 3
    ids = [factors.scan_id for factors in gathering.all_of(model.bundle_id)]
    assert ids == with_scans.scan_ids


def test_what_is_on_disk_is_not_asked_for(gathering, model, with_scans, worker, make_factors):
    for scan_id in with_scans.scan_ids:
        folder = with_scans.workspace.factors_folder(scan_id, model.bundle_id)
        write_factors(folder, make_factors(scan_id, model.bundle_id))
    gathering.want([model])
    assert gathering.n_done == 3
    assert not worker.requests


def test_a_deleted_cache_is_made_anew(gathering, model, with_scans, worker, make_factors):
    for scan_id in with_scans.scan_ids:
        folder = with_scans.workspace.factors_folder(scan_id, model.bundle_id)
        write_factors(folder, make_factors(scan_id, model.bundle_id))
    shutil.rmtree(with_scans.workspace.path / "scans" / with_scans.scan_ids[1] / "factors")
    gathering.want([model])
    assert [r.source for r in worker.requests] == [with_scans.source(with_scans.scan_ids[1])]


def test_a_record_of_another_model_is_not_taken(
    gathering, model, with_scans, worker, make_factors
):
    scan_id = with_scans.scan_ids[0]
    folder = with_scans.workspace.factors_folder(scan_id, model.bundle_id)
    write_factors(folder, make_factors(scan_id, "0c0c0c0c0c0c"))
    gathering.want([model], scan_id)
    assert worker.requests[0].out == folder


def test_answers_that_come_too_late_are_dropped(gathering, model, worker, answer):
    gathering.want([model])
    gathering.want([])
    assert worker.cancelled == [1]
    answer()
    assert gathering.n_done == 0
    assert len(worker.requests) == 1


def test_a_scan_that_fails_does_not_stop_the_others(gathering, model, worker, answer):
    gathering.want([model])
    worker.fail(DgsegError("The scan is constant.", remedy="Scan again."))
    answer()
    answer()
    assert (gathering.n_done, len(gathering.errors)) == (2, 1)
    gathering.try_again()
    assert len(worker.requests) == 4
    answer()
    assert not gathering.errors
    assert gathering.n_done == 3


def test_another_image_under_the_old_name(gathering, model, worker, answer, with_scans):
    gathering.want([model])
    answer(scan_id=with_scans.scan_ids[1])
    (error,) = gathering.errors.values()
    assert "another image" in error.problem


def test_a_model_that_was_replaced_meanwhile(gathering, model, with_scans, answer):
    refreshed = []
    with_scans.workspace_changed.connect(lambda: refreshed.append(1))
    gathering.want([model])
    answer(bundle_id="0c0c0c0c0c0c")
    assert refreshed
    assert gathering.n_done == 0


def test_an_answer_without_a_record(gathering, model, with_scans, worker):
    gathering.want([model])
    request = worker.requests[0]
    worker.answer(
        InspectResult(
            scan_id=with_scans.scan_ids[0],
            bundle_id=model.bundle_id,
            out=request.out,
            seconds=0.1,
            device="cpu",
        )
    )
    (error,) = gathering.errors.values()
    assert "cannot be read" in error.problem


def test_holding_gives_the_scan_that_runs_up_and_takes_it_up_again(
    gathering, model, worker, answer
):
    gathering.want([model])
    gathering.hold("job")
    assert worker.cancelled == [1]
    gathering.hold("probing")
    gathering.go_on("job")
    assert len(worker.requests) == 1
    gathering.go_on("probing")
    assert worker.requests[1].source == worker.requests[0].source
    answer()
    assert gathering.n_done == 1


def test_scans_come_and_go(gathering, model, with_scans, worker, answer, scan_files, make_scan):
    gathering.want([model])
    for _ in range(3):
        answer()
    with_scans.add_scans([make_scan()])
    assert gathering.n_total == 4
    assert len(worker.requests) == 4
    with_scans.remove(with_scans.scan_ids[0])
    assert (gathering.n_done, gathering.n_total) == (2, 3)


def test_scans_never_segmented_and_segmented_later(
    gathering, model, with_scans, worker, answer, propose
):
    scan_id = with_scans.scan_ids[0]
    gathering.want([model])
    answer()
    assert np.isnan(gathering.factors(model.bundle_id, scan_id).uncertainty).all()
    propose(with_scans.workspace, scan_id)
    with_scans.refresh_row(scan_id)
    known = gathering.factors(model.bundle_id, scan_id).uncertainty
    assert known[0] == pytest.approx(0.1)


def test_the_proposal_goes_with_the_question(gathering, model, with_scans, worker, propose):
    scan_id = with_scans.scan_ids[0]
    propose(with_scans.workspace, scan_id)
    gathering.want([model], scan_id)
    folder = with_scans.workspace.proposal_folder(scan_id, model.bundle_id)
    assert worker.requests[0].labels == folder
