"""The worker and jobs as real processes; only small ones that need no torch."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from dgseg.adaptation.config import AdaptConfig
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.spec import AdaptJob
from dgseg.worker.protocol import Hello, HelloResult, Predict
from napari_dgseg.processes import JobWatcher, WorkerClient

TIMEOUT = 30_000


@pytest.fixture
def client(qtbot):
    client = WorkerClient()
    yield client
    client.close()


def _ask(client, qtbot, kind=Hello, **fields):
    answers = []
    client.request(kind, on_result=answers.append, on_error=answers.append, **fields)
    qtbot.waitUntil(lambda: bool(answers), timeout=TIMEOUT)
    return answers[0]


def test_it_starts_with_the_first_question(client, qtbot):
    assert not client.is_running
    answer = _ask(client, qtbot)
    assert isinstance(answer, HelloResult)
    assert answer.pid == client.pid


def test_killed_it_answers_with_an_error_and_comes_back(client, qtbot):
    first = _ask(client, qtbot).pid
    errors = []
    with qtbot.waitSignal(client.stopped, timeout=TIMEOUT):
        os.kill(first, signal.SIGSTOP)
        client.request(Hello, on_result=errors.append, on_error=errors.append)
        os.kill(first, signal.SIGKILL)
    assert "was killed" in errors[0].problem
    assert errors[0].remedy
    assert _ask(client, qtbot).pid != first


def test_a_program_that_is_not_there(qtbot):
    client = WorkerClient(["/nowhere/python"])
    answer = _ask(client, qtbot)
    assert "could not be started" in answer.problem
    client.close()


def test_what_a_library_prints_is_no_answer(qtbot):
    script = (
        "import sys\n"
        "line = sys.stdin.readline()\n"
        "print('Loading 100%')\n"
        'print(\'{"id": 1, "type": "error", "kind": "X", "message": "no"}\', flush=True)\n'
        "sys.stdin.read()\n"
    )
    client = WorkerClient([sys.executable, "-c", script])
    assert _ask(client, qtbot).problem == "no"
    client.close()


def test_close_leaves_no_process_and_no_answer(qtbot, tmp_path):
    client, told = WorkerClient(), []
    pid = _ask(client, qtbot).pid
    client.request(
        Predict,
        source={"kind": "nifti", "path": tmp_path / "gone.nii"},
        bundle=tmp_path,
        out=tmp_path,
        on_result=told.append,
        on_error=told.append,
    )
    client.close()
    assert not _exists(pid)
    assert told == []
    assert not client.is_running


def _exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def watcher(qtbot):
    watcher = JobWatcher()
    yield watcher
    watcher.unfollow()


class ScriptedJob(JobFolder):
    """A job folder whose process is a few lines of Python."""

    script = ""

    def command(self):
        return [sys.executable, "-c", self.script, str(self.path)]


def _job(tmp_path, script):
    folder = ScriptedJob(tmp_path / "job")
    spec = AdaptJob(site=tmp_path, bundle=tmp_path, config=AdaptConfig())
    ScriptedJob.create(folder.path, spec)
    folder.script = script
    return folder


_RUNS = """
import sys, pathlib
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.events import EventWriter
folder = JobFolder(sys.argv[1])
with folder.lock():
    writer = EventWriter(folder.path / "events.jsonl", folder.runs + 1)
    writer.write("state", state="running")
    writer.write("progress", phase="training", step=1, total=2, losses={"loss": 1.0})
    while not folder.stop_requested(folder.runs):
        __import__("time").sleep(0.02)
    writer.write("state", state="stopped")
"""


def test_launch_follow_stop(watcher, qtbot, tmp_path):
    folder, states, events = _job(tmp_path, _RUNS), [], []
    watcher.state_changed.connect(states.append)
    watcher.told.connect(events.extend)
    watcher.launch(folder)
    qtbot.waitUntil(lambda: "running" in states, timeout=TIMEOUT)
    folder.request_stop()
    qtbot.waitUntil(lambda: "stopped" in states, timeout=TIMEOUT)
    assert states[0] in ("starting", "running")
    assert events[1].losses == {"loss": 1.0}
    watcher.launch(folder)  # resume: the old request to stop is no more
    qtbot.waitUntil(lambda: states[-1] == "running", timeout=TIMEOUT)
    folder.request_stop()
    qtbot.waitUntil(lambda: states[-1] == "stopped", timeout=TIMEOUT)


def test_a_process_that_dies_at_once_is_noticed(watcher, qtbot, tmp_path):
    states = []
    watcher.state_changed.connect(states.append)
    watcher.launch(_job(tmp_path, "raise SystemExit(3)"))
    qtbot.waitUntil(lambda: "died" in states, timeout=TIMEOUT)


def test_a_killed_job_is_noticed(watcher, qtbot, tmp_path):
    folder, states = _job(tmp_path, _RUNS), []
    script = "import os, sys; open(sys.argv[1] + '/pid', 'w').write(str(os.getpid()))\n"
    folder.script = script + _RUNS
    watcher.state_changed.connect(states.append)
    watcher.launch(folder)
    qtbot.waitUntil(lambda: "running" in states, timeout=TIMEOUT)
    os.kill(int((folder.path / "pid").read_text()), signal.SIGKILL)
    qtbot.waitUntil(lambda: "died" in states, timeout=TIMEOUT)


def test_a_job_outlives_its_watcher_and_is_found_again(watcher, qtbot, tmp_path):
    folder, states = _job(tmp_path, _RUNS), []
    watcher.launch(folder)
    qtbot.waitUntil(lambda: watcher.state == "running", timeout=TIMEOUT)
    watcher.unfollow()
    other = JobWatcher()
    other.state_changed.connect(states.append)
    events = []
    other.told.connect(events.extend)
    other.follow(JobFolder(folder.path))
    assert states == ["running"]
    assert events[0].state == "running"
    folder.request_stop()
    qtbot.waitUntil(lambda: states[-1] == "stopped", timeout=TIMEOUT)
