"""Old, new and where they differ."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel

from dgseg.jobs.folder import JobFolder
from napari_dgseg.adapting import Adapting
from napari_dgseg.compare import Comparison, difference, measure_volumes
from napari_dgseg.correcting import Correcting
from napari_dgseg.stage import Stage


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_difference_names_every_voxel(pairs):
    old, new = np.array(pairs, np.uint8).T
    found = difference(old, new)
    for a, b, value in zip(old, new, found, strict=True):
        expected = 0 if a == b else 1 if a == 0 else 2 if b == 0 else 3
        assert value == expected


class _Watcher:
    def follow(self, folder):
        pass

    def unfollow(self):
        pass


@pytest.fixture
def parts(qtbot, with_scans, worker, propose, tmp_path):
    """A finished adaptation that proposed for the first of two segmented scans."""
    session = with_scans
    viewer = ViewerModel()
    correcting = Correcting(session)
    stage = Stage(viewer, session, correcting)
    adapting = Adapting(session, worker, _Watcher())
    comparison = Comparison(session, stage, adapting)
    first, second, _ = session.scan_ids
    propose(session.workspace, first)
    propose(session.workspace, second)
    folder = JobFolder(session.workspace.new_job_folder("adapt"))
    propose(session.workspace, first, folder.proposals(first), shift=3)
    (folder.path / "result.json").write_text(json.dumps({"verdict": {"colour": "green"}}))
    adapting.folder = folder
    session.open_scan(first)
    yield session, stage, adapting, comparison, viewer
    stage.close()


def test_both_proposals_and_their_difference_are_layers(parts):
    _session, stage, adapting, comparison, _viewer = parts
    assert not comparison.is_shown
    adapting.take_state("finished")
    assert comparison.is_shown
    assert comparison.view == "candidate"
    new, old = stage.layer("candidate").data, stage.layer("proposal").data
    assert stage.layer("difference") is None
    comparison.show("difference")
    np.testing.assert_array_equal(stage.layer("difference").data, difference(old, new))
    assert set(np.unique(stage.layer("difference").data)) == {0, 1, 2, 3}
    assert list(stage.layer("difference").features["name"])[1] == "only new"
    shown = [r for r in ("proposal", "candidate", "difference") if stage.is_visible(r)]
    assert shown == ["difference"] == [comparison.view]


def test_each_scan_shows_its_own(parts):
    session, stage, adapting, comparison, _ = parts
    adapting.take_state("finished")
    first, second, _ = session.scan_ids
    assert comparison.scans == [(first, "scan-1.nii.gz")]
    session.open_scan(second)
    assert not comparison.is_shown
    assert stage.layer("candidate") is None
    comparison.open(first)
    assert comparison.is_shown
    assert comparison.scan_id == first


def test_a_decision_takes_the_comparison_off(parts):
    _session, stage, adapting, comparison, _viewer = parts
    adapting.take_state("finished")
    adapting.keep_old()
    assert stage.layer("candidate") is None
    assert stage.layer("difference") is None
    assert stage.is_visible("proposal")
    assert not comparison.is_shown


def test_the_corrections_stay_selected(parts):
    _session, stage, adapting, comparison, viewer = parts
    stage._correcting.start()
    adapting.take_state("finished")
    assert viewer.layers.selection.active is stage.layer("corrections")
    comparison.show("corrections")
    adapting.keep_old()
    assert stage.is_visible("corrections")


def test_the_view_stays_the_same_from_scan_to_scan(parts, propose):
    session, stage, adapting, comparison, viewer = parts
    first, second, _ = session.scan_ids
    propose(session.workspace, second, adapting.folder.proposals(second), shift=2)
    adapting.take_state("finished")
    comparison.show("difference")
    session.open_scan(second)
    assert comparison.view == "difference"
    assert stage.layer("candidate") is None
    viewer.layers.remove(stage.layer("difference"))
    comparison.show("difference")
    assert comparison.view == "difference"
    stage._correcting.start()
    comparison.show("corrections")
    session.open_scan(first)  # has no corrections to show
    assert comparison.view == "candidate"


def test_volumes_are_those_of_the_open_scan(parts):
    session, _stage, adapting, comparison, _viewer = parts
    assert comparison.volumes == {}
    adapting.take_state("finished")
    voxel_ml = 0.5 * 0.5 * 3.0 / 1000
    old = session.current.proposal.labels
    assert set(comparison.volumes) == {"grey matter", "white matter"}
    for value, name in ((1, "grey matter"), (2, "white matter")):
        before, after = comparison.volumes[name]
        n_old = np.count_nonzero(old == value)
        n_new = np.count_nonzero(_stage.layer("candidate").data == value)
        assert (before, after) == pytest.approx((n_old * voxel_ml, n_new * voxel_ml))
    adapting.keep_old()
    assert comparison.volumes == {}


def test_volumes_need_the_size_of_a_voxel(make_scan):
    labels = np.ones((7, 36, 40), np.uint8)
    scan = make_scan(spacing=(1.0, 1.0, 1.0))
    assert measure_volumes(scan, labels, labels, ["all"]) == {}
    scan = make_scan(spacing=(1.0, 1.0, 2.0))
    volume = 7 * 36 * 40 * 2.0 / 1000
    assert measure_volumes(scan, labels, labels, ["all"]) == {
        "all": pytest.approx((volume, volume))
    }
