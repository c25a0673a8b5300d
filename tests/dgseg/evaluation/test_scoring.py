"""Only what a person drew counts, and what lies far away is counted too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dgseg.evaluation.scoring import ScanScore, score_scan
from dgseg.evaluation.tables import fold_table, markdown, mean_dice
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import SPINAL_GM


@pytest.fixture
def truth():
    labels = np.zeros((3, 40, 40), np.uint8)
    labels[:2, 10:20, 10:20] = 2
    labels[:2, 13:17, 13:17] = 1
    geometry = Geometry((40, 40, 3), np.diag([1.0, 1, 4, 1]), 2)
    scan = Scan(
        labels.astype(np.float32), geometry, ScanSource(kind="memory", path=Path("memory"))
    )
    return AnnotatedScan(scan, labels, np.array([True, True, False]), "site", "person")


def test_the_truth_is_perfect(truth):
    score = score_scan(truth.labels, truth, SPINAL_GM)
    assert score.dice == {"GM": 1.0, "WM": 1.0}
    assert score.hd95_mm == {"GM": 0.0, "WM": 0.0}
    assert (score.n_slices, score.stray_voxels, score.domain) == (2, 0, "site")
    assert score.scan_id == truth.scan.scan_id


def test_slices_that_nobody_annotated_do_not_count(truth):
    labels = truth.labels.copy()
    labels[2] = 1
    assert score_scan(labels, truth, SPINAL_GM).dice["GM"] == 1.0


def test_what_is_found_far_away_is_counted(truth):
    labels = truth.labels.copy()
    labels[0, 35:38, 35:38] = 2
    labels[1, 21, 21] = 2
    assert score_scan(labels, truth, SPINAL_GM).stray_voxels == 9


def test_a_scan_without_labels_has_no_score(truth):
    bare = AnnotatedScan(truth.scan, None, None, "site")
    with pytest.raises(ValueError, match="without labels"):
        score_scan(truth.labels, bare, SPINAL_GM)


def made(domain, gm):
    return ScanScore("0" * 12, domain, 10, {"GM": gm, "WM": 0.5}, {"GM": 1.0, "WM": 1.0}, 0)


def test_domains_weigh_the_same_in_the_table():
    groups = {"a": [made("a", 0.9), made("a", 0.7)], "b": [made("b", 0.4)]}
    assert mean_dice(groups["a"])["GM"] == pytest.approx(0.8)
    last = fold_table(groups).splitlines()[-1]
    assert "**0.600**" in last
    assert "**0.500**" in last


def test_tables_are_markdown():
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"
