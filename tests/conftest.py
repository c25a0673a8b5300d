"""Fixtures that the tests of both packages share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

_BESIDE_THE_CHECKOUT = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans: ``DGSEG_DATA``, or ``../shared/data``; else skip."""
    root = Path(os.environ.get("DGSEG_DATA", _BESIDE_THE_CHECKOUT))
    if not (root / "spinal-gm").is_dir():
        pytest.skip(f"no real scans: {root} holds no spinal-gm (set DGSEG_DATA)")
    return root
