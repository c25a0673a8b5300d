"""What a session achieved: counted where the truth is known and nobody corrected."""

from __future__ import annotations

import json
import sys

import nibabel as nib
import numpy as np
import pytest
import torch

from dgseg.bundles.bundle import BundleInfo, write_bundle
from dgseg.errors import WorkspaceError
from dgseg.evaluation.session import main, read_truths, score_session
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.scan import ScanSource
from dgseg.scans.schema import SPINAL_GM
from dgseg.scans.sources import read
from dgseg.scans.truths import write_truths
from dgseg.site.proposals import Proposal, write_proposal
from dgseg.site.workspace import Workspace

NEW_ID = "f" * 12


@pytest.fixture
def site(tmp_path):
    """Two scans of five slices; the old model finds nothing, the new one everything."""
    info = BundleInfo(
        name="small",
        method="deepall",
        network={"kind": "unet"},
        preprocessing=Preprocessing(),
        labels=SPINAL_GM,
    )
    write_bundle(tmp_path / "bundle", info, {"w": torch.rand(8)})
    with Workspace.open(tmp_path / "site", name="A", bundle=tmp_path / "bundle") as site:
        for seed in range(2):
            values = np.random.default_rng(seed).normal(size=(20, 24, 5)).astype(np.float32)
            path = tmp_path / f"scan-{seed}.nii.gz"
            nib.Nifti1Image(values, np.diag([0.5, 0.5, 5.0, 1])).to_filename(path)
            scan = read(ScanSource(kind="nifti", path=path))
            site.add(scan)
            propose(site, scan, info.bundle_id, np.zeros(scan.array.shape, np.uint8))
            propose(site, scan, NEW_ID, true_labels(scan))
        yield site


def propose(site, scan, bundle_id, labels):
    certain = np.zeros(scan.n_slices, np.float32)
    proposal = Proposal(labels, np.zeros_like(labels), certain, bundle_id)
    write_proposal(site.proposal_folder(scan.scan_id, bundle_id), proposal)


def true_labels(scan):
    labels = np.zeros(scan.array.shape, np.uint8)
    labels[:, 5:15, 5:15] = 2
    labels[:, 8:12, 8:12] = 1
    return labels


@pytest.fixture
def folder(site, tmp_path):
    """True labels of the first scan, of which the last slice is not annotated."""
    scan = site.read_scan(site.records[0].scan_id)
    marks = np.array([True, True, True, True, False])
    truth = AnnotatedScan(scan, true_labels(scan), marks, "elsewhere")
    write_truths(tmp_path / "truth", {scan.scan_id: truth})
    return tmp_path / "truth"


def test_truths_of_the_sites_scans_alone(site, folder):
    truths = read_truths(folder, site)

    (scan_id,) = truths
    assert scan_id == site.records[0].scan_id
    assert truths[scan_id].domain == "A"
    assert truths[scan_id].annotated.sum() == 4


def test_no_truth_at_all_is_said(site, tmp_path):
    with pytest.raises(WorkspaceError, match="no true labels") as caught:
        read_truths(tmp_path / "nowhere", site)
    assert caught.value.path == tmp_path / "nowhere"


def test_slices_that_somebody_corrected_do_not_count(site, folder):
    truths = read_truths(folder, site)
    (scan_id,) = truths
    old_id = site.accepted_info.bundle_id
    untouched = score_session(site, truths, old_id, NEW_ID)
    corrections = site.corrections(scan_id)
    corrections.start(np.zeros(truths[scan_id].labels.shape, np.uint8), old_id)
    corrections.record(1, truths[scan_id].labels[1], "changed")
    scores = score_session(site, truths, old_id, NEW_ID)

    assert [(one.n_slices, one.n_corrected) for one in untouched.scans] == [(4, 0)]
    assert [(one.n_slices, one.n_corrected) for one in scores.scans] == [(3, 1)]
    assert untouched.mean(untouched_only=True) == scores.mean() == (0.0, 1.0)
    assert scores.mean(untouched_only=True) is None


def test_a_model_that_has_not_segmented_is_said(site, folder):
    with pytest.raises(WorkspaceError, match="has not segmented"):
        score_session(site, read_truths(folder, site), site.accepted_info.bundle_id, "0" * 12)


def test_a_played_session_is_scored(site, folder, tmp_path, monkeypatch):
    result = {
        "parent_id": site.accepted_info.bundle_id,
        "bundle_id": NEW_ID,
        "seconds": 3.0,
        "steps": 2,
        "verdict": {"colour": "green", "sentence": "Better."},
        "holdout": [],
    }
    (site.new_job_folder("adapt") / "result.json").write_text(json.dumps(result))
    site.close()
    monkeypatch.setattr(sys, "argv", ["session", str(folder.parent)])

    assert main() == 0

    scores = json.loads((tmp_path / "session.json").read_text(encoding="utf-8"))
    assert scores["mean"] == [0.0, 1.0]
    assert "Better." in (tmp_path / "report.html").read_text(encoding="utf-8")
