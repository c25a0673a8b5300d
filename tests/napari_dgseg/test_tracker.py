from __future__ import annotations

import numpy as np
import pytest

from dgseg.errors import LabelsError
from napari_dgseg.tracker import CorrectionTracker


class Heard(list):
    """Collects what a tracker reports."""

    def __call__(self, index, labels):
        self.append((index, labels))

    @property
    def slices(self):
        return [index for index, _ in self]


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def tracker(qapp, viewer_model, corrections, heard):
    tracker = CorrectionTracker(corrections, heard, viewer=viewer_model, delay_ms=10)
    yield tracker
    tracker.detach()


@pytest.fixture
def settle(qtbot, tracker):
    """Wait until the tracker has looked at everything by itself."""
    return lambda: qtbot.waitUntil(lambda: not tracker.pending, timeout=5000)


def stroke(layer, slice_index, start=(5, 5), stop=(5, 25), label=1):
    """A brush stroke as the mouse bindings do one: steps that make one undo."""
    with layer.block_history():
        for t in np.linspace(0, 1, 8):
            at = np.asarray(start) * (1 - t) + np.asarray(stop) * t
            layer.paint((slice_index, *at), label)


def test_a_stroke_reports_its_slice_with_a_copy(viewer_model, corrections, heard, settle):
    viewer_model.dims.set_current_step(0, 3)
    stroke(corrections, 3)
    settle()
    assert heard.slices == [3]
    np.testing.assert_array_equal(heard[0][1], corrections.data[3])
    corrections.data[3] = 0
    assert heard[0][1].any()


def test_two_strokes_and_a_move_within_the_pause(viewer_model, corrections, heard, settle):
    viewer_model.dims.set_current_step(0, 3)
    stroke(corrections, 3)
    viewer_model.dims.set_current_step(0, 4)
    stroke(corrections, 4)
    settle()
    assert sorted(heard.slices) == [3, 4]


def test_half_a_stroke_is_not_reported(viewer_model, corrections, heard, settle, qtbot):
    viewer_model.dims.set_current_step(0, 2)  # sets off a comparison at leisure
    with corrections.block_history():
        for column in range(5, 25):
            corrections.paint((2, 5, column), 1)
            qtbot.wait(60)
        assert heard == []
    settle()
    assert heard.slices == [2]


def test_undo_and_redo_elsewhere(viewer_model, corrections, tracker, heard, settle):
    viewer_model.dims.set_current_step(0, 2)
    stroke(corrections, 2)
    settle()
    assert not tracker.is_base(2)
    viewer_model.dims.set_current_step(0, 6)
    corrections.undo()
    settle()
    assert heard.slices == [2, 2]
    assert tracker.is_base(2)
    corrections.redo()
    settle()
    assert heard.slices == [2, 2, 2]
    assert not tracker.is_base(2)


def test_fill_polygon_and_eraser(viewer_model, corrections, heard, settle):
    viewer_model.dims.set_current_step(0, 1)
    corrections.fill((1, 9, 11), 1)
    settle()
    viewer_model.dims.set_current_step(0, 5)
    corrections.paint_polygon(np.array([(5, 2, 2), (5, 2, 9), (5, 7, 9)]), 2)
    settle()
    viewer_model.dims.set_current_step(0, 0)
    stroke(corrections, 0, start=(10, 10), stop=(14, 20), label=0)
    settle()
    assert heard.slices == [1, 5, 0]


def test_fill_in_3d_reports_every_slice(corrections, heard, settle):
    corrections.n_edit_dimensions = 3
    corrections.fill((0, 13, 15), 2)
    settle()
    assert sorted(heard.slices) == list(range(7))


def test_a_script_that_sets_items_elsewhere(viewer_model, corrections, heard, settle):
    viewer_model.dims.set_current_step(0, 0)
    corrections.data_setitem((np.array([5, 6]), np.array([1, 1]), np.array([1, 2])), 2)
    settle()
    assert sorted(heard.slices) == [5, 6]


def test_a_script_that_writes_into_the_array(corrections, heard, settle):
    corrections.data[4, :3] = 1
    corrections.refresh()
    settle()
    assert heard.slices == [4]


def test_moving_through_slices_reports_nothing(viewer_model, tracker, heard, settle):
    for index in range(7):
        viewer_model.dims.set_current_step(0, index)
    settle()
    tracker.flush()
    assert heard == []


def test_painting_across_slices_when_the_axes_are_rolled(
    viewer_model, corrections, heard, settle
):
    viewer_model.dims.roll()
    row = int(viewer_model.dims.current_step[2])
    with corrections.block_history():
        for index in (2, 3):
            corrections.paint((index, 20, row), 1)
    settle()
    changed = np.flatnonzero(corrections.data[:, 20, row] == 1)
    assert sorted(heard.slices) == sorted(set(heard.slices))
    assert set(changed) <= set(heard.slices)


def test_an_array_of_the_same_shape_is_compared(corrections, labels, heard, settle):
    other = labels.copy()
    other[6] = 0
    corrections.data = other
    settle()
    assert heard.slices == [6]


def test_another_shape_is_a_problem_and_ends_the_watch(corrections, tracker, heard, qtbot):
    problems = []
    tracker.problem.connect(problems.append)
    corrections.data = np.zeros((2, 5, 5), np.uint8)
    qtbot.waitUntil(lambda: bool(problems), timeout=5000)
    assert not tracker.attached
    assert isinstance(problems[0], LabelsError)
    assert heard == []
    tracker.flush()
    assert len(problems) == 1


def test_flush_reports_at_once_even_what_sent_no_event(corrections, tracker, heard):
    corrections.data[1, 0, 0] = 2
    stroke(corrections, 0)
    tracker.flush()
    assert heard.slices == [0, 1]
    assert not tracker.pending


def test_acknowledged_changes_are_the_plugins_own(corrections, tracker, heard):
    corrections.data[1] = 0
    corrections.data[2] = 0
    tracker.acknowledge([1])
    tracker.flush()
    assert heard.slices == [2]
    corrections.data[3] = 0
    tracker.acknowledge()
    tracker.flush()
    assert heard.slices == [2]


def test_the_base_may_be_a_proposal_on_disk(qapp, viewer_model, corrections, tmp_path):
    np.save(tmp_path / "labels.npy", corrections.data)
    base = np.load(tmp_path / "labels.npy", mmap_mode="r")
    corrections.data[0] = 0
    tracker = CorrectionTracker(corrections, viewer=viewer_model, base=base)
    assert not tracker.is_base(0)
    assert tracker.is_base(1)
    tracker.detach()


def test_a_base_of_another_shape_is_refused(qapp, corrections):
    with pytest.raises(LabelsError):
        CorrectionTracker(corrections, base=np.zeros((1, 2, 3), np.uint8))


def test_detached_trackers_hear_nothing(corrections, tracker, heard):
    tracker.detach()
    tracker.detach()
    stroke(corrections, 0)
    tracker.flush()
    assert heard == []


def test_without_a_viewer_all_slices_are_compared(qapp, corrections, heard, qtbot):
    tracker = CorrectionTracker(corrections, heard, delay_ms=10)
    stroke(corrections, 6)
    qtbot.waitUntil(lambda: heard.slices == [6], timeout=5000)
    tracker.detach()


def test_real_mouse_strokes_in_a_real_viewer(make_napari_viewer, qtbot, viewer_model):
    heard = Heard()
    viewer = make_napari_viewer()
    for layer in list(viewer_model.layers):
        viewer.add_layer(layer)
    layer = viewer.layers["corrections"]
    viewer.dims.set_current_step(0, 3)
    layer.mode = "paint"
    layer.selected_label = 1
    tracker = CorrectionTracker(layer, heard, viewer=viewer, delay_ms=10)
    before = layer.data[3].copy()
    _drag(qtbot, viewer)
    qtbot.waitUntil(lambda: heard.slices == [3], timeout=5000)
    assert (layer.data[3] != before).any()
    tracker.detach()


def _drag(qtbot, viewer):
    """Press, move and release the mouse across the middle of the canvas."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtWidgets import QApplication

    viewer.window.resize(700, 500)
    viewer.show()
    canvas = max(
        (w for w in QApplication.allWidgets() if type(w).__name__.startswith("CanvasBackend")),
        key=lambda w: w.width() * w.height() if w.isVisible() else 0,
    )
    qtbot.waitUntil(lambda: canvas.isVisible() and canvas.width() > 100, timeout=5000)
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(canvas, left, pos=middle)
    for x in range(5, 40, 5):
        qtbot.mouseMove(canvas, middle + QPoint(x, 0))
    qtbot.mouseRelease(canvas, left, pos=middle + QPoint(40, 0))
