"""What takes the worker long: begun, followed, taken back."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.errors import DgsegError
from dgseg.files import read_array, write_array
from dgseg.worker.protocol import Embed, EmbedResult, Sheet, SheetResult
from napari_dgseg.inspector.errands import Errands
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.inspector.probing import Wish

CODES = np.ones((4, 3), np.float32)


@pytest.fixture
def errands(with_scans, worker, tmp_path):
    folder = tmp_path / "errands"
    folder.mkdir()
    return Errands(with_scans, worker, folder)


@pytest.fixture
def told(errands):
    """What was told, by the name of the signal."""
    got: list[tuple] = []
    errands.drawn.connect(lambda paths: got.append(("drawn", [path.name for path in paths])))
    errands.embedded.connect(lambda key, places: got.append(("embedded", key, places.shape)))
    errands.cancelled.connect(
        lambda kind, paths: got.append(("cancelled", kind, [path.name for path in paths]))
    )
    errands.failed.connect(lambda kind, error: got.append(("failed", kind, error.problem)))
    return got


@pytest.fixture
def wishes(with_scans):
    """The same slice of two models."""
    info, path = with_scans.info, with_scans.workspace.accepted
    return [
        Wish("sheet", SeenModel(which, info, path), with_scans.scan_ids[0], 2)
        for which in ("accepted", "candidate")
    ]


def _confirm(worker, number):
    worker._callbacks[number]["cancelled"]()


def test_codes_are_embedded(errands, worker, told):
    errands.embed("this", CODES)
    request = worker.requests[0]
    assert isinstance(request, Embed)
    assert read_array(request.codes).shape == (4, 3)
    assert errands.underway("map").title == "t-SNE: laying out 4 slices …"
    assert errands.underway("map").fraction is None
    write_array(request.out, np.zeros((4, 2), np.float32))
    worker.answer(EmbedResult(out=request.out))
    assert told == [("embedded", "this", (4, 2))]
    assert errands.underway("map") is None


def test_a_map_is_taken_back(errands, worker, told):
    errands.embed("this", CODES)
    errands.cancel("map")
    errands.cancel("map")
    assert worker.cancelled == [1]
    assert errands.underway("map").stopping
    assert not told
    worker.confirm_cancel()
    assert told == [("cancelled", "map", [])]
    assert errands.underway("map") is None
    errands.embed("this", CODES)
    assert len(worker.requests) == 2


def test_a_new_map_takes_the_place_of_the_old_one_without_a_word(errands, worker, told):
    errands.embed("this", CODES)
    errands.embed("that", CODES)
    assert worker.cancelled == [1]
    _confirm(worker, 1)
    assert not told
    assert errands.underway("map").request == 2


def test_a_map_that_was_done_before_it_could_be_stopped_is_shown(errands, worker, told):
    errands.embed("this", CODES)
    errands.cancel("map")
    write_array(worker.requests[0].out, np.zeros((4, 2), np.float32))
    worker.answer(EmbedResult(out=worker.requests[0].out))
    assert told == [("embedded", "this", (4, 2))]


def test_a_map_that_cannot_be_read(errands, worker, told):
    errands.embed("this", CODES)
    worker.answer(EmbedResult(out=worker.requests[0].out))
    assert told[0][:2] == ("failed", "map")


def test_sheets_of_two_models_one_after_the_other(errands, wishes, worker, told, tmp_path):
    errands.draw_sheets(wishes, "domain", tmp_path / "d.png")
    assert [type(request) for request in worker.requests] == [Sheet]
    worker.progress(0.5, "inspecting")
    assert errands.underway("sheet").fraction == 0.25
    errands.draw_sheets(wishes, "style", tmp_path / "s.png")
    assert len(worker.requests) == 1, "one sheet at a time"
    worker.answer(SheetResult(out=tmp_path / "d.png"))
    assert worker.requests[1].out == tmp_path / "d-candidate.png"
    worker.progress(0.5, "inspecting")
    assert errands.underway("sheet").fraction == 0.75
    worker.answer(SheetResult(out=tmp_path / "d-candidate.png"))
    assert told == [("drawn", ["d.png", "d-candidate.png"])]
    assert errands.underway("sheet") is None


def test_what_was_whole_before_a_sheet_was_taken_back_is_said(
    errands, wishes, worker, told, tmp_path
):
    errands.draw_sheets(wishes, "style", tmp_path / "s.png")
    worker.answer(SheetResult(out=tmp_path / "s.png"))
    errands.cancel("sheet")
    assert worker.cancelled == [2]
    worker.confirm_cancel()
    assert told == [("cancelled", "sheet", ["s.png"])]


def test_no_second_sheet_is_begun_once_the_first_was_taken_back(
    errands, wishes, worker, told, tmp_path
):
    errands.draw_sheets(wishes, "style", tmp_path / "s.png")
    errands.cancel("sheet")
    worker.answer(SheetResult(out=tmp_path / "s.png"))
    assert len(worker.requests) == 1
    assert told == [("cancelled", "sheet", ["s.png"])]


@pytest.mark.parametrize("kind", ["sheet", "map"])
def test_an_errand_that_fails_says_why(errands, wishes, worker, told, tmp_path, kind):
    if kind == "sheet":
        errands.draw_sheets(wishes[:1], "style", tmp_path / "s.png")
    else:
        errands.embed("this", CODES)
    worker.fail(DgsegError("No."))
    assert told == [("failed", kind, "No.")]
    assert errands.underway(kind) is None


def test_closing_takes_everything_back_and_hears_of_nothing(
    errands, wishes, worker, told, tmp_path
):
    errands.embed("this", CODES)
    errands.draw_sheets(wishes, "style", tmp_path / "s.png")
    errands.close()
    assert sorted(worker.cancelled) == [1, 2]
    worker.answer(SheetResult(out=tmp_path / "s.png"), 2)
    _confirm(worker, 1)
    assert not told
    assert len(worker.requests) == 2
