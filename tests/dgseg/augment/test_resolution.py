"""Larger pixels."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dgseg.augment.resolution import low_resolution


def factors(n, rows, columns):
    return torch.tensor([[rows, columns]]).expand(n, 2)


def test_factor_one_changes_nothing():
    images = torch.rand(2, 1, 11, 14)
    torch.testing.assert_close(low_resolution(images, factors(2, 1.0, 1.0)), images)


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (4, 2), (1, 4)])
def test_whole_factors_are_mean_pooling_and_linear_interpolation(rows, columns):
    images = torch.rand(3, 1, 16, 24)
    small = F.avg_pool2d(images, (rows, columns))
    expected = F.interpolate(small, (16, 24), mode="bilinear", align_corners=False)
    ours = low_resolution(images, factors(3, float(rows), float(columns)))
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("factor", [1.3, 2.5, 3.7, 8.0])
def test_constant_stays_and_range_is_kept(factor):
    constant = torch.full((1, 1, 13, 29), 0.7)
    torch.testing.assert_close(low_resolution(constant, factors(1, factor, factor)), constant)
    changed = low_resolution(torch.rand(1, 1, 13, 29), factors(1, factor, factor))
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_every_image_has_its_own_factor():
    images = torch.rand(1, 1, 32, 32).expand(2, -1, -1, -1)
    both = low_resolution(images, torch.tensor([[1.0, 1.0], [4.0, 4.0]]))
    torch.testing.assert_close(both[0], images[0])
    assert both[1].std() < 0.6 * both[0].std()


def test_details_do_not_move():
    """The centre of mass of a blob stays to a tenth of a pixel."""
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    blob = torch.exp(-((rows - 18) ** 2 + (columns - 21) ** 2) / 18)[None, None]
    for factor in (1.5, 2.3, 3.0):
        changed = low_resolution(blob, factors(1, factor, factor))[0, 0]
        weight = changed / changed.sum()
        assert abs(float((weight * rows).sum()) - 18) < 0.1
        assert abs(float((weight * columns).sum()) - 21) < 0.1
