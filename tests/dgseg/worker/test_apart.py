"""Work in a process of its own that can be ended."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from dgseg.errors import JobError
from dgseg.inspection.embedding import tsne
from dgseg.worker import apart
from dgseg.worker.apart import tsne_apart


def test_places_are_those_of_the_same_process(rng):
    codes = rng.normal(size=(14, 3))
    codes[2] = np.nan
    np.testing.assert_array_equal(tsne_apart(codes, 4, lambda: False), tsne(codes, 4))


def test_it_ends_when_it_is_asked_to(rng):
    """What takes a quarter of an hour is gone at once, and so is its process."""
    before = set(psutil.Process().children())
    start = time.monotonic()
    seen = []

    def should_stop() -> bool:
        seen.extend(child for child in psutil.Process().children() if child not in before)
        return len(seen) > 2

    assert tsne_apart(rng.normal(size=(20_000, 16)), 0, should_stop) is None
    assert time.monotonic() - start < 30
    assert seen
    assert not any(child.is_running() for child in seen)


def test_a_process_that_dies_is_a_typed_error(monkeypatch):
    monkeypatch.setattr(apart.sys, "executable", "/bin/false")
    with pytest.raises(JobError, match="has ended"):
        tsne_apart(np.eye(3), 0, lambda: False)


def test_what_is_no_table_starts_no_process(monkeypatch):
    monkeypatch.setattr(apart.subprocess, "Popen", None)
    with pytest.raises(ValueError, match="no table"):
        tsne_apart(np.zeros(4), 0, lambda: False)


def test_it_needs_no_torch():
    code = "import sys, dgseg.worker.apart\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
