"""Three made-up centres of three hearts each, on disk as the data set ``cardiac``."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dgseg.evaluation.benchmark.plan import BenchmarkPlan, default_config, row

DOMAINS = ("east", "north", "west")
_SIDE = 32


def _heart(rng):
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    centre = rng.uniform(13, 19, 2)
    away = np.hypot(rows - centre[0], columns - centre[1])
    right = np.hypot(rows - centre[0], columns - centre[1] - 9)
    labels = np.zeros((_SIDE, _SIDE), np.uint8)
    labels[right < 4] = 3
    labels[away < 7] = 2
    labels[away < 4] = 1
    return np.stack([labels] * 3, axis=-1)


@pytest.fixture(scope="session")
def hearts(tmp_path_factory):
    """A folder that holds the data set, nine people in all."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(5)
    for number, domain in enumerate(DOMAINS):
        folder = root / "cardiac" / domain
        folder.mkdir(parents=True)
        for person in range(3):
            labels = _heart(rng)
            contrast = np.array([0.1, 0.9, 0.3, 0.7]) ** (1 + 0.3 * number)
            image = contrast[labels] + rng.normal(0, 0.05, labels.shape)
            stem = f"P{number}{person}_ED"
            affine = np.diag([1.0, 1, 8, 1])
            nib.save(
                nib.Nifti1Image(image.astype(np.float32), affine), folder / f"{stem}.nii.gz"
            )
            nib.save(nib.Nifti1Image(labels, affine), folder / f"{stem}_seg.nii.gz")
    return root


@pytest.fixture
def make_plan(hearts):
    """Plans of tiny trainings on the made-up centres."""

    def make(*rows, **changes):
        config = default_config(
            "cardiac",
            steps=changes.pop("steps", 3),
            width=4,
            depth=2,
            patch_px=32,
            pixel_scale=1.0,
            validate_every=2,
            device="cpu",
            precision="fp32",
            checkpoint_every_s=1e-9,
        )
        settings = {"targets": ("east",), "n_validation": 1, "images_per_step": 4} | changes
        return BenchmarkPlan(
            "cardiac", tuple(row(name) for name in rows), config, data_root=hearts, **settings
        )

    return make
