"""A radiologist's complete session, with real mouse and key events in a real window."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from dgseg.bundles.bundle import default_bundle, read_info
from dgseg.errors import LabelsError
from dgseg.scans.dicom_seg import read_segmentation
from dgseg.scans.nifti import read_labels
from dgseg.site.workspace import Workspace
from napari_dgseg.demo.hand import wait_until
from napari_dgseg.demo.materials import synthetic_centre
from napari_dgseg.demo.player import Player
from napari_dgseg.demo.session import Plan, play
from napari_dgseg.dock import SiteAdaptationDock

pytestmark = pytest.mark.timeout(420)


def _reorient(path, codes):
    """Store a NIfTI file with other axes; voxels stay where they are in the patient."""
    image = nib.load(path)
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(codes))
    turned = image.as_reoriented(turn)
    nib.save(nib.Nifti1Image(np.asarray(turned.dataobj).copy(), turned.affine), path)


def _window(make_napari_viewer, site):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    dock = SiteAdaptationDock(viewer, site)
    viewer.window.add_dock_widget(dock, name="Site adaptation", area="right")
    return viewer, dock


def test_open_segment_correct_adapt_accept_export_reopen(make_napari_viewer, tmp_path):
    materials = synthetic_centre(tmp_path, 3, seed=3, n_slices=6, shape=(128, 128))
    _reorient(materials.paths[2], "PSR")
    site = tmp_path / "site"
    Workspace.open(site, name="test", bundle=default_bundle()).close()
    viewer, dock = _window(make_napari_viewer, site)
    told = []
    plan = Plan(n_corrections=3, minutes=None, steps=6, holdout_every=3)
    result = play(Player(viewer, dock), materials, tmp_path, plan, told.append)

    # The strokes made the corrected slices equal to the truth, and nothing else was painted.
    workspace = dock.parts.session.workspace
    painted = {}
    for record in workspace.records:
        corrections = workspace.corrections(record.scan_id)
        for index in corrections.slices:
            np.testing.assert_array_equal(
                corrections.slice_labels(index), materials.truths[record.scan_id].labels[index]
            )
        if corrections.slices:
            painted[record.scan_id] = corrections.labels.copy()
    assert sum(len(workspace.corrections(one).slices) for one in painted) == 3
    # A slice of another scan teaches more than its neighbour.
    assert len(painted) > 1
    scan_id = next(iter(painted))

    # The candidate became the accepted bundle, a child of the bundled one.
    info = workspace.accepted_info
    assert info.bundle_id == result["bundle_id"]
    assert info.parent_id == read_info(default_bundle()).bundle_id
    assert [entry.action for entry in workspace.history][-1].startswith("accept")

    # Labels came out on the grids of their scans, the DICOM series also as DICOM-SEG.
    _check_exports(workspace, tmp_path / "labels", painted)

    # Everything is there again after a restart, and the site was let go in between.
    viewer.close()
    wait_until(lambda: not dock.parts.is_open, 30, "closing")
    viewer, dock = _window(make_napari_viewer, site)
    player = Player(viewer, dock)
    assert {row.scan_id for row in dock.parts.session.rows} == set(materials.truths)
    player.open_scan(scan_id)
    layer = dock.parts.stage.layer("corrections")
    np.testing.assert_array_equal(layer.data, painted[scan_id])
    assert dock.parts.session.info.bundle_id == info.bundle_id
    viewer.close()
    wait_until(lambda: not dock.parts.is_open, 30, "closing")


def _check_exports(workspace, folder, painted):
    kinds = set()
    for record in workspace.records:
        scan = workspace.read_scan(record.scan_id)
        kinds.add(scan.source.kind)
        proposal = workspace.read_proposal(record.scan_id, workspace.accepted_info.bundle_id)
        expected = np.array(proposal.labels)
        if record.scan_id in painted:
            corrected = list(workspace.corrections(record.scan_id).slices)
            expected[corrected] = painted[record.scan_id][corrected]
        matches = [
            path
            for path in folder.glob("*.nii.gz")
            if np.array_equal(_labels_or_none(path, scan), expected)
        ]
        assert matches, f"no exported labels equal those of {record.scan_id}"
        if scan.source.kind == "dicom":
            (segmentation,) = folder.glob("*.dcm")
            np.testing.assert_array_equal(read_segmentation(segmentation, scan), expected)
    assert kinds == {"dicom", "nifti"}


def _labels_or_none(path, scan):
    try:
        return read_labels(path, scan)
    except LabelsError:
        return None
