"""Step 3: painting, slices, saving."""

from __future__ import annotations

import errno

import numpy as np


def _chips(dock):
    return dock.correct.chips


def _paint(dock, at=(2, 18, 3), value=1):
    dock.parts.stage.layer("corrections").paint(at, value)
    dock.parts.stage.flush()


def test_says_why_it_waits(filled, idle):
    step = filled.steps[2]
    assert "step 1" in step.header.summary
    session = filled.parts.session
    session.open_scan(session.scan_ids[0])
    idle()
    assert "step 2" in step.header.summary


def test_start_shows_tools_and_picks_the_first_label(correcting, viewer):
    assert not correcting.correct.start.isVisible()
    assert correcting.correct.confirm.isVisible()
    assert correcting.correct.brush(1).isChecked()
    assert viewer.layers.selection.active is correcting.parts.stage.layer("corrections")


def test_a_stroke_is_listed_saved_and_undone(correcting, qtbot):
    _paint(correcting)
    assert [chip.text() for chip in _chips(correcting)] == ["slice 2 changed"]
    qtbot.waitUntil(
        lambda: correcting.correct.saved.text.startswith("all strokes saved"), timeout=5000
    )
    assert correcting.steps[2].header.summary == "1 slice corrected"
    correcting.parts.stage.layer("corrections").undo()
    correcting.parts.stage.flush()
    assert _chips(correcting) == []


def test_a_stroke_is_noticed_without_help(correcting, qtbot):
    correcting.parts.stage.go_to(1)
    correcting.parts.stage.layer("corrections").paint((1, 18, 3), 2)
    qtbot.waitUntil(lambda: bool(_chips(correcting)), timeout=3000)


def test_legend_buttons_choose_the_label(correcting, press):
    layer = correcting.parts.stage.layer("corrections")
    press(correcting.correct.brush(2))
    assert (layer.mode, layer.selected_label) == ("paint", 2)
    press(correcting.correct.brush(0))
    assert layer.mode == "erase"
    assert not correcting.correct.brush(2).isChecked()


def test_confirm_next_withdraw(correcting, press, next_slice, qtbot):
    stage, panel = correcting.parts.stage, correcting.correct
    next_slice()
    first = stage.slice_index
    assert first == 3  # it stands for those on both sides of it
    assert "certain around the" in panel.reason.text()
    assert "nothing is corrected yet" in panel.reason.text()
    press(panel.confirm)
    assert not panel.confirm.isEnabled()
    assert "confirmed already" in panel.confirm.toolTip()
    next_slice()
    second = stage.slice_index
    assert second < first - 1  # not the neighbour
    assert "unlike the one slice corrected so far" in panel.reason.text()
    assert not panel.withdraw.isEnabled()
    _paint(correcting, (second, 18, 3))
    assert [chip.text() for chip in _chips(correcting)] == [
        f"slice {second} changed",
        f"slice {first} confirmed",
    ]
    qtbot.waitUntil(_chips(correcting)[1].isVisible)
    press(_chips(correcting)[1])
    assert stage.slice_index == first
    stage.go_to(second)
    press(panel.withdraw)
    assert [chip.text() for chip in _chips(correcting)] == [f"slice {first} confirmed"]
    proposal = stage.layer("proposal").data
    np.testing.assert_array_equal(stage.layer("corrections").data[second], proposal[second])


def test_all_slices_looked_at(correcting, press, next_slice):
    for _ in range(5):
        next_slice()
        press(correcting.correct.confirm)
    next_slice()
    text = correcting.correct.reason.text()
    assert text == "Every slice of the segmented scans has been looked at."


def test_the_next_slice_is_in_another_scan_and_nothing_is_lost(
    correcting, propose, press, next_slice, qtbot
):
    session, stage = correcting.parts.session, correcting.parts.stage
    first, second, _ = session.scan_ids
    propose(session.workspace, second)
    _paint(correcting, (4, 18, 3))
    # Not handed on yet when the next slice is asked for.
    stage.layer("corrections").paint((3, 18, 3), 2)
    next_slice()

    assert session.current.scan_id == second
    assert correcting.correct.confirm.isVisible()
    assert correcting.correct.reason.isVisible()
    assert "another scan" in correcting.correct.reason.text()
    assert set(session.workspace.corrections(first).slices) == {3, 4}
    assert session.workspace.corrections(first).slice_labels(3)[18, 3] == 2
    assert stage.layer("corrections").data[3, 18, 3] != 2


def test_the_reason_goes_with_its_scan(correcting, propose, press, next_slice, idle):
    session = correcting.parts.session
    propose(session.workspace, session.scan_ids[1])
    next_slice()
    assert correcting.correct.reason.isVisible()
    index = correcting.parts.stage.slice_index
    session.open_scan(session.scan_ids[1])
    idle()
    correcting.correct._correcting.start()
    correcting.parts.stage.go_to(index)
    assert not correcting.correct.reason.isVisible()


def test_the_reason_goes_when_the_slice_does(correcting, next_slice):
    next_slice()
    correcting.parts.stage.go_to(0)
    assert not correcting.correct.reason.isVisible()
    assert correcting.correct.where.text() == "Slice 0 of 0–4"


def test_a_deleted_layer_is_brought_back(correcting, viewer, press):
    _paint(correcting)
    viewer.layers.remove(correcting.parts.stage.layer("corrections"))
    panel = correcting.correct
    assert "Nothing is lost" in panel.notice.text
    assert not panel.confirm.isEnabled()
    press(panel.notice.action)
    assert correcting.parts.stage.layer("corrections").data[2, 18, 3] == 1
    assert not panel.notice.isVisible()


def test_replaced_data_is_told(correcting, press):
    correcting.parts.stage.layer("corrections").data = np.zeros((2, 2, 2), np.uint8)
    correcting.parts.stage.flush()
    assert "replaced by others of shape" in correcting.correct.notice.text
    press(correcting.correct.notice.action)
    assert correcting.parts.stage.is_tracking


def test_a_full_disk_is_red_and_heals(correcting, qtbot, monkeypatch):
    corrections = correcting.parts.session.current.corrections

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    corrections.flush()
    monkeypatch.setattr(corrections._journal, "append", full)
    _paint(correcting)
    saved = correcting.correct.saved
    qtbot.waitUntil(lambda: saved.text.startswith("not saved"), timeout=5000)
    assert "disk is full" in saved.text
    assert correcting.steps[2].header.summary == "not saved"
    monkeypatch.undo()
    _paint(correcting, (0, 18, 3))
    qtbot.waitUntil(lambda: saved.text.startswith("all strokes saved"), timeout=5000)


def test_reviewed(correcting, idle):
    session = correcting.parts.session
    correcting.correct.reviewed.click()
    assert session.rows[0].kind == "reviewed"
    session.open_scan(session.scan_ids[1])
    idle()
    assert not correcting.correct.reviewed.isChecked()


def test_reopening_a_scan_brings_the_corrections_back(correcting, idle):
    session = correcting.parts.session
    _paint(correcting)
    session.open_scan(session.scan_ids[1])
    idle()
    assert correcting.parts.stage.layer("corrections") is None
    session.open_scan(session.scan_ids[0])
    idle()
    assert correcting.parts.stage.layer("corrections").data[2, 18, 3] == 1
    assert [chip.text() for chip in _chips(correcting)] == ["slice 2 changed"]
    assert correcting.steps[2].is_open


def test_a_newer_model_is_offered(correcting, make_bundle, propose, idle, press):
    session = correcting.parts.session
    session.workspace.accept(make_bundle("new", "0b0b0b0b0b0b"), {})
    propose(session.workspace, session.scan_ids[0], shift=3)
    session.refresh_model()
    idle()
    panel = correcting.correct
    assert "another model" in panel.notice.text
    press(panel.notice.action)
    assert not panel.notice.isVisible()
    stage = correcting.parts.stage
    np.testing.assert_array_equal(stage.layer("corrections").data, stage.layer("proposal").data)
