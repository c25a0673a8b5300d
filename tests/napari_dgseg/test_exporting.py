"""Labels out of the dock."""

from __future__ import annotations

import nibabel as nib
import numpy as np

from dgseg.site.workspace import Workspace
from napari_dgseg.correcting import Correcting
from napari_dgseg.exporting import Exporting, file_names


def test_says_why_not(with_scans, propose):
    exporting = Exporting(with_scans)
    scan_id = with_scans.scan_ids[0]
    assert "step 2" in exporting.why_not([scan_id])
    propose(with_scans.workspace, scan_id)
    with_scans.refresh_row(scan_id)
    assert exporting.why_not([scan_id]) == ""


def test_corrections_where_there_are_some_else_the_proposal(
    with_scans, propose, tmp_path, scan_files
):
    session, exporting = with_scans, Exporting(with_scans)
    correcting = Correcting(session)
    first, second, _ = session.scan_ids
    for scan_id in (first, second):
        propose(session.workspace, scan_id)
    session.open_scan(first)
    correcting.start()
    labels = correcting.labels[0]
    labels[0, 0] = 1
    correcting.record(0, labels)
    exporting.export(session.scan_ids, tmp_path / "out")
    outcome = exporting.outcome
    assert list(outcome.written) == ["scan-1.nii.gz", "scan-2.nii.gz"]
    assert list(outcome.problems) == ["scan-3.nii.gz"]
    assert "no labels yet" in outcome.sentence
    image = nib.load(outcome.written["scan-1.nii.gz"][0])
    assert image.shape == nib.load(scan_files[0]).shape
    np.testing.assert_array_equal(image.affine, nib.load(scan_files[0]).affine)
    scan = session.current.scan
    corrected = correcting.labels
    np.testing.assert_array_equal(
        np.asarray(image.dataobj), scan.geometry.to_original(corrected)
    )


def test_a_folder_that_cannot_be_written_is_told(with_scans, propose, tmp_path):
    exporting = Exporting(with_scans)
    scan_id = with_scans.scan_ids[0]
    propose(with_scans.workspace, scan_id)
    (tmp_path / "file").write_text("in the way")
    exporting.export([scan_id], tmp_path / "file")
    assert exporting.outcome.problems
    assert not exporting.is_running


def test_names_do_not_clash(session, scan_files, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "scan-1.nii.gz").write_bytes(scan_files[1].read_bytes())
    session.add_paths([scan_files[0], other / "scan-1.nii.gz", scan_files[2]])
    names = file_names(session.workspace.records)
    assert len({name.casefold() for name in names.values()}) == 3
    assert names[session.scan_ids[2]] == "scan-3"
    assert isinstance(session.workspace, Workspace)
