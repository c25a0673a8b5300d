"""AnnotatedScan: which slices count as labelled."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.errors import LabelsError
from dgseg.scans.annotated import AnnotatedScan, labelled_range
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource


@pytest.fixture
def scan() -> Scan:
    geometry = Geometry((3, 4, 5), np.eye(4), 2)
    array = np.arange(60, dtype=np.int16).reshape(geometry.canonical_shape)
    return Scan(array, geometry, ScanSource(kind="memory", path="x"))


def test_none_means_all_slices_where_there_are_labels(scan):
    labels = np.zeros(scan.array.shape, np.uint8)
    assert AnnotatedScan(scan, labels, None, "a").annotated.all()
    assert not AnnotatedScan(scan, None, None, "a").annotated.any()
    marks = np.array([True, False, True, False, False])
    assert AnnotatedScan(scan, labels, marks, "a").annotated is marks


def test_empty_slices_inside_the_range_count():
    labels = np.zeros((6, 2, 2), np.uint8)
    labels[1, 0, 0] = labels[4, 1, 1] = 1
    assert labelled_range(labels).tolist() == [False, True, True, True, True, False]
    assert not labelled_range(np.zeros((3, 2, 2), np.uint8)).any()


def test_what_does_not_fit_is_refused(scan):
    good = np.zeros(scan.array.shape, np.uint8)
    marks = np.ones(scan.n_slices, bool)
    for labels, annotated in (
        (good.astype(np.int16), None),
        (good[1:], None),
        (good, marks[1:]),
        (good, marks.astype(np.uint8)),
        (None, marks),
    ):
        with pytest.raises(LabelsError):
            AnnotatedScan(scan, labels, annotated, "a")
