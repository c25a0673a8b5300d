"""One number a slice puts slices in a sensible order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.inference.uncertainty import normalised_entropy, slice_uncertainty


def test_entropy_runs_from_sure_to_lost():
    p = torch.tensor([[1.0, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]])[:, :, None, None]
    values = normalised_entropy(p).flatten().tolist()
    assert values == pytest.approx([0.0, 1.0, np.log(2) / np.log(3)])


def labelled(n=5):
    labels = np.zeros((n, 40, 40), np.uint8)
    labels[:, 15:25, 15:25] = 1
    return labels


def test_it_is_the_mean_near_the_structures():
    labels = labelled()
    uncertainty = np.zeros_like(labels)
    uncertainty[3] = 51
    uncertainty[1, :5, :5] = 255  # far away
    assert slice_uncertainty(labels, uncertainty) == pytest.approx([0, 0, 0, 0.2, 0])


def test_a_slice_that_lost_a_structure_is_judged_where_it_should_be():
    labels = labelled()
    labels[2] = 0
    uncertainty = np.zeros_like(labels)
    uncertainty[2, 15:25, 15:25] = 200
    values = slice_uncertainty(labels, uncertainty)
    assert values.argmax() == 2
    assert values[2] > 0.3


def test_empty_slices_can_be_compared():
    labels = labelled(7)
    labels[3:] = 0
    uncertainty = np.full_like(labels, 25)
    uncertainty[6, 30:40, 30:40] = 255
    values = slice_uncertainty(labels, uncertainty)
    assert values[5] == pytest.approx(values[0])
    assert values[6] > values[5]


def test_a_scan_without_any_structure_has_an_order_too():
    uncertainty = np.zeros((3, 40, 40), np.uint8)
    uncertainty[1, 5:9, 5:9] = 128
    values = slice_uncertainty(np.zeros_like(uncertainty), uncertainty)
    assert values == pytest.approx([0, 128 / 255, 0])
    assert values.dtype == np.float32
