"""Traversal in the dock: of a candidate, of two models beside each other, and its sheets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QFileDialog

from dgseg.bundles.bundle import read_info
from dgseg.errors import DgsegError
from dgseg.worker.protocol import Decode, Sheet, SheetResult


def _asked(worker, kind):
    return [request for request in worker.requests if isinstance(request, kind)]


@pytest.fixture
def both(with_candidate, press, qtbot, worker):
    """The tab, while both models are looked at."""
    dock = with_candidate
    press(dock.choices["both"])
    dock.settle()
    dock.turn_to("Traversal")
    _decode(dock, qtbot, worker)
    return dock


def _decode(dock, qtbot, worker):
    """Wait for questions and answer them until there are no more."""
    qtbot.waitUntil(lambda: bool(dock.answers.waiting(Decode)))
    while dock.answers.waiting(Decode):
        dock.answers.decode()


def _drag(press, dock, row, deviations):
    slider = row.slider
    press(slider, QPoint(slider.place(deviations), slider.height() // 2))


def test_the_candidate_alone_is_moved(with_candidate, press, qtbot, worker):
    dock = with_candidate
    press(dock.choices["candidate"])
    dock.settle()
    dock.turn_to("Traversal")
    _decode(dock, qtbot, worker)
    (request,) = _asked(worker, Decode)
    assert request.bundle == dock.parts.adapting.folder.bundle
    factors = dock.page.factors(dock.page.model)
    assert request.style == pytest.approx(tuple(factors.style[request.slice].tolist()))
    assert not dock.page.sliders.views[1].isVisible()
    assert not dock.page.sliders.views[0].title.isVisible()


def test_two_models_beside_each_other_with_their_own_codes_first(both, worker):
    views = both.page.sliders.views
    assert [view.title.text() for view in views] == ["Model in use", "Candidate"]
    assert all(view.isVisible() and not view.picture.is_empty for view in views)
    left, right = (view.mapTo(both, QPoint(0, 0)) for view in views)
    assert left.y() == right.y()
    assert left.x() < right.x()
    models = both.inspecting.models.chosen
    for request, model in zip(_asked(worker, Decode), models, strict=True):
        own = both.page.factors(model).style[request.slice]
        assert request.bundle == model.path
        assert request.style == pytest.approx(tuple(own.tolist()))


def test_a_slider_moves_both_to_the_same_deviation(both, press, qtbot, worker):
    models = both.inspecting.models.chosen
    row = both.page.sliders.rows[0]
    _drag(press, both, row, 2.0)
    n_asked = len(_asked(worker, Decode))
    _decode(both, qtbot, worker)
    first, second = _asked(worker, Decode)[n_asked:]
    assert (first.bundle, second.bundle) == tuple(model.path for model in models)
    moved = [getattr(each, row.code)[row.dimension] for each in (first, second)]
    # Both banks are the same here, so that the same deviation is the same value.
    assert moved[0] == pytest.approx(moved[1])
    for request, model in ((first, models[0]), (second, models[1])):
        own = getattr(both.page.factors(model), row.code)[request.slice]
        others = np.arange(len(own)) != row.dimension
        np.testing.assert_allclose(np.array(getattr(request, row.code))[others], own[others])


def test_one_model_again_has_one_picture(both, press):
    press(both.choices["accepted"])
    views = both.page.sliders.views
    assert not views[1].isVisible()
    assert not views[0].title.isVisible()
    assert not both.page.note.isVisible()


def test_each_model_has_a_layer_of_its_own(both, press, qtbot, viewer, worker):
    page = both.page
    press(page.in_viewer)
    qtbot.waitUntil(lambda: "decoded slice (candidate)" in viewer.layers)
    mine, other = (
        viewer.layers[f"decoded slice ({m.title})"] for m in page.inspecting.models.chosen
    )
    index = both.parts.stage.slice_index
    for layer in (mine, other):
        assert np.asarray(layer.data[index]) == pytest.approx(0.5)
        assert np.isnan(layer.data[index - 1]).all()
    assert mine.visible
    assert not other.visible  # it would cover the first
    other.visible = True
    other.data[index] = 0
    _drag(press, both, page.sliders.rows[0], 2.0)
    _decode(both, qtbot, worker)
    assert np.asarray(other.data[index]) == pytest.approx(0.5)
    press(page.in_viewer)
    assert not mine.visible
    assert not other.visible


def test_the_layers_follow_the_choice_of_models(both, press, qtbot, worker, viewer):
    press(both.page.in_viewer)
    press(both.choices["accepted"])
    both.settle()
    both.answers.decode()
    shown = [layer.name for layer in viewer.layers if "decoded" in layer.name and layer.visible]
    assert shown == ["decoded slice"]
    press(both.choices["both"])
    both.settle()
    qtbot.waitUntil(lambda: "decoded slice (candidate)" in viewer.layers)
    both.answers.decode()
    index = both.parts.stage.slice_index
    layer = viewer.layers["decoded slice (candidate)"]
    qtbot.waitUntil(lambda: both.answers.decode() or np.isfinite(layer.data[index]).all())


def test_the_layers_go_with_the_scan(both, press, qtbot, viewer, idle):
    press(both.page.in_viewer)
    session = both.parts.session
    session.open_scan(session.scan_ids[1])
    idle()
    both.settle()
    qtbot.waitUntil(lambda: not both.parts.stage.is_clearing_up)
    assert not any("decoded" in layer.name for layer in viewer.layers)
    assert both.page.in_viewer.text() == "Show in the viewer"


def test_a_slider_stays_where_it_is_when_the_candidate_s_codes_come(
    with_candidate, press, qtbot, worker
):
    dock = with_candidate
    dock.turn_to("Traversal")
    _decode(dock, qtbot, worker)
    press(dock.choices["both"])
    assert "Candidate: The model looks at this scan" in dock.page.note.text()
    row = dock.page.sliders.rows[0]
    _drag(press, dock, row, -2.0)
    there = row.slider.deviations
    _decode(dock, qtbot, worker)
    dock._share()  # as a moment after the last question
    dock.settle()
    assert dock.page.sliders.rows[0].slider.deviations == there
    _decode(dock, qtbot, worker)
    assert not dock.page.sliders.views[1].picture.is_empty
    assert not dock.page.note.isVisible()


def test_a_candidate_with_codes_of_another_size(both, make_factors):
    model = both.inspecting.models.candidate
    gathering = both.inspecting.gathering
    for scan_id in both.parts.session.scan_ids:
        found = make_factors(scan_id, model.bundle_id)
        without = replace(found, domain=np.zeros((found.n_slices, 0), np.float32))
        gathering._records[model.bundle_id, scan_id] = without
    both.refresh()
    assert "of another size" in both.page.note.text()
    assert not both.page.sliders.views[1].isVisible()
    assert not both.page.sliders.views[0].picture.is_empty


def test_a_candidate_that_cannot_draw_says_so_beside_the_other(both, press, qtbot, worker):
    _drag(press, both, both.page.sliders.rows[0], 2.0)
    qtbot.waitUntil(lambda: bool(both.answers.waiting(Decode)))
    both.answers.decode()
    worker.fail(DgsegError("No finite numbers."))
    assert both.page.note.text().startswith("Candidate: No finite numbers.")
    assert not both.page.sliders.state.text


# --- sheets ------------------------------------------------------------------------------------


@pytest.fixture
def chosen(monkeypatch, tmp_path):
    """The file that a person chooses."""
    path = tmp_path / "sheet.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
    return path


def test_a_sheet_of_each_model(both, chosen, press, worker):
    assert read_info(both.inspecting.models.candidate.path).bundle_id == "0e0e0e0e0e0e"
    page = both.page
    press(page.sliders.sheets["domain"])
    assert page.sliders.underway.isVisible()
    assert page.sliders.underway.bar.text() == "Drawing the domain code"
    assert not page.sliders.sheets["style"].isVisible()
    worker.progress(0.5, "inspecting")
    assert page.sliders.underway.bar.value() == 250
    worker.answer(SheetResult(out=chosen))
    worker.answer(SheetResult(out=chosen))
    assert [request.out.name for request in _asked(worker, Sheet)] == [
        "sheet.png",
        "sheet-candidate.png",
    ]
    assert page.sliders.said.text() == "Written: sheet.png, sheet-candidate.png"
    assert not page.sliders.underway.isVisible()
    assert page.sliders.sheets["style"].isVisible()


def test_a_sheet_is_cancelled_and_everything_goes_on(both, chosen, press, qtbot, worker):
    page = both.page
    press(page.sliders.sheets["style"])
    (sheet,) = _asked(worker, Sheet)
    press(page.sliders.underway.cancel)
    assert sheet.id in worker.cancelled
    assert not page.sliders.underway.cancel.isEnabled()
    assert page.sliders.underway.seconds.text().startswith("stopping")
    worker._callbacks[sheet.id]["cancelled"]()
    assert page.sliders.said.text() == "Cancelled."
    assert not page.sliders.underway.isVisible()
    _drag(press, both, page.sliders.rows[0], 1.0)
    _decode(both, qtbot, worker)
    press(page.sliders.sheets["style"])
    assert len(_asked(worker, Sheet)) == 2


def test_a_sheet_that_fails_says_why(both, chosen, press, worker):
    press(both.page.sliders.sheets["style"])
    worker.fail(DgsegError("The disk is full."))
    assert "The disk is full." in both.page.sliders.said.text()
    assert both.page.sliders.sheets["style"].isVisible()
