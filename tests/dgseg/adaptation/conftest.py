"""Scans on disk as a snapshot knows them, and a watcher that remembers."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from dgseg.scans.nifti import read_nifti
from dgseg.site.snapshot import SnapshotScan


class Recorder:
    """Remembers what it is told; stops when it is told to."""

    def __init__(self):
        self.phases, self.warnings, self.steps, self.numbers = [], [], [], []
        self.losses = []
        self.stop = False

    def should_stop(self):
        return self.stop

    def phase(self, name, message):
        self.phases.append(name)

    def progress(self, step, total, losses=None):
        self.steps.append((step, total))
        self.losses.extend((name, step) for name in losses or ())

    def metrics(self, numbers):
        self.numbers.append(numbers)

    def warn(self, problem, *, scan_id=None):
        self.warnings.append((str(problem), scan_id))


@pytest.fixture
def watcher() -> Recorder:
    return Recorder()


@pytest.fixture
def bundle(write_plain, tmp_path) -> Path:
    """A small network with random weights."""
    return write_plain(tmp_path / "model", name="cord", domains=("a",))


@pytest.fixture
def make_item(tmp_path):
    """Make a scan of 6 slices, 32 x 32, with corrections of some slices."""

    def make(number: int, corrected=()) -> SnapshotScan:
        array = np.random.default_rng(number).uniform(0, 9, (32, 32, 6)).astype(np.float32)
        path = Path(tmp_path / f"scan-{number}.nii.gz")
        nib.save(nib.Nifti1Image(array, np.diag([1, 1, 5, 1])), path)
        scan = read_nifti(path)
        if not corrected:
            return SnapshotScan(scan.scan_id, scan.source, "clinic", None, None)
        annotated = np.zeros(6, bool)
        annotated[list(corrected)] = True
        labels = np.zeros(scan.array.shape, np.uint8)
        labels[:, 8:20, 8:20] = 1
        return SnapshotScan(scan.scan_id, scan.source, "clinic", labels, annotated)

    return make
