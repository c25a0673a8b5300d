"""A job lets the person who works at the machine go first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dgseg.jobs.priority import polite_threads

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="niceness is POSIX's")

AUTOGROUP = Path("/proc/self/autogroup")

TELL = """
import os
from pathlib import Path
from dgseg.jobs.priority import lower_priority
os.nice({before})
lower_priority()
lower_priority()
group = Path("/proc/self/autogroup")
print(os.nice(0), group.read_text() if group.exists() else "none")
"""


def told(before=0, alone=True):
    """Niceness of a process after it has lowered its priority, and its session's line."""
    command = [sys.executable, "-c", TELL.format(before=before)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, start_new_session=alone
    )
    niceness, _, group = done.stdout.partition(" ")
    return int(niceness), group.strip()


@pytest.mark.skipif(os.name == "posix" and os.nice(0) >= 10, reason="runs politely itself")
def test_a_job_is_nicer_than_what_people_work_with():
    assert told()[0] == 10


def test_who_is_nicer_already_stays_so():
    before = os.nice(0)
    assert told(before=max(0, 15 - before))[0] == max(15, before)


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="sessions have no niceness here")
def test_a_session_of_its_own_is_as_nice():
    assert told(alone=True)[1].endswith("nice 10")


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="sessions have no niceness here")
def test_others_of_the_session_keep_their_priority():
    before = AUTOGROUP.read_text().strip()
    assert told(alone=False)[1] == before
    assert AUTOGROUP.read_text().strip() == before


def test_a_core_is_left_to_the_person(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert polite_threads() == 5
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert polite_threads() == 1
