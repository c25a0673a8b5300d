"""Work off the GUI's thread."""

from __future__ import annotations

import threading

import pytest
from qtpy.QtCore import QThread

from napari_dgseg.tasks import TaskRunner


@pytest.fixture
def runner(qtbot):
    runner = TaskRunner()
    yield runner
    runner.close()


def test_results_and_items_arrive_on_the_gui_thread(runner, qtbot):
    gui, seen = QThread.currentThread(), []

    def work(report):
        assert QThread.currentThread() is not gui
        report(1)
        report(2)
        return 3

    def note(value):
        seen.append((value, QThread.currentThread() is gui))

    with qtbot.waitSignal(runner.idle, timeout=5000):
        runner.submit(work, on_item=note, on_result=note, on_error=note)
    assert seen == [(1, True), (2, True), (3, True)]


def test_an_error_is_delivered_and_the_next_work_runs(runner, qtbot):
    errors, results = [], []

    def fail(_):
        raise ValueError("no")

    with qtbot.waitSignal(runner.idle, timeout=5000):
        runner.submit(fail, on_result=results.append, on_error=errors.append)
        runner.submit(lambda _: 1, on_result=results.append, on_error=errors.append)
    assert [str(error) for error in errors] == ["no"]
    assert results == [1]


def test_close_waits_drops_the_rest_and_delivers_nothing(qtbot):
    runner, begun, release, told = TaskRunner(), threading.Event(), threading.Event(), []

    def work(_):
        begun.set()
        release.wait(5)
        told.append("work")

    runner.submit(work, on_result=told.append, on_error=told.append)
    runner.submit(lambda _: told.append("second"), on_result=told.append, on_error=told.append)
    assert begun.wait(5)
    release.set()
    runner.close()
    qtbot.wait(20)
    assert told == ["work"]


def test_posts_from_another_thread(runner, qtbot):
    seen = []
    thread = threading.Thread(target=lambda: runner.post(lambda: seen.append(1)))
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: seen == [1])
