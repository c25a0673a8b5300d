"""Our layers in the viewer, and nobody else's. Without Qt windows."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dgseg.correcting import Correcting
from napari_dgseg.layers import scan_of
from napari_dgseg.stage import Stage
from napari_dgseg.viewer_scans import role_of, scans_in


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def stage(qtbot, viewer, with_scans):
    correcting = Correcting(with_scans)
    stage = Stage(viewer, with_scans, correcting)
    yield stage
    stage.close()


@pytest.fixture
def opened(stage, with_scans, propose):
    """The first scan with its proposal on display."""
    propose(with_scans.workspace, with_scans.scan_ids[0])
    with_scans.open_scan(with_scans.scan_ids[0])
    return stage


@pytest.fixture
def correcting(opened):
    opened._correcting.start()
    return opened._correcting


@pytest.fixture
def settle(qtbot, opened):
    """A function that waits until the layers of the scan before are gone."""
    return lambda: qtbot.waitUntil(lambda: not opened.is_clearing_up)


def _names(viewer):
    return [layer.name for layer in viewer.layers]


def test_the_proposal_is_a_new_layer_in_the_schemas_colours(opened, viewer, with_scans):
    assert _names(viewer) == ["scan-1.nii.gz", "proposal (spinal-gm)"]
    proposal = opened.layer("proposal")
    np.testing.assert_array_equal(proposal.data, with_scans.current.proposal.labels)
    colours = proposal.colormap.color_dict
    assert np.allclose(colours[1], np.array([0xFF, 0xB0, 0, 0xFF]) / 255)
    assert list(proposal.features["name"]) == ["background", "grey matter", "white matter"]
    assert opened.layer("uncertainty") is None
    assert opened.slice_index == 4  # the least certain one


def test_layers_lie_over_each_other_in_millimetres(opened, viewer):
    scales = {tuple(layer.scale) for layer in viewer.layers}
    translations = {tuple(layer.translate) for layer in viewer.layers}
    assert scales == {(3.0, 0.5, 0.5)}
    assert len(translations) == 1


def test_a_person_who_paints_on_the_proposal_changes_no_file(opened, with_scans):
    before = np.array(with_scans.current.proposal.labels)
    opened.layer("proposal").data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    np.testing.assert_array_equal(with_scans.current.proposal.labels, before)


def test_start_correcting_copies_selects_and_paints(correcting, opened, viewer):
    layer = opened.layer("corrections")
    assert viewer.layers.selection.active is layer
    assert layer.mode == "paint"
    assert layer.selected_label == 1
    assert viewer.layers[-1] is layer
    assert not opened.is_visible("proposal")
    assert not np.shares_memory(layer.data, opened.layer("proposal").data)


def test_paint_undo_redo_are_seen(correcting, opened):
    layer = opened.layer("corrections")
    opened.go_to(2)
    layer.paint((2, 18, 3), 1)
    opened.flush()
    assert correcting.slices == {2: "changed"}
    layer.undo()
    opened.flush()
    assert correcting.slices == {}
    layer.redo()
    opened.flush()
    assert correcting.slices == {2: "changed"}


def test_withdraw_can_be_undone(correcting, opened):
    layer = opened.layer("corrections")
    layer.paint((2, 18, 3), 1)
    opened.flush()
    painted = layer.data[2].copy()
    opened.set_slice(2, correcting.withdraw(2))
    opened.flush()
    assert correcting.slices == {}
    np.testing.assert_array_equal(layer.data[2], opened.layer("proposal").data[2])
    layer.undo()
    opened.flush()
    np.testing.assert_array_equal(layer.data[2], painted)
    assert correcting.slices == {2: "changed"}


def test_choose_label_and_erase(correcting, opened):
    opened.choose_label(2)
    layer = opened.layer("corrections")
    assert (layer.mode, layer.selected_label) == ("paint", 2)
    opened.choose_label(0)
    assert layer.mode == "erase"


def test_switching_scans_takes_only_our_layers_and_every_stroke(
    correcting, opened, viewer, with_scans, settle
):
    mine = viewer.add_points(np.zeros((1, 3)), name="mine")
    other = viewer.add_labels(np.zeros((5, 4, 4), int), name="other labels")
    opened.layer("corrections").paint((3, 18, 3), 1)  # not flushed
    first, second, _ = with_scans.scan_ids
    with_scans.open_scan(second)
    settle()
    assert mine in viewer.layers
    assert other in viewer.layers
    assert _names(viewer) == ["scan-2.nii.gz", "mine", "other labels"]
    with_scans.open_scan(first)
    assert correcting.slices == {3: "changed"}
    assert opened.layer("corrections").data[3, 18, 3] == 1
    assert opened.is_tracking


def test_deleting_the_corrections_layer_loses_nothing(correcting, opened, viewer):
    layer = opened.layer("corrections")
    layer.paint((1, 18, 3), 2)  # not flushed
    viewer.layers.remove(layer)
    assert opened.layer("corrections") is None
    assert not opened.is_tracking
    assert correcting.slices == {1: "changed"}
    opened.reopen_corrections()
    assert opened.layer("corrections").data[1, 18, 3] == 2
    assert opened.is_tracking


def test_uncertainty_comes_when_asked_for_and_lies_under_the_labels(opened, viewer):
    opened.set_visible("uncertainty", True)
    assert _names(viewer) == ["scan-1.nii.gz", "uncertainty", "proposal (spinal-gm)"]
    assert opened.is_visible("uncertainty")
    opened.set_visible("uncertainty", False)
    assert not opened.is_visible("uncertainty")
    assert opened.layer("uncertainty") is not None


@pytest.mark.parametrize("role", ["scan", "proposal"])
def test_any_other_layer_of_ours_may_be_deleted(opened, viewer, with_scans, role):
    viewer.layers.remove(opened.layer(role))
    with_scans.open_scan(with_scans.scan_ids[1])
    with_scans.open_scan(with_scans.scan_ids[0])
    assert opened.layer(role) is not None


def test_clearing_the_viewer_while_correcting(correcting, opened, viewer):
    opened.layer("corrections").paint((1, 18, 3), 2)
    viewer.layers.clear()
    assert correcting.slices == {1: "changed"}
    assert opened.slice_index == 0
    opened.reopen_corrections()
    assert _names(viewer) == ["scan-1.nii.gz", "corrections"]


def test_labels_of_the_wrong_shape_are_told_and_mended(correcting, opened):
    layer = opened.layer("corrections")
    layer.paint((1, 18, 3), 2)
    opened.flush()
    layer.data = np.zeros((3, 4, 4), np.uint8)
    opened.flush()
    assert "replaced by others of shape" in opened.problem.problem
    assert not opened.is_tracking
    assert correcting.slices == {1: "changed"}
    opened.reopen_corrections()
    assert opened.problem is None
    assert opened.layer("corrections").data[1, 18, 3] == 2


def test_a_new_proposal_replaces_ours_and_keeps_the_selection(
    correcting, opened, viewer, with_scans, propose
):
    corrections = opened.layer("corrections")
    propose(with_scans.workspace, with_scans.scan_ids[0], shift=4)
    with_scans.reload_proposal()
    assert _names(viewer).count("proposal (spinal-gm)") == 1
    assert viewer.layers.selection.active is corrections
    assert viewer.layers[-1] is corrections
    assert corrections.mode == "paint"


def test_go_to_in_a_viewer_of_four_dimensions(opened, viewer):
    viewer.add_image(np.zeros((2, 5, 4, 4)), name="time series")
    opened.go_to(1)
    assert opened.slice_index == 1
    opened.go_to(3)
    assert opened.slice_index == 3


def test_our_own_image_is_known_as_its_scan(opened, viewer, with_scans):
    layer = opened.layer("scan")
    assert scan_of(layer) is with_scans.current.scan
    assert role_of(layer) == "scan"
    scans, _ = scans_in(viewer, set(with_scans.scan_ids))
    assert scans == []


def test_close_lets_go_of_the_viewer(opened, viewer):
    opened.close()
    viewer.layers.clear()
    viewer.dims.ndim = 3
    assert opened.layer("scan") is None


# --- the next scan takes over what it can --------------------------------------------------


@pytest.fixture
def two_proposals(opened, with_scans, propose):
    """The first of two scans that have a proposal each."""
    propose(with_scans.workspace, with_scans.scan_ids[1], shift=4)
    return opened


def test_the_next_scan_has_the_layers_of_the_one_before(two_proposals, viewer, with_scans):
    scan, proposal = (two_proposals.layer(role) for role in ("scan", "proposal"))
    inserted = []
    viewer.layers.events.inserted.connect(inserted.append)
    with_scans.open_scan(with_scans.scan_ids[1])
    assert two_proposals.layer("scan") is scan
    assert two_proposals.layer("proposal") is proposal
    assert not inserted
    assert _names(viewer) == ["scan-2.nii.gz", "proposal (spinal-gm)"]
    current = with_scans.current
    np.testing.assert_array_equal(scan.data, current.scan.array)
    np.testing.assert_array_equal(proposal.data, current.proposal.labels)
    assert scan_of(scan) is scan_of(proposal) is current.scan
    assert not np.shares_memory(proposal.data, current.proposal.labels)


def test_nothing_of_what_a_person_did_to_the_layers_goes_on_to_the_next_scan(
    two_proposals, viewer, with_scans
):
    scan, proposal = (two_proposals.layer(role) for role in ("scan", "proposal"))
    scan.gamma, scan.contrast_limits, scan.visible = 0.3, (1, 2), False
    scan.affine = np.diag([2.0, 1, 1, 1])
    proposal.data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    proposal.mode = "paint"
    with_scans.open_scan(with_scans.scan_ids[1])
    assert (scan.gamma, scan.visible) == (1.0, True)
    assert scan.contrast_limits[1] > 100
    np.testing.assert_array_equal(scan.affine.affine_matrix, np.eye(4))
    proposal.undo()
    np.testing.assert_array_equal(proposal.data, with_scans.current.proposal.labels)
    assert proposal.mode == "pan_zoom"


def test_a_scan_without_a_proposal_leaves_none_of_the_one_before(
    opened, viewer, with_scans, settle
):
    proposal = opened.layer("proposal")
    with_scans.open_scan(with_scans.scan_ids[1])
    assert opened.layer("proposal") is None
    assert not proposal.visible
    settle()
    assert _names(viewer) == ["scan-2.nii.gz"]


def test_corrections_of_two_scans_never_share_a_layer(
    correcting, opened, viewer, with_scans, propose, settle
):
    first = opened.layer("corrections")
    propose(with_scans.workspace, with_scans.scan_ids[1])
    with_scans.open_scan(with_scans.scan_ids[1])
    correcting.start()
    assert opened.layer("corrections") is not first
    assert opened.layer("corrections").name == "corrections"
    settle()
    assert first not in viewer.layers
    assert viewer.layers.selection.active is opened.layer("corrections")


def test_a_scan_that_does_not_come_takes_the_one_before_along(
    opened, viewer, with_scans, runner, monkeypatch, settle
):
    submitted = []
    monkeypatch.setattr(
        runner, "submit", lambda work, *, on_error, **_: submitted.append(on_error)
    )
    with_scans.open_scan(with_scans.scan_ids[1])  # it is being read
    with_scans.close_scan()
    assert opened.layer("scan") is None
    submitted[0](OSError("the disk has gone"))
    settle()
    assert _names(viewer) == []


def test_what_is_added_takes_no_selection_away(opened, viewer):
    changed = []
    viewer.layers.selection.active = opened.layer("scan")
    viewer.layers.selection.events.changed.connect(changed.append)
    opened.set_visible("uncertainty", True)
    assert set(viewer.layers.selection) == {opened.layer("scan")}
    assert not changed


def test_an_eye_that_a_person_clicks_is_told(opened, viewer):
    told = []
    opened.layers_changed.connect(lambda: told.append(opened.is_visible("proposal")))
    opened.layer("proposal").visible = False
    assert told == [False]
