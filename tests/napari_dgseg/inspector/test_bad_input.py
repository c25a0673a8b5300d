"""The dock before what it cannot use: no proposals, no numbers, other models, lost files."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from dgseg.worker.protocol import Decode, Inspect, InspectResult

CODES = ("style", "domain")


def _asked(worker, kind):
    return [request for request in worker.requests if isinstance(request, kind)]


def _turn_all(dock):
    for at in range(dock.tabs.count()):
        dock.tabs.setCurrentIndex(at)


def _colouring(dock, key):
    box = dock.page.view.colouring
    return box.model().item(box.findData(key))


# --- scans that were never segmented -----------------------------------------------------------


def test_scans_that_were_never_segmented_have_a_map_but_no_uncertainty(opened):
    opened.turn_to("Appearance")
    assert len(opened.page.view._points) == 15
    assert not _colouring(opened, "uncertainty").isEnabled()
    _turn_all(opened)


def test_once_they_are_segmented_the_map_can_show_how_sure_the_model_is(opened, propose, idle):
    session = opened.parts.session
    opened.turn_to("Appearance")
    for scan_id in session.scan_ids:
        propose(session.workspace, scan_id)
        session.refresh_row(scan_id)
    idle()
    opened.refresh()
    assert _colouring(opened, "uncertainty").isEnabled()


# --- a model that was replaced meanwhile -------------------------------------------------------


def test_a_model_that_was_replaced_meanwhile_is_said_and_the_dock_goes_on(
    dock, scan_files, idle, worker, answers, press
):
    session = dock.parts.session
    session.add_paths(scan_files[:2])
    idle()
    request = _asked(worker, Inspect)[-1]
    record = next(r for r in session.workspace.records if r.source == request.source)
    worker.answer(
        InspectResult(
            scan_id=record.scan_id,
            bundle_id="f" * 12,
            out=request.out,
            seconds=0.1,
            device="cpu",
        ),
        request.id,
    )
    assert "1 scan could not be looked into: The model was replaced meanwhile." in (
        dock.failures.text
    )
    _turn_all(dock)
    answering = answers(session)
    answering.done.add(request.id)
    press(dock.failures.action)
    answering.inspect()
    idle()
    answering.inspect()
    idle()
    dock.refresh()
    assert not dock.failures.isVisible()
    assert dock.inspecting.gathering.n_done == 2


def test_another_accepted_model_is_looked_at_from_the_start(
    opened, make_telling_bundle, worker, idle
):
    session = opened.parts.session
    session.workspace.accept(make_telling_bundle("0c0c0c0c0c0c"), {})
    session.refresh_model()
    idle()
    assert opened.inspecting.gathering.all_of("0b0b0b0b0b0b") == []
    assert _asked(worker, Inspect)[-1].out.name == "0c0c0c0c0c0c"
    _turn_all(opened)
    opened.settle()
    opened.turn_to("Appearance")
    assert len(opened.page.view._points) == 15


# --- a deleted cache ---------------------------------------------------------------------------


def test_a_deleted_cache_is_made_anew_when_it_is_wanted_again(opened, worker, idle):
    workspace = opened.parts.session.workspace
    for folder in workspace.path.glob("scans/*/factors"):
        shutil.rmtree(folder)
    opened.turn_to("Appearance")
    assert len(opened.inspecting.gathering.all_of(opened.parts.session.info.bundle_id)) == 3
    n_asked = len(_asked(worker, Inspect))
    gathering = opened.inspecting.gathering
    gathering.want([])
    gathering.want(opened.inspecting.models.chosen)
    idle()
    assert len(_asked(worker, Inspect)) == n_asked + 1
    opened.settle()
    assert gathering.n_done == 3
    assert not gathering.errors


def test_pictures_that_were_deleted_under_the_sliders_say_so(opened, qtbot, worker):
    """A clean-up of temporary files while a picture is on its way."""
    opened.turn_to("Traversal")
    qtbot.waitUntil(lambda: bool(opened.answers.waiting(Decode)))
    request = opened.answers.waiting(Decode)[0]
    answering = opened.answers
    written = worker.answer

    def answer_without_file(content, number=None):
        shutil.rmtree(request.out)
        written(content, number)

    worker.answer = answer_without_file
    answering.decode()
    worker.answer = written
    assert opened.page.sliders.state.text
    opened.parts.stage.go_to(0)
    qtbot.waitUntil(lambda: bool(answering.waiting(Decode)))
    answering.decode()
    assert not opened.page.sliders.state.text


# --- codes that are no numbers -----------------------------------------------------------------


@pytest.fixture
def runaway(opened, make_factors):
    """The dock at a site where a model sees no finite codes in any slice of two scans."""
    session, gathering = opened.parts.session, opened.inspecting.gathering
    for scan_id in session.scan_ids[:2]:
        found = make_factors(scan_id, session.info.bundle_id)
        for code in CODES:
            getattr(found, code)[:] = np.nan
        found.error[:] = np.nan
        gathering._records[session.info.bundle_id, scan_id] = found
    opened.refresh()
    return opened


def test_scans_without_finite_codes_are_left_out_of_the_map_and_counted(runaway):
    runaway.turn_to("Appearance")
    view = runaway.page.view
    assert "10 slices have no code and are left out." in view.caption.text()
    assert int(view._points.known.sum()) == 5
    assert view.distance.text


def test_a_slice_without_finite_codes_has_no_sliders_and_no_other_look(runaway):
    runaway.turn_to("Traversal")
    assert "no finite codes" in runaway.page.sliders.state.text
    assert not runaway.page.in_viewer.isEnabled()
    runaway.turn_to("Swap")
    assert "no finite codes" in runaway.page.swaps[0].state.text
    _turn_all(runaway)


def test_a_look_without_finite_codes_cannot_be_given(runaway, idle, press):
    session = runaway.parts.session
    session.open_scan(session.scan_ids[2])
    idle()
    runaway.settle()
    runaway.turn_to("Swap")
    swap = runaway.page.swaps[0]
    press(swap.kinds.buttons()[1])
    swap.source.setCurrentIndex(0)
    swap.source.activated.emit(0)
    assert "no finite codes" in swap.state.text
    press(swap.kinds.buttons()[0])
    swap.source.setCurrentIndex(0)
    swap.source.activated.emit(0)
    runaway.answers.decode()
    runaway.answers.decode()
    assert not swap.state.text


def test_a_site_without_any_finite_code_says_nothing_of_its_distance(runaway, make_factors):
    session, gathering = runaway.parts.session, runaway.inspecting.gathering
    found = make_factors(session.scan_ids[2], session.info.bundle_id)
    for code in CODES:
        getattr(found, code)[:] = np.nan
    gathering._records[session.info.bundle_id, session.scan_ids[2]] = found
    runaway.turn_to("Appearance")
    assert "15 slices have no code" in runaway.page.view.caption.text()
    assert not runaway.page.view.distance.text
    _turn_all(runaway)
