"""A model that tells anatomy from appearance, one that does not, and scans for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dgseg.inference.segmenter import Segmenter
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource


def _make_scan(seed: int = 0, n_slices: int = 5, shape: tuple[int, int] = (24, 20)) -> Scan:
    array = np.random.default_rng(seed).uniform(0, 9, (n_slices, *shape)).astype(np.float32)
    geometry = Geometry(array.shape[::-1], np.diag([1.0, 1.0, 4.0, 1.0]), 2)
    return Scan(array, geometry, ScanSource(kind="memory", path=Path("memory")))


@pytest.fixture
def segmenter(disentangled_bundle) -> Segmenter:
    return Segmenter(disentangled_bundle, "cpu", "fp32")


@pytest.fixture
def plain(write_plain, tmp_path) -> Segmenter:
    """A model that segments and knows of no factors."""
    return Segmenter(write_plain(tmp_path / "plain", name="plain"), "cpu", "fp32")


@pytest.fixture
def make_scan():
    """Makes scans of noise, in memory."""
    return _make_scan


@pytest.fixture
def scan() -> Scan:
    return _make_scan()


@pytest.fixture
def runaway(segmenter, monkeypatch):
    """Makes the model see no finite style in the slices that are named."""

    def run_away(scan: Scan, *slices: int) -> None:
        from dgseg.inspection.parts import disentangled, take_apart
        from dgseg.scans.preprocessing import grid_size, normalise

        net = disentangled(segmenter)
        images = normalise(scan.array, segmenter.info.preprocessing)
        grid = grid_size(scan.geometry, segmenter.info.preprocessing)
        means = take_apart(segmenter, images[list(slices)], grid).images.mean(dim=(1, 2, 3))
        sound = net.encode

        def encode(given):
            codes = sound(given)
            off = (given.mean(dim=(1, 2, 3))[:, None] - means).abs().amin(dim=1) < 1e-6
            codes.style_mean[off] = torch.nan
            return codes

        monkeypatch.setattr(net, "encode", encode)

    return run_away
