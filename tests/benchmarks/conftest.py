"""Tiny hearts of three centres, and a tiny model that knows two of them."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import measure_foreign, unseen
from dgseg.bundles.bundle import BundleInfo, write_bundle
from dgseg.datasets.dataset import Entry
from dgseg.nets.build import build
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import CARDIAC

SIDE = 48
KNOWN, NEW = ("synthetic-a", "synthetic-b"), "synthetic-new"


def heart_of(at=(24, 18), n_slices=5):
    """A ring around a disc, beside another disc that ends early: (slices, rows, columns)."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    around = np.hypot(rows - at[0], columns - at[1])
    beside = np.hypot(rows - at[0], columns - at[1] - 17)
    ring = np.where(around <= 5, 1, np.where(around <= 8, 2, 0))
    one = np.where(beside <= 6, 3, ring)
    return np.stack([one] * (n_slices - 1) + [ring]).astype(np.uint8)


def _scans(domain, n_scans, labels=None):
    for number in range(n_scans):
        rng = np.random.default_rng([len(domain), ord(domain[-1]), number])
        truth = heart_of((24, 16 + number)) if labels is None else labels
        array = (truth * 0.3 + rng.normal(0, 0.1, truth.shape)).astype(np.float32)
        source = ScanSource(kind="memory", path=Path(f"{domain}-{number}"))
        geometry = Geometry((SIDE, SIDE, len(truth)), np.diag([2.0, 2.0, 8.0, 1.0]), 2)
        geometry.to_canonical(np.empty(geometry.shape))
        item = AnnotatedScan(Scan(array, geometry, source), truth, None, domain, f"{number}")
        yield Entry(domain, item.subject, source, True, partial(_same, item))


def _same(item):
    return item


@pytest.fixture(scope="session")
def heart():
    return heart_of


@pytest.fixture(scope="session")
def hearts():
    return [entry for domain in (*KNOWN, NEW) for entry in _scans(domain, 4)]


@pytest.fixture
def new_centre(hearts):
    return [entry for entry in hearts if entry.domain == NEW]


@pytest.fixture
def at_hand(hearts, monkeypatch):
    """Nothing but these hearts and two scans without any structure are on the machine."""
    others = _scans("synthetic-c", 2, np.zeros((5, SIDE, SIDE), np.uint8))
    there = {"synthetic-heart": tuple(hearts), "synthetic-cord": tuple(others)}
    for module in (unseen, measure_foreign):
        monkeypatch.setattr(module, "entries_of", lambda name: there.get(name, ()))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Path:
    """It knows the first two centres of hearts."""
    network = {"kind": "unet", "in_channels": 1, "n_classes": 4, "width": 4, "depth": 3}
    torch.manual_seed(0)
    info = BundleInfo(
        name="tiny",
        method="deepall",
        network=network,
        preprocessing=Preprocessing(spacing_mm=2.0),
        labels=CARDIAC,
        domains=KNOWN,
    )
    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    write_bundle(folder, info, build(network).state_dict())
    return folder
