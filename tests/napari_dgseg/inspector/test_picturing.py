"""Pictures of the open scan, driven by the protocol's own messages."""

from __future__ import annotations

import pytest

from dgseg.errors import DgsegError
from dgseg.worker.protocol import Pictures
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.inspector.picturing import Picturing


@pytest.fixture
def picturing(with_scans, worker, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    picturing = Picturing(with_scans, worker, folder)
    yield picturing
    picturing.close()


@pytest.fixture
def model(with_scans):
    return SeenModel("accepted", with_scans.info, with_scans.workspace.accepted)


def test_nothing_is_painted_without_a_scan(picturing, model, worker):
    picturing.want([model])
    assert not worker.requests


def test_a_scan_is_painted_once(picturing, model, with_scans, worker, answers):
    with_scans.open_scan(with_scans.scan_ids[0])
    picturing.want([model])
    picturing.want([model])
    (request,) = worker.requests
    assert isinstance(request, Pictures)
    assert picturing.is_busy
    answers(with_scans).paint()
    assert not picturing.is_busy
    painted = picturing.painted(model.bundle_id)
    assert painted.image.shape == with_scans.current.scan.array.shape
    assert painted.anatomy.shape[0] == 8
    assert painted.limit == pytest.approx(0.05, abs=1e-3)
    picturing.want([model])
    assert len(worker.requests) == 1


def test_pictures_of_a_scan_that_is_closed_are_dropped(
    picturing, model, with_scans, worker, answers
):
    answers = answers(with_scans)
    with_scans.open_scan(with_scans.scan_ids[0])
    picturing.want([model])
    with_scans.open_scan(with_scans.scan_ids[1])
    assert worker.cancelled == [1]
    picturing.want([model])
    answers.paint()
    assert picturing.painted(model.bundle_id).scan_id == with_scans.scan_ids[1]


def test_pictures_do_not_gather_on_disk(picturing, model, with_scans, answers, worker):
    with_scans.open_scan(with_scans.scan_ids[0])
    picturing.want([model])
    answers(with_scans).paint()
    assert worker.requests[0].out.is_dir()
    with_scans.open_scan(with_scans.scan_ids[1])
    assert not worker.requests[0].out.exists()


def test_an_error_stays_until_it_is_tried_again(picturing, model, with_scans, worker, answers):
    with_scans.open_scan(with_scans.scan_ids[0])
    picturing.want([model])
    worker.fail(DgsegError("Slice 2 has no finite codes."))
    assert "finite" in picturing.errors[model.bundle_id].problem
    picturing.want([model])
    assert len(worker.requests) == 1
    picturing.try_again()
    picturing.want([model])
    assert len(worker.requests) == 2


def test_pictures_that_cannot_be_read(picturing, model, with_scans, worker):
    from dgseg.worker.protocol import PicturesResult

    with_scans.open_scan(with_scans.scan_ids[0])
    picturing.want([model])
    out = worker.requests[0].out
    worker.answer(PicturesResult(out=out, n_channels=8, seconds=0.1))
    assert picturing.errors[model.bundle_id]
    assert not picturing.is_busy
