"""Small scans with bright discs, and the smallest method that learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dgseg.methods.base import Method
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource


def disc_scan(domain, size=(4, 40, 48), annotated=None, seed=0, spacing=(4.0, 1.0, 1.0)):
    """A disc of label 1 in noise; its place differs from slice to slice."""
    rng = np.random.default_rng(seed)
    n, rows, columns = size
    grid = np.mgrid[:rows, :columns]
    labels = np.zeros(size, np.uint8)
    for index in range(n):
        centre = rng.uniform(0.35, 0.65, 2) * (rows, columns)
        labels[index] = np.hypot(*(grid - centre[:, None, None])) < 0.15 * min(rows, columns)
    array = (labels + rng.normal(0, 0.2, size)).astype(np.float32)
    # Transverse: original axes are columns, rows, slices.
    geometry = Geometry(size[::-1], np.diag([*spacing[::-1], 1.0]), 2)
    scan = Scan(array, geometry, ScanSource(kind="memory", path=Path("memory")))
    marks = None if annotated is None else np.asarray(annotated, bool)
    return AnnotatedScan(scan, labels, marks, domain)


class PixelMethod(Method):
    """A 3 x 3 convolution with noise on its input, Adam and a momentum of its own."""

    def __init__(self, learning_rate=0.05):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Conv2d(1, 2, 3, padding=1)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=learning_rate)
        self.seen = []

    def update(self, episode):
        batch = episode.labelled()
        self.seen.append(episode.step)
        noisy = batch.images + 0.1 * torch.randn_like(batch.images)
        loss = F.cross_entropy(self.net(noisy), batch.labels)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {"loss": loss.detach(), "twice": 2 * loss.detach()}

    def predict(self, images):
        return self.net(images).softmax(1)

    def deployable(self):
        return self.net

    def training_state(self):
        return {"optimiser": self.optimiser.state_dict()}

    def load_training_state(self, state):
        self.optimiser.load_state_dict(state["optimiser"])


@pytest.fixture
def make_scan():
    return disc_scan


@pytest.fixture
def make_method():
    return PixelMethod


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
