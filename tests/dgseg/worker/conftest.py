"""A tiny model and a scan for it."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from dgseg.scans.scan import ScanSource


@pytest.fixture(scope="session")
def tiny_bundle(write_plain, tmp_path_factory) -> Path:
    return write_plain(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def other_bundle(write_plain, tmp_path_factory) -> Path:
    return write_plain(tmp_path_factory.mktemp("bundles") / "other", seed=1)


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
