"""Requests to stop, before a run and during it."""

from __future__ import annotations

import threading

import pytest

from dgseg.errors import JobError
from dgseg.jobs import runner
from dgseg.jobs.events import JobEvent


@pytest.mark.parametrize("phase", ["preparing", "judging", "segmenting"])
def test_it_can_be_stopped_in_any_phase(make_job, run_here, phase):
    folder = make_job()

    def stop(event: JobEvent) -> None:
        if event.phase == phase:
            folder.request_stop()

    assert run_here(folder.path, listener=stop) == 0
    assert folder.state == "stopped"
    assert run_here(folder.path) == 0
    assert folder.state == "finished"
    assert folder.events()[0][-1].run == 2


def test_a_stop_before_the_start_is_heeded(make_job, run_here):
    folder = make_job()
    folder.request_stop()
    assert run_here(folder.path) == 0
    assert folder.state == "stopped"
    assert not folder.checkpoint.exists()


def test_who_asks_for_a_run_may_take_an_earlier_stop_back(make_job, run_here):
    folder = make_job()
    folder.request_stop()
    assert run_here(folder.path, heed_earlier_stop=False) == 0
    assert folder.state == "finished"


def test_a_second_run_takes_no_stop_back_from_the_first(make_job, run_here, monkeypatch):
    monkeypatch.setattr(runner, "_LOCK_S", 0.05)
    folder = make_job()
    refused = []

    def resume() -> None:
        try:
            runner.run_job(folder.path, heed_earlier_stop=False)
        except JobError as error:
            refused.append(error)

    def stop_and_resume(event: JobEvent) -> None:
        if event.phase == "preparing":
            folder.request_stop()
            # The lock is the thread's own: another one stands for another process.
            other = threading.Thread(target=resume)
            other.start()
            other.join()

    assert run_here(folder.path, listener=stop_and_resume) == 0
    assert "Another process" in str(refused[0])
    assert folder.state == "stopped"
