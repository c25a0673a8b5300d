"""A tiny model and a scan for it."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from dgseg.bundles.bundle import BundleInfo, write_bundle
from dgseg.nets.build import build
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.scan import ScanSource
from dgseg.scans.schema import SPINAL_GM


def make_bundle(folder: Path, seed: int) -> Path:
    network = {"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 4, "depth": 2}
    torch.manual_seed(seed)
    info = BundleInfo(
        name="tiny",
        method="deepall",
        network=network,
        preprocessing=Preprocessing(),
        labels=SPINAL_GM,
    )
    write_bundle(folder, info, build(network).state_dict())
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny", 0)


@pytest.fixture(scope="session")
def other_bundle(tmp_path_factory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "other", 1)


def make_scan(path: Path, n_slices: int) -> ScanSource:
    array = np.random.default_rng(n_slices).uniform(0, 9, (32, 32, n_slices))
    nib.save(nib.Nifti1Image(array.astype(np.float32), np.diag([1, 1, 5, 1])), path)
    return ScanSource(kind="nifti", path=path)


@pytest.fixture(scope="session")
def scan(tmp_path_factory) -> ScanSource:
    return make_scan(tmp_path_factory.mktemp("scans") / "scan.nii.gz", 6)


@pytest.fixture(scope="session")
def long_scan(tmp_path_factory) -> ScanSource:
    """A scan of more slices than one batch computes."""
    return make_scan(tmp_path_factory.mktemp("scans") / "long.nii", 6000)
