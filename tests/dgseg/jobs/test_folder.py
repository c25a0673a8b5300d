from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dgseg.errors import JobError
from dgseg.files import write_json
from dgseg.jobs.events import EventWriter
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.spec import AdaptJob

SPEC = AdaptJob(site=Path("site"), bundle=Path("bundle"))


@pytest.fixture
def folder(tmp_path) -> JobFolder:
    return JobFolder.create(tmp_path / "job", SPEC)


def tell(folder: JobFolder, state: str, run: int = 1) -> None:
    writer = EventWriter(folder.path / "events.jsonl", run)
    writer.write("state", state=state)
    writer.close()


def test_a_new_job_waits_and_knows_what_to_do(folder):
    assert folder.state == "waiting"
    assert folder.spec == SPEC
    assert folder.runs == 0
    assert folder.result is None


def test_a_folder_holds_one_job(folder):
    with pytest.raises(JobError, match="already holds a job"):
        JobFolder.create(folder.path, SPEC)


def test_a_place_that_cannot_be_written_is_a_job_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match="cannot be written"):
        JobFolder.create(tmp_path / "file" / "job", SPEC)


@pytest.mark.parametrize("content", ["", "{}", '{"kind": "knit"}', "[1"])
def test_a_spoilt_description_is_a_job_error(folder, content):
    (folder.path / "job.json").write_text(content)
    with pytest.raises(JobError, match="not valid"):
        _ = folder.spec


def test_no_job_is_a_job_error(tmp_path):
    with pytest.raises(JobError, match="holds no job"):
        _ = JobFolder(tmp_path).spec


def test_a_job_that_holds_its_lock_runs(folder):
    tell(folder, "running")
    with folder.lock():
        assert folder.state == "running"
        folder.request_stop()
        assert folder.state == "stopping"
    assert folder.state == "died"


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_the_last_word_of_a_job_is_its_state(folder, state):
    tell(folder, "running")
    tell(folder, state)
    assert folder.state == state


def test_a_result_is_the_end_though_the_last_event_is_missing(folder):
    tell(folder, "running")
    write_json(folder.path / "result.json", {"steps": 1})
    assert folder.state == "finished"
    assert folder.result == {"steps": 1}


def test_a_request_to_stop_is_for_one_run(folder):
    folder.request_stop()
    assert folder.stop_requested(1)
    assert not folder.stop_requested(2)
    tell(folder, "stopped", run=1)
    folder.request_stop()
    assert folder.stop_requested(2)
    folder.clear_stop()
    assert not folder.stop_requested(2)


def test_an_empty_stop_file_stops_any_run(folder):
    (folder.path / "stop").touch()
    assert folder.stop_requested(1)
    assert folder.stop_requested(7)


def test_whoever_looks_does_not_keep_the_job_from_starting(folder):
    folder.lock().acquire()
    (folder.path / "lock").touch()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            _ = folder.state

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(50):
            with folder.lock().acquire(timeout=5):
                pass
    finally:
        done.set()
        thread.join()
