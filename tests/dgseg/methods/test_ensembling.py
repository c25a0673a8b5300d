"""The mean of what a network says of several views."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgseg.methods.ensembling import ensembled


def by_brightness(images):
    """Two classes; brighter pixels are rather the second."""
    return torch.cat([1 - images, images], dim=1)


def same(images):
    return images


def test_without_other_views_it_is_the_prediction():
    images = torch.rand(2, 1, 20, 24)
    found = ensembled(by_brightness, images, same, views=0)
    torch.testing.assert_close(found, by_brightness(images))


def test_it_is_the_mean_over_views():
    images = torch.rand(2, 1, 20, 24)
    changes = iter([lambda x: x * 0.5, lambda x: x * 0.2])
    found = ensembled(by_brightness, images, lambda x: next(changes)(x), views=2)
    torch.testing.assert_close(found[:, 1:], images * (1 + 0.5 + 0.2) / 3)


def test_sharpening_by_half_a_degree_squares_the_mean():
    images = torch.rand(2, 1, 20, 24)
    found = ensembled(by_brightness, images, same, views=0, temperature=0.5)
    squared = by_brightness(images).square()
    torch.testing.assert_close(found, squared / squared.sum(1, keepdim=True))


@settings(deadline=None, max_examples=30)
@given(
    views=st.integers(0, 3),
    zoom=st.floats(1.0, 2.0),
    temperature=st.floats(0.05, 2.0),
    size=st.tuples(st.integers(16, 33), st.integers(16, 33)),
)
def test_it_is_a_distribution_of_the_images_size(views, zoom, temperature, size):
    torch.manual_seed(0)
    images = torch.rand(2, 1, *size)
    found = ensembled(
        by_brightness, images, same, views=views, zoom=zoom, temperature=temperature
    )
    assert found.shape == (2, 2, *size)
    assert found.min() >= 0
    torch.testing.assert_close(found.sum(1), torch.ones(2, *size))


def test_zoomed_views_come_back_to_where_they_were():
    rows = torch.linspace(0, 1, 40)[:, None].expand(40, 48)
    images = rows[None, None].contiguous()
    sizes = set()

    def predict(seen):
        sizes.add(tuple(seen.shape[-2:]))
        return by_brightness(seen)

    torch.manual_seed(0)
    found = ensembled(predict, images, same, views=8, zoom=1.5)
    assert len(sizes) > 2
    inner = slice(4, -4)
    torch.testing.assert_close(
        found[:, 1:, inner, inner], images[..., inner, inner], atol=5e-3, rtol=0
    )


def test_no_gradient_flows_to_the_teacher():
    weight = torch.ones((), requires_grad=True)
    found = ensembled(
        lambda x: by_brightness(weight * x), torch.rand(1, 1, 16, 16), same, views=1
    )
    assert not found.requires_grad


@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_sharpening_underflows_nowhere(temperature):
    images = torch.full((1, 1, 16, 16), 1e-30)
    found = ensembled(by_brightness, images, same, views=2, temperature=temperature)
    assert torch.isfinite(found).all()
