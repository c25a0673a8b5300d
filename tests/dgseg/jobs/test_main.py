"""Jobs in processes of their own: signals, death, and a parent that goes away."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from dgseg.adaptation.config import AdaptConfig
from dgseg.jobs.folder import JobFolder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

SOON_S = 60
LONG = AdaptConfig(
    rivals=(),
    steps=100_000,
    patch_px=32,
    batch_labelled=2,
    batch_unlabelled=2,
    device="cpu",
    precision="fp32",
)
SHORT = dataclasses.replace(LONG, steps=400)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def is_training(folder: JobFolder) -> bool:
    events, _ = folder.events()
    return any(e.phase == "training" and e.type == "progress" for e in events)


def test_a_job_outlives_its_parent_leaves_a_core_free_and_stops_when_asked(make_job):
    folder = make_job(LONG)
    code = f"from dgseg.jobs.folder import JobFolder; print(JobFolder({str(folder.path)!r}).start().pid)"
    parent = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, check=True
    )
    job = psutil.Process(int(parent.stdout))
    try:
        wait_for(lambda: is_training(folder))
        assert folder.state == "running"
        assert job.nice() == 10
        assert os.getsid(job.pid) == job.pid
        job.send_signal(signal.SIGTERM)
        wait_for(lambda: folder.state == "stopped")
        assert (folder.checkpoint / "training.pt").exists()
    finally:
        if job.is_running():
            job.kill()


def test_a_killed_job_is_dead_and_can_be_resumed(make_job, run_here):
    folder = make_job(SHORT)
    with folder.start() as process:
        wait_for(lambda: is_training(folder))
        process.kill()
    assert folder.state == "died"
    assert run_here(folder.path) == 0
    assert folder.state == "finished"
    assert folder.result["steps"] == 400
    assert folder.events()[0][-1].run == 2


def test_what_is_no_job_ends_with_a_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dgseg.jobs", str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"holds no job" in done.stderr
    assert b"Traceback" not in done.stderr
