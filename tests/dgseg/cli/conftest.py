"""A site with corrections, for the command that adapts to it."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.scans.sources import discover, read
from dgseg.scans.synthetic.site import make_site, write_site
from dgseg.site.workspace import Workspace

SMALL = ["--steps", "2", "--patch-px", "16", "--batch-labelled", "1", "--batch-unlabelled", "1"]
SMALL += ["--threads", "1", "--device", "cpu", "--holdout-every", "0"]


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Options of an adaptation that ends soon."""
    return SMALL


@pytest.fixture(scope="session")
def two_cords():
    return make_site("cord", "alder", 2, 5, n_slices=2, shape=(48, 48))


@pytest.fixture
def add_site(tmp_path, two_cords):
    """Makes a site of the first so many cords, a slice of each corrected."""

    def add(n=1, corrected=True):
        write_site(tmp_path / "scans", two_cords[:n])
        with Workspace.open(tmp_path / "site") as site:
            records = [site.add(read(found.source)) for found in discover(tmp_path / "scans")]
            for record, cord in zip(records if corrected else (), two_cords, strict=False):
                corrections = site.corrections(record.scan_id)
                corrections.start(np.zeros_like(cord.labels), site.accepted_info.bundle_id)
                corrections.record(0, cord.labels[0], "changed")
        return tmp_path / "site"

    return add
