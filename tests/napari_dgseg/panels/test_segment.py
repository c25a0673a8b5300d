"""Step 2: buttons, progress, cancel, problems."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtWidgets import QLabel

from dgseg.errors import DgsegError
from dgseg.factors.distance import Distance
from dgseg.site.proposals import write_proposal
from dgseg.worker.protocol import Predict, PredictResult


def _answer(dock, worker, propose):
    session = dock.parts.session
    scan_id = dock.parts.segmenting.scan_id
    propose(session.workspace, scan_id)
    out = session.workspace.proposal_folder(scan_id, session.info.bundle_id)
    bundle_id = session.info.bundle_id
    worker.answer(
        PredictResult(scan_id=scan_id, bundle_id=bundle_id, out=out, seconds=1, device="cpu")
    )


def test_waits_for_a_scan_and_says_so(dock):
    step = dock.steps[1]
    assert step.header.state == "waiting"
    assert "step 1" in step.header.summary
    step.unfold()
    assert step.reason.isVisible()
    assert "step 1" in step.reason.text()
    assert not dock.segment.isVisible()


def test_needs_an_open_scan_for_this_but_not_for_all(filled):
    filled.unfold(2)
    assert not filled.segment.this.isEnabled()
    assert "step 1" in filled.segment.this.toolTip()
    assert filled.segment.all.isEnabled()
    assert filled.segment.all.text() == "Segment all (3)"


def test_segment_this_shows_progress_then_a_proposal_layer(
    filled, worker, propose, idle, press, viewer
):
    session = filled.parts.session
    session.open_scan(session.scan_ids[0])
    idle()
    assert filled.steps[1].is_open
    press(filled.segment.this)
    assert isinstance(worker.requests[0], Predict)
    assert filled.segment.bar.isVisible()
    assert not filled.segment.this.isEnabled()
    worker.progress(0.42, "segmenting")
    assert filled.segment.bar.value() == 420
    assert filled.steps[1].header.summary == "42%"
    _answer(filled, worker, propose)
    idle()
    assert not filled.segment.bar.isVisible()
    assert "proposal (spinal-gm)" in [layer.name for layer in viewer.layers]
    assert filled.segment.this.text() == "Segment this scan again"
    assert filled.steps[2].is_open


def test_segment_all_counts_and_cancel_stops(filled, worker, propose, press):
    filled.unfold(2)
    press(filled.segment.all)
    assert filled.segment.bar.format().startswith("1 of 3")
    _answer(filled, worker, propose)
    assert filled.segment.bar.format().startswith("2 of 3")
    press(filled.segment.cancel)
    assert worker.cancelled == [2]
    assert not filled.segment.cancel.isEnabled()
    worker.confirm_cancel()
    assert not filled.parts.segmenting.is_running
    assert filled.steps[1].header.summary == "1 of 3 segmented"


def test_a_failure_is_told_here_and_in_the_row(filled, worker, press):
    filled.unfold(2)
    press(filled.segment.all)
    worker.fail(DgsegError("The image is constant.", remedy="Choose another series."))
    assert filled.segment.notice.text == "The image is constant. Choose another series."
    assert filled.parts.session.rows[0].kind == "bad"
    assert filled.parts.segmenting.is_running  # the others go on


def test_a_model_that_finds_nothing_is_not_left_uncommented(filled, propose, idle):
    session = filled.parts.session
    scan_id = session.scan_ids[0]
    propose(session.workspace, scan_id, empty=True)
    session.open_scan(scan_id)
    idle()
    assert filled.segment.notice.text.startswith("The model finds nothing")
    assert filled.segment.notice.isVisible()
    propose(session.workspace, scan_id)
    session.reload_proposal()
    idle()
    assert filled.segment.notice.text == ""


def test_the_legend_names_the_structures(filled):
    filled.unfold(2)
    texts = [label.text() for label in filled.segment.findChildren(QLabel)]
    assert {"grey matter", "white matter"} <= set(texts)


def test_uncertainty_is_off_until_asked_for(opened, press, viewer):
    opened.unfold(2)
    stage = opened.parts.stage
    assert not stage.is_visible("uncertainty")
    opened.segment.uncertainty.click()
    assert stage.is_visible("uncertainty")
    stage.set_visible("uncertainty", False)
    assert not opened.segment.uncertainty.isChecked()


def test_no_uncertainty_before_a_proposal(filled, idle):
    session = filled.parts.session
    session.open_scan(session.scan_ids[1])
    idle()
    assert not filled.segment.uncertainty.isEnabled()
    assert "Segment" in filled.segment.uncertainty.toolTip()


def test_foreign_scans_are_told_before_anything_is_adapted(opened, propose, idle):
    session = opened.parts.session
    second = session.scan_ids[1]
    assert not opened.segment.foreign.isVisible()
    proposal = propose(session.workspace, second)
    far = Distance("", 3.0, 100.0, "far", foreign=True)
    folder = session.workspace.proposal_folder(second, session.info.bundle_id)
    write_proposal(folder, replace(proposal, distance=far))
    opened.unfold(2)
    session.refresh_row(second)
    idle()
    told = "Unlike anything this model was trained on: 1 of 3 scans (scan-2.nii.gz)."
    assert opened.segment.foreign.isVisible()
    assert opened.segment.foreign.text.startswith(told)
    opened.unfold(4)
    (notice, *others) = opened.adapt.form.cautions
    assert notice.isVisible()
    assert notice.text.startswith(told)
    assert not any(each.isVisible() for each in others)
    assert opened.adapt.form.start.isEnabled()  # the person decides
    session.remove(second)
    idle()
    assert not opened.segment.foreign.isVisible()
    assert not notice.isVisible()
