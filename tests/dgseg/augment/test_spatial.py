"""Movement and bending: one transform for all that belongs to a slice."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from dgseg.augment.config import AugmentConfig
from dgseg.augment.spatial import SpatialAugment, SpatialParameters

STRONG = AugmentConfig.preset("strong")
SIZE = (40, 56)


def drawn(config=STRONG, n=4, size=SIZE):
    spatial = SpatialAugment(config)
    return spatial, spatial.sample(n, size, "cpu")


def source_pixels(params, size=SIZE):
    """Rows and columns of the source, (2, N, H, W), as numpy."""
    columns, rows = ((params.grid + 1) * torch.tensor([size[1] / 2, size[0] / 2]) - 0.5).unbind(
        -1
    )
    return np.stack([rows.numpy(), columns.numpy()]).astype(float)


def test_nothing_moves_without_ranges():
    spatial, params = drawn(AugmentConfig.preset("none"))
    images = torch.rand(4, 1, *SIZE)
    assert params is None
    assert spatial.apply(params, images) is images


def test_agrees_with_scipy_inside():
    spatial, params = drawn()
    images = torch.rand(4, 1, *SIZE)
    ours = spatial.apply(params, images).numpy()
    rows, columns = source_pixels(params)
    inside = (rows >= 0) & (rows <= SIZE[0] - 1) & (columns >= 0) & (columns <= SIZE[1] - 1)
    for i in range(4):
        theirs = scipy.ndimage.map_coordinates(
            images[i, 0].numpy().astype(float), [rows[i], columns[i]], order=1
        )
        np.testing.assert_allclose(ours[i, 0][inside[i]], theirs[inside[i]], atol=1e-4)
    assert inside.mean() > 0.5


def test_thresholded_image_is_the_moved_mask():
    """Threshold then move == move then threshold, by nearest neighbours."""
    spatial, params = drawn()
    images = torch.rand(4, 1, *SIZE)
    first = spatial.apply(params, images, "nearest") > 0.5
    second = spatial.apply(params, images > 0.5, "nearest")
    assert second.dtype == torch.bool
    assert torch.equal(first, second)


def test_pixelwise_network_commutes():
    """A network that looks at single pixels, before or after the movement: the same."""
    spatial, params = drawn()
    images = torch.rand(4, 1, *SIZE)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 1), torch.nn.ReLU(), torch.nn.Conv2d(8, 3, 1), torch.nn.Softmax(1)
    )
    with torch.no_grad():
        moved_output = spatial.apply(params, net(images), "nearest")
        output_of_moved = net(spatial.apply(params, images, "nearest"))
    torch.testing.assert_close(moved_output, output_of_moved)


def test_linear_network_commutes_with_interpolation():
    spatial, params = drawn()
    images = torch.rand(4, 1, *SIZE)
    net = torch.nn.Conv2d(1, 3, 1)
    with torch.no_grad():
        torch.testing.assert_close(
            spatial.apply(params, net(images)),
            net(spatial.apply(params, images)),
            atol=1e-5,
            rtol=0,
        )


def test_probabilities_go_on_to_sum_to_one():
    spatial, params = drawn()
    moved = spatial.apply(params, torch.randn(4, 5, *SIZE).softmax(1))
    torch.testing.assert_close(moved.sum(1), torch.ones(4, *SIZE))
    assert moved.min() >= 0


def test_labels_keep_their_values_and_type():
    spatial, params = drawn()
    labels = torch.randint(0, 256, (4, *SIZE))
    moved = spatial.apply(params, labels, "nearest")
    assert moved.dtype == torch.int64
    assert moved.shape == labels.shape
    for i in range(4):
        assert set(moved[i].unique().tolist()) <= set(labels[i].unique().tolist())


def test_labels_are_never_interpolated():
    spatial, params = drawn()
    with pytest.raises(ValueError, match="nearest"):
        spatial.apply(params, torch.zeros(4, *SIZE, dtype=torch.int64))


def test_valid_marks_what_was_inside():
    _, params = drawn(AugmentConfig(translation_px=15, rotation_deg=30, elastic_px=4))
    rows, columns = source_pixels(params)
    inside = (
        (rows > -0.5) & (rows < SIZE[0] - 0.5) & (columns > -0.5) & (columns < SIZE[1] - 0.5)
    )
    assert 0.2 < inside.mean() < 0.98
    assert (params.valid.numpy() == inside).mean() > 0.9995


def test_translation_is_in_pixels():
    _, params = drawn(AugmentConfig(translation_px=6), n=200)
    shift = source_pixels(params) - np.mgrid[: SIZE[0], : SIZE[1]][:, None]
    np.testing.assert_allclose(
        shift, shift[:, :, :1, :1].repeat(40, 2).repeat(56, 3), atol=1e-3
    )
    assert 5.5 < np.abs(shift).max() <= 6.001


def test_rotation_is_in_degrees_about_the_centre():
    _, params = drawn(AugmentConfig(rotation_deg=20), n=200)
    rows, columns = source_pixels(params)
    angles = np.degrees(
        np.arctan2(rows[:, 0, -1] - rows[:, 0, 0], columns[:, 0, -1] - columns[:, 0, 0])
    )
    assert 19 < np.abs(angles).max() <= 20.01
    middle = (rows[:, 19:21, 27:29].mean((1, 2)), columns[:, 19:21, 27:29].mean((1, 2)))
    np.testing.assert_allclose(middle, [[19.5] * 200, [27.5] * 200], atol=1e-3)


def test_scale_is_a_ratio():
    _, params = drawn(AugmentConfig(scale=0.2), n=300)
    rows, columns = source_pixels(params)
    ratio = (columns[:, 0, -1] - columns[:, 0, 0]) / (SIZE[1] - 1)
    other = (rows[:, -1, 0] - rows[:, 0, 0]) / (SIZE[0] - 1)
    np.testing.assert_allclose(ratio, other, rtol=1e-4)
    assert np.exp(-0.2) - 1e-4 <= ratio.min() < 0.85
    assert 1.18 < ratio.max() <= np.exp(0.2) + 1e-4


def test_flip_mirrors_left_and_right():
    spatial, params = drawn(AugmentConfig(flip_probability=1.0))
    images = torch.rand(4, 1, *SIZE)
    torch.testing.assert_close(
        spatial.apply(params, images), images.flip(-1), atol=2e-4, rtol=0
    )


def test_elastic_displacement_has_its_standard_deviation():
    _, params = drawn(AugmentConfig(elastic_px=3.0, elastic_grid_px=12), n=400)
    shift = source_pixels(params) - np.mgrid[: SIZE[0], : SIZE[1]][:, None]
    np.testing.assert_allclose(shift.std(axis=1), 3.0, atol=0.6)
    assert np.abs(np.diff(shift, axis=2)).max() < 2.5  # smooth


def test_each_slice_has_its_own_and_a_share_keeps_still():
    config = AugmentConfig(spatial_probability=0.5, rotation_deg=20)
    _, params = drawn(config, n=200)
    still = SpatialAugment(AugmentConfig(spatial_probability=1.0, rotation_deg=1e-9)).sample(
        1, SIZE, "cpu"
    )
    unmoved = (params.grid - still.grid).abs().amax((1, 2, 3)) < 1e-5
    assert 70 < unmoved.sum() < 130
    assert len({float(g) for g in params.grid[~unmoved][:, 0, 0, 0]}) == (~unmoved).sum()


def test_same_seed_same_movement():
    torch.manual_seed(5)
    _, first = drawn()
    torch.manual_seed(5)
    _, second = drawn()
    assert torch.equal(first.grid, second.grid)
    assert not torch.equal(first.grid, drawn()[1].grid)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (16, 17)])
def test_any_size(size):
    spatial, params = drawn(size=size)
    assert isinstance(params, SpatialParameters)
    assert torch.isfinite(spatial.apply(params, torch.rand(4, 1, *size))).all()
