"""Scans, bundles and sites for the tests of the workspace."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from dgseg.bundles.bundle import BundleInfo, write_bundle
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import SPINAL_GM, LabelSchema
from dgseg.scans.sources import read
from dgseg.site.workspace import Workspace

SHAPE = (5, 24, 20)


@pytest.fixture
def make_scan(tmp_path: Path) -> Callable[..., Scan]:
    """A scan that a NIfTI file backs, different for each seed."""

    def make(seed: int = 0, name: str = "") -> Scan:
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        path = folder / (name or f"scan-{seed}.nii.gz")
        values = np.random.default_rng(seed).normal(100, 20, (20, 24, 5)).astype(np.float32)
        nib.Nifti1Image(values, np.diag([0.5, 0.5, 5.0, 1])).to_filename(path)
        return read(ScanSource(kind="nifti", path=path))

    return make


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """A bundle of a few numbers, different for each call."""

    def make(labels: LabelSchema = SPINAL_GM, parent_id: str | None = None) -> Path:
        info = BundleInfo(
            name="small",
            method="deepall",
            network={"kind": "unet"},
            preprocessing=Preprocessing(),
            labels=labels,
            parent_id=parent_id,
        )
        folder = tmp_path / "candidates" / info.bundle_id
        write_bundle(folder, info, {"w": torch.rand(8)})
        return folder

    return make


@pytest.fixture
def open_site(
    tmp_path: Path, make_bundle: Callable[..., Path]
) -> Iterator[Callable[..., Workspace]]:
    """Open the test's one site, again and again; all are closed in the end."""
    bundle = make_bundle()
    opened = []

    def open_one(**options: object) -> Workspace:
        given = {"name": "Site A", "bundle": bundle, **options}
        opened.append(Workspace.open(tmp_path / "site", **given))
        return opened[-1]

    yield open_one
    for site in opened:
        site.close(discard=True)


@pytest.fixture
def site(open_site: Callable[..., Workspace]) -> Workspace:
    return open_site()


@pytest.fixture
def refuse_fsync(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Make the disk full, or with False no longer so."""
    fsync = os.fsync

    def refuse(handle: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    def switch(full: bool = True) -> None:
        monkeypatch.setattr(os, "fsync", refuse if full else fsync)

    yield switch
    switch(False)
