"""The tab "Reconstruction", by mouse."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dgseg.inspector.error_curve import peaks


def test_peaks_stand_out_and_hold_the_greatest():
    values = np.array([0.1, 0.1, 0.5, 0.1, 0.12, 0.1, 0.9, 0.1])
    assert peaks(values) == [2, 6]
    assert peaks(np.full(4, 0.2)) == [0]
    assert peaks(np.array([0.2])) == [0]
    assert peaks(np.array([0.1, np.nan, 0.4])) == [2]
    assert peaks(np.full(3, np.nan)) == []


def test_peaks_are_few():
    assert len(peaks(np.tile([0.0, 1.0, 0.0, 0.0], 20))) == 5


def test_a_click_on_a_peak_moves_the_slider(opened, press, viewer):
    view = opened.page.view
    stage = opened.parts.stage
    stage.go_to(4)
    press(view.curve.plot.viewport(), view.curve.place_of(1))
    assert stage.slice_index == 1
    assert round(viewer.dims.point[0] / 3.0) == 1
    assert "Slice 1: 0.300; the worst of this scan." in view.error.text()


def test_a_click_beside_a_peak_goes_there_too(opened, press):
    from qtpy.QtCore import QPoint

    curve = opened.page.view.curve
    opened.parts.stage.go_to(4)
    press(curve.plot.viewport(), curve.place_of(1) + QPoint(5, 20))
    assert opened.parts.stage.slice_index == 1


def test_the_viewer_s_slider_moves_marker_and_pictures(opened):
    view, stage = opened.page.view, opened.parts.stage
    stage.go_to(3)
    assert view.curve._marker.value() == 3
    assert "Slice 3: " in view.error.text()
    assert "the worst is slice 1 with 0.300" in view.error.text()
    assert "slice 3 of 0–4" in opened.where.text()


def test_layers_come_and_go(opened, press, press_and_wait, viewer):
    view = opened.page.view
    scan = opened.parts.session.current.scan
    press_and_wait(view.show_layers)
    names = [layer.name for layer in viewer.layers]
    assert names == ["scan-1.nii.gz", "reconstruction", "difference"]
    rebuilt, residual = viewer.layers["reconstruction"], viewer.layers["difference"]
    assert rebuilt.data.shape == scan.array.shape
    assert tuple(rebuilt.scale) == pytest.approx(scan.geometry.spacing)
    assert tuple(rebuilt.contrast_limits) == (0, 1)
    assert residual.contrast_limits[0] == -residual.contrast_limits[1]
    assert view.show_layers.text() == "Hide in the viewer"
    assert rebuilt.visible
    assert not residual.visible  # it would hide all below it
    press(view.show_layers)
    assert [layer.name for layer in viewer.layers if layer.visible] == ["scan-1.nii.gz"]
    assert view.show_layers.text() == "Show in the viewer"
    press_and_wait(view.show_layers)
    assert [layer.visible for layer in viewer.layers] == [True, True, False]
    assert viewer.layers["reconstruction"] is rebuilt


def test_one_layer_comes_a_turn(opened, press, viewer, qtbot):
    press(opened.page.view.show_layers)
    assert "difference" not in viewer.layers
    qtbot.waitUntil(lambda: "difference" in viewer.layers)


def test_a_scan_that_is_closed_has_no_more_layers_to_come(opened, press, viewer, qtbot):
    press(opened.page.view.show_layers)
    opened.parts.session.close_scan()
    assert not opened.showing.is_busy
    assert not viewer.layers


def test_an_eye_in_the_layer_list_is_as_good_as_the_button(opened, press_and_wait, viewer):
    view = opened.page.view
    press_and_wait(view.show_layers)
    viewer.layers["reconstruction"].visible = False
    assert view.show_layers.text() == "Show in the viewer"
    press_and_wait(view.show_layers)
    assert viewer.layers["reconstruction"].visible


def test_a_person_may_delete_the_layers(opened, press_and_wait, viewer):
    view = opened.page.view
    press_and_wait(view.show_layers)
    viewer.layers.remove("reconstruction")
    viewer.layers.remove("difference")
    assert view.show_layers.text() == "Show in the viewer"


def test_side_by_side_and_back(opened, press_and_wait, viewer, propose):
    view, session = opened.page.view, opened.parts.session
    grid = viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid
    propose(session.workspace, opened.inspecting.scan_id)
    session.reload_proposal()
    opened.settle()
    press_and_wait(view.side_by_side)
    assert grid.enabled
    assert grid.position(0, viewer.layers) == (0, 0)  # the scan comes first
    shown = [layer.name for layer in viewer.layers if layer.visible]
    assert shown == ["scan-1.nii.gz", "reconstruction", "difference"]
    press_and_wait(view.side_by_side)
    assert not grid.enabled
    assert viewer.layers["proposal (telling)"].visible
    assert not viewer.layers["difference"].visible


def test_who_changes_their_mind_at_once_finds_all_as_it_was(opened, press, viewer, propose):
    view, session = opened.page.view, opened.parts.session
    propose(session.workspace, opened.inspecting.scan_id)
    session.reload_proposal()
    opened.settle()
    before = [layer.name for layer in viewer.layers if layer.visible]
    press(view.side_by_side)
    press(view.show_layers)  # hides them
    assert [layer.name for layer in viewer.layers if layer.visible] == before
    assert not opened.showing.is_busy


def test_eyes_that_are_all_shut_end_side_by_side(opened, press_and_wait, viewer):
    grid = viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid
    press_and_wait(opened.page.view.side_by_side)
    for name in ("reconstruction", "difference"):
        viewer.layers[name].visible = False
    assert not grid.enabled
    assert not opened.page.view.side_by_side.isChecked()
    assert [layer.name for layer in viewer.layers if layer.visible] == ["scan-1.nii.gz"]


def test_side_by_side_is_without_a_model_that_is_no_longer_compared(
    opened, press_and_wait, viewer
):
    view, showing = opened.page.view, opened.showing
    scan, painted = opened.parts.session.current.scan, opened.page.painted[0][1]
    showing.show(scan, [("one", painted), ("other", painted)])
    press_and_wait(view.side_by_side)
    assert len([layer for layer in viewer.layers if layer.visible]) == 5
    press_and_wait(view.side_by_side)
    press_and_wait(view.show_layers)
    press_and_wait(view.show_layers)
    press_and_wait(view.side_by_side)
    shown = [layer.name for layer in viewer.layers if layer.visible]
    assert shown == ["scan-1.nii.gz", "reconstruction", "difference"]


def test_another_scan_takes_the_layers_along(opened, press_and_wait, viewer, idle, qtbot):
    view, session = opened.page.view, opened.parts.session
    press_and_wait(view.side_by_side)
    session.open_scan(session.scan_ids[1])
    idle()
    opened.settle()
    qtbot.waitUntil(lambda: not opened.parts.stage.is_clearing_up)
    assert [layer.name for layer in viewer.layers] == ["scan-2.nii.gz"]
    assert not view.side_by_side.isChecked()
    grid = viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid
    assert not grid.enabled
    assert not view.body.text


def test_closing_the_dock_takes_its_layers_out(opened, press, viewer):
    press(opened.page.view.show_layers)
    opened.close()
    assert "reconstruction" not in viewer.layers
