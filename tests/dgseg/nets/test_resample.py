"""Resampling keeps points where they are in millimetres."""

from __future__ import annotations

import pytest
import torch

from dgseg.nets.resample import resize, resize_labels


def centroid(image):
    rows, columns = image.shape
    total = image.sum()
    row = (image.sum(1) * (torch.arange(rows) + 0.5)).sum() / total / rows
    column = (image.sum(0) * (torch.arange(columns) + 0.5)).sum() / total / columns
    return float(row), float(column)


@pytest.mark.parametrize("size", [(60, 90), (30, 40), (17, 100), (61, 25)])
def test_a_blob_keeps_its_place_in_the_extent(size):
    rows, columns = torch.meshgrid(torch.arange(61.0), torch.arange(83.0), indexing="ij")
    blob = torch.exp(-(((rows - 20) / 6) ** 2) - ((columns - 50) / 6) ** 2)
    moved = resize(blob[None, None], size)[0, 0]
    assert moved.shape == size
    assert centroid(moved) == pytest.approx(centroid(blob), abs=1e-3)


def test_the_same_size_is_the_same_tensor():
    image = torch.rand(1, 1, 8, 8)
    assert resize(image, (8, 8)) is image


def test_shrinking_averages():
    image = torch.zeros(1, 1, 64, 64)
    image[..., ::4] = 1.0
    inner = resize(image, (16, 16))[..., 1:-1]
    assert inner.sub(0.25).abs().max() < 1e-6


def test_probabilities_stay_probabilities():
    p = torch.rand(2, 3, 20, 30).softmax(1)
    for size in ((45, 31), (9, 14)):
        q = resize(p, size)
        torch.testing.assert_close(q.sum(1), torch.ones_like(q[:, 0]))
        assert q.min() >= 0


def test_labels_stay_labels_and_thin_structures_stay_in_place():
    labels = torch.zeros(1, 20, 20, dtype=torch.uint8)
    labels[0, 5:15, 6:12] = 2
    labels[0, 5:15, 12:15] = 1
    large = resize_labels(labels, (60, 60), 3)
    assert large.dtype == torch.uint8
    assert set(large.unique().tolist()) == {0, 1, 2}
    assert torch.equal(large[:, 1::3, 1::3], labels)
    assert torch.equal(resize_labels(large, (20, 20), 3), labels)
