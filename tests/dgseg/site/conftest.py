"""Scans, bundles and sites for the tests of the workspace."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from functools import partial
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
from dgseg.site.corrections import Corrections
from dgseg.site.proposals import Proposal, write_proposal
from dgseg.site.workspace import Workspace
from dgseg.site.writer import Writer

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
def propose() -> Callable[..., None]:
    """Let a bundle, by default the accepted one, propose nothing but background."""

    def propose(site: Workspace, scan: Scan, bundle_id: str = "") -> None:
        bundle_id = bundle_id or site.accepted_info.bundle_id
        empty = np.zeros(scan.array.shape, np.uint8)
        certain = np.zeros(scan.n_slices, np.float32)
        folder = site.proposal_folder(scan.scan_id, bundle_id)
        write_proposal(folder, Proposal(empty, empty, certain, bundle_id))

    return propose


@pytest.fixture
def correct() -> Callable[..., None]:
    """Correct one slice of a scan."""

    def correct(site: Workspace, scan: Scan, index: int = 2) -> None:
        corrections = site.corrections(scan.scan_id)
        corrections.start(np.zeros(scan.array.shape, np.uint8), site.accepted_info.bundle_id)
        corrections.record(index, np.ones(scan.array.shape[1:], np.uint8), "changed")

    return correct


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


@pytest.fixture
def writer() -> Iterator[Writer]:
    writer = Writer(retry_s=0.02)
    yield writer
    writer.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the corrections' journal."""
    return tmp_path / "scan" / "corrections.journal"


@pytest.fixture
def corrections(path: Path, writer: Writer) -> Corrections:
    """Of five slices of 8 x 7, started with background."""
    corrections = Corrections(path, SPINAL_GM, writer=writer)
    corrections.start(np.zeros((5, 8, 7), np.uint8), "0123456789ab")
    return corrections


@pytest.fixture
def reopened() -> Callable[[Path], Corrections]:
    """Corrections as they are on disk, for reading."""
    return partial(Corrections, schema=SPINAL_GM)


@pytest.fixture
def drawn() -> Callable[..., np.ndarray]:
    """A slice of 8 x 7 with one row of a label."""

    def draw(value: int = 1, row: int = 2) -> np.ndarray:
        labels = np.zeros((8, 7), np.uint8)
        labels[row] = value
        return labels

    return draw
