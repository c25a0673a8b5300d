"""Networks that are known in advance, and scans on grids of all kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dgseg.bundles.bundle import BundleInfo
from dgseg.scans.geometry import Geometry
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import SPINAL_GM


class Threshold(nn.Module):
    """Class 1 above 0.5, class 2 above 0.9, steeply."""

    def __init__(self):
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(40.0))
        self.batches = []

    def forward(self, images):
        self.batches.append(tuple(images.shape))
        x = images[:, 0].float()
        return torch.stack(
            [
                torch.zeros_like(x),
                self.steepness * (x - 0.5),
                self.steepness * (2 * x - 1.4),
            ],
            dim=1,
        )


def make_scan(array, spacing=(4.0, 1.0, 1.0)):
    """A transverse scan whose canonical array is `array` (slices, rows, columns)."""
    geometry = Geometry(array.shape[::-1], np.diag([*spacing[::-1], 1.0]), 2)
    source = ScanSource(kind="memory", path=Path("memory"))
    return Scan(np.asarray(array, np.float32), geometry, source)


def make_info(**preprocessing):
    options = {"low_percentile": 0, "high_percentile": 100} | preprocessing
    return BundleInfo(
        name="test",
        method="deepall",
        network={"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 4, "depth": 2},
        preprocessing=Preprocessing(**options),
        labels=SPINAL_GM,
    )


@pytest.fixture
def threshold():
    return Threshold()


@pytest.fixture
def scan_of():
    return make_scan


@pytest.fixture
def info_of():
    return make_info


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
