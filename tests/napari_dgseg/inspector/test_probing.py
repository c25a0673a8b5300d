"""Questions about one slice, driven by the protocol's own messages."""

from __future__ import annotations

import pytest

from dgseg.errors import DgsegError
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.inspector.probing import Probing, Wish


@pytest.fixture
def probing(with_scans, worker, tmp_path):
    folder = tmp_path / "probing"
    folder.mkdir()
    return Probing(with_scans, worker, folder)


@pytest.fixture
def wish(with_scans):
    model = SeenModel("accepted", with_scans.info, with_scans.workspace.accepted)

    def make(first=0.0, purpose="traversal", **more):
        scan_id = with_scans.scan_ids[0]
        return Wish(purpose, model, scan_id, 2, (first, 0.0, 0.0), (0.0, 0.0), **more)

    return make


@pytest.fixture
def told(probing):
    got = []
    probing.decoded.connect(got.append)
    return got


def test_one_at_a_time_and_the_newest_wins(probing, wish, worker, answers, with_scans, told):
    answers = answers(with_scans)
    for value in (0.1, 0.2, 0.3, 0.4):
        probing.decode(wish(value))
    assert [r.style[0] for r in worker.requests] == [0.1]
    answers.decode()
    assert [r.style[0] for r in worker.requests] == [0.1, 0.4]
    answers.decode()
    assert len(worker.requests) == 2
    assert [one.style[0] for one in told] == [0.1, 0.4]
    assert not probing.is_busy
    assert told[0].picture.shape == (20, 24)


def test_wishes_of_other_purposes_wait_for_their_turn(
    probing, wish, worker, answers, with_scans, told
):
    answers = answers(with_scans)
    probing.decode(wish())
    probing.decode(wish(purpose="control 0", segment=True))
    probing.decode(wish(purpose="swap 0", segment=True))
    for _ in range(3):
        answers.decode()
    purposes = [one.wish.purpose for one in told]
    assert purposes == ["traversal", "control 0", "swap 0"]
    assert told[2].labels.shape == told[2].own.shape == (20, 24)
    assert told[2].dice == {"GM": 0.9, "WM": None}


def test_an_error_is_told_unless_a_newer_wish_waits(probing, wish, worker):
    errors = []
    probing.failed.connect(lambda purpose, error: errors.append((purpose, error.problem)))
    probing.decode(wish(0.1))
    probing.decode(wish(0.2))
    worker.fail(DgsegError("No."))
    assert not errors
    worker.fail(DgsegError("Again no."))
    assert errors == [("traversal", "Again no.")]


def test_forgotten_wishes_are_not_asked(probing, wish, worker, answers, with_scans):
    probing.decode(wish(0.1))
    probing.decode(wish(0.2))
    probing.forget()
    answers(with_scans).decode()
    assert len(worker.requests) == 1
