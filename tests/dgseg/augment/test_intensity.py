"""Changes of how slices look."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from dgseg.augment.config import AugmentConfig
from dgseg.augment.intensity import IntensityAugment, random_tones

ONE_AT_A_TIME = {
    "gin": {"gin_probability": 1.0},
    "tones": {"tone_probability": 1.0},
    "inversion": {"inversion_probability": 1.0},
    "gamma": {"gamma": 0.5, "gamma_probability": 1.0},
    "contrast": {"contrast": 0.3, "brightness": 0.1, "contrast_probability": 1.0},
    "bias": {"bias": 0.5, "bias_probability": 1.0},
    "blur": {"blur_px": 1.5, "blur_probability": 1.0},
    "low resolution": {"low_resolution": 3.0, "low_resolution_probability": 1.0},
    "noise": {"noise": 0.2, "noise_probability": 1.0},
}


def only(name):
    return IntensityAugment(AugmentConfig(**ONE_AT_A_TIME[name]))


@pytest.mark.parametrize("name", ONE_AT_A_TIME)
def test_each_changes_and_stays_in_range(name):
    images = torch.rand(6, 1, 24, 31)
    before = images.clone()
    changed = only(name)(images)
    assert torch.equal(images, before)  # the input is left alone
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (changed - images).abs().amax((1, 2, 3)).max() > 0.01


@pytest.mark.parametrize("name", ONE_AT_A_TIME)
@pytest.mark.parametrize("size", [(1, 1), (2, 40), (16, 16)])
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_each_bears_constant_and_tiny_slices(name, size, value):
    changed = only(name)(torch.full((3, 1, *size), value))
    assert torch.isfinite(changed).all()


@pytest.mark.parametrize("name", sorted(ONE_AT_A_TIME.keys() - {"inversion"}))
def test_each_slice_draws_its_own(name):
    images = torch.rand(1, 1, 24, 24).expand(3, -1, -1, -1)
    changed = only(name)(images)
    assert not torch.equal(changed[0], changed[1])


def test_none_changes_nothing():
    images = torch.rand(4, 1, 16, 16)
    assert torch.equal(IntensityAugment(AugmentConfig.preset("none"))(images), images)


def test_share_of_slices():
    augment = IntensityAugment(AugmentConfig(inversion_probability=0.3))
    images = torch.full((1000, 1, 2, 2), 0.2)
    share = (augment(images)[:, 0, 0, 0] > 0.5).float().mean()
    assert 0.25 < share < 0.35


def test_same_seed_same_change():
    augment = IntensityAugment(AugmentConfig.preset("strong"))
    images = torch.rand(8, 1, 32, 32)
    torch.manual_seed(2)
    first = augment(images)
    torch.manual_seed(2)
    assert torch.equal(first, augment(images))
    assert not torch.equal(first, augment(images))


def test_gamma_is_a_power():
    images = torch.rand(50, 1, 8, 8).clamp_min(0.05)
    changed = only("gamma")(images)
    exponents = changed.log() / images.log()
    spread = exponents.amax((1, 2, 3)) - exponents.amin((1, 2, 3))
    assert spread.median() < 1e-3
    middle = exponents.flatten(1).median(1).values
    assert np.exp(-0.5) - 1e-3 < middle.min()
    assert middle.max() < np.exp(0.5) + 1e-3
    assert middle.min() < 0.75 < 1.35 < middle.max()


def test_blur_agrees_with_scipy():
    """Some Gaussian within the range explains the result to the kernel's cut-off."""
    image = torch.rand(1, 1, 40, 40)
    changed = only("blur")(image)[0, 0].numpy()
    errors = [
        np.abs(
            scipy.ndimage.gaussian_filter(image[0, 0].numpy(), s, mode="mirror") - changed
        ).max()
        for s in np.arange(0.05, 1.55, 0.01)
    ]
    assert min(errors) < 0.01


def test_noise_is_as_large_as_said():
    images = torch.full((300, 1, 16, 16), 0.5)
    sd = (only("noise")(images) - images).std((1, 2, 3))
    assert sd.min() < 0.01
    assert 0.17 < sd.max() < 0.23


def test_bias_field_keeps_the_mean_and_is_smooth():
    images = torch.full((8, 1, 32, 32), 0.4)
    field = only("bias")(images) / 0.4
    unclipped = field.amax((1, 2, 3)) < 2.49
    torch.testing.assert_close(
        field[unclipped].mean((1, 2, 3)), torch.ones(int(unclipped.sum())), atol=1e-4, rtol=0
    )
    assert unclipped.any()
    assert field.diff(dim=-1).abs().max() < 0.6


def test_tones_are_bezier_curves():
    images = torch.linspace(0, 1, 101).view(1, 1, 1, -1).expand(200, 1, 1, -1)
    curves = random_tones(images)[:, 0, 0]
    assert torch.equal(curves[:, 0], torch.zeros(200))
    torch.testing.assert_close(curves[:, -1], torch.ones(200))
    assert curves.min() >= 0
    assert curves.max() <= 1
    # A cubic: its fourth differences vanish.
    assert curves.double().diff(n=4, dim=1).abs().max() < 1e-5
    assert curves.diff(dim=1).min() >= -1e-6
    assert curves[:, 50].min() < 0.25
    assert curves[:, 50].max() > 0.75
