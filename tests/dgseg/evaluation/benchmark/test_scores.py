"""What is written down of each scan."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dgseg.datasets.registry import Entry
from dgseg.evaluation.benchmark.results import MEASURES
from dgseg.evaluation.benchmark.scores import (
    model_slices,
    score_subject_scan,
    score_subject_scans,
)
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.preprocessing import Preprocessing, normalise
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import SPINAL_GM


def truth_of(subject="p1", spacing=(4.0, 0.5, 0.5), *, labelled=True, annotated=None):
    labels = np.zeros((4, 24, 24), np.uint8)
    labels[:, 6:16, 6:16] = 2
    labels[:, 9:13, 9:13] = 1
    affine = np.diag([spacing[2], spacing[1], spacing[0], 1])
    source = ScanSource(kind="memory", path=Path("memory"))
    array = labels + np.random.default_rng(0).normal(0, 0.1, labels.shape)
    scan = Scan(array.astype(np.float32), Geometry((24, 24, 4), affine, 2), source)
    marks = np.array([True, True, True, False]) if annotated is None else annotated
    if not labelled:
        return AnnotatedScan(scan, None, None, "site", subject)
    return AnnotatedScan(scan, labels, marks, "site", subject)


def entry_of(truth):
    labelled = truth.labels is not None
    return Entry(truth.domain, truth.subject, truth.scan.source, labelled, lambda: truth)


class Shifted:
    """A segmenter that is one row off, and all wrong where nobody looked."""

    info = SimpleNamespace(labels=SPINAL_GM)

    def segment(self, scan):
        labels = np.roll(truth_of().labels, 1, axis=1)
        labels[3] = 1
        return SimpleNamespace(labels=labels)


def test_scores_by_hand():
    (found,) = score_subject_scans(Shifted(), [entry_of(truth_of())], in_pixels=False)
    # Grey matter: 4 x 4 pixels in each slice, 4 x 3 of them hit.
    assert found["subject"] == "p1"
    assert found["scan_id"] == truth_of().scan.scan_id
    assert found["n_slices"] == 3
    assert found["dice"]["GM"] == pytest.approx(12 / 16)
    assert found["iou"]["GM"] == pytest.approx(12 / 20)
    assert found["precision"]["GM"] == found["recall"]["GM"] == pytest.approx(12 / 16)
    assert found["specificity"]["GM"] == pytest.approx(1 - 4 / (24 * 24 - 16))
    assert found["hd95"]["GM"] == pytest.approx(0.5)
    # White matter: 84 pixels; 4 + 10 are not hit on either side.
    assert found["dice_2d"]["GM"] == pytest.approx(12 / 16)
    assert found["dice_2d"]["pooled"] == pytest.approx((12 + 70) / 100)


def test_distances_in_pixels_do_not_know_the_size_of_a_voxel():
    (found,) = score_subject_scans(Shifted(), [entry_of(truth_of())], in_pixels=True)
    assert found["hd95"]["GM"] == pytest.approx(1.0)


def test_it_is_what_a_table_reads():
    found = score_subject_scan(truth_of().labels, truth_of(), SPINAL_GM, in_pixels=True)
    assert {*MEASURES} < {*found}
    for measure in MEASURES:
        assert {"GM", "WM"} <= {*found[measure]}
    assert json.loads(json.dumps(found)) == found


def test_only_what_a_person_drew_is_scored():
    nothing = truth_of("p2", annotated=np.zeros(4, bool))
    bare = truth_of("p3", labelled=False)
    entries = [entry_of(item) for item in (truth_of(), nothing, bare)]
    found = score_subject_scans(Shifted(), entries, in_pixels=True)
    assert [scan["subject"] for scan in found] == ["p1"]
    with pytest.raises(ValueError, match="without labels"):
        score_subject_scan(nothing.labels, bare, SPINAL_GM, in_pixels=True)


def test_slices_are_those_that_the_model_sees():
    preprocessing = Preprocessing(spacing_mm=0.75)
    truth = truth_of()
    (found,) = model_slices(
        [entry_of(truth), entry_of(truth_of(labelled=False))], preprocessing
    )
    assert found.shape == (3, 1, 16, 16)
    (same,) = model_slices([entry_of(truth)], Preprocessing())
    expected = normalise(truth.scan.array, Preprocessing())[:3]
    np.testing.assert_array_equal(same[:, 0].numpy(), expected)
