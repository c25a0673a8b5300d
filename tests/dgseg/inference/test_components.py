"""The largest piece is kept, whole."""

from __future__ import annotations

import numpy as np

from dgseg.inference.components import bounding_box, keep_largest


def test_structures_that_touch_are_one_piece():
    labels = np.zeros((3, 12, 12), np.uint8)
    labels[:, 3:6, 3:6] = 1
    labels[:, 6:8, 3:6] = 2
    labels[1, 10, 10] = 2
    kept = keep_largest(labels)
    assert kept[1, 10, 10] == 0
    assert (kept[:, :9] == labels[:, :9]).all()
    assert labels[1, 10, 10] == 2


def test_slices_connect_by_corners():
    labels = np.zeros((2, 6, 6), np.uint8)
    labels[0, 2, 2] = labels[1, 3, 3] = 1
    assert keep_largest(labels).sum() == 2


def test_nothing_stays_nothing():
    labels = np.zeros((2, 4, 4), np.uint8)
    assert not keep_largest(labels).any()
    assert bounding_box(labels > 0) is None
