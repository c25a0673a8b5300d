"""The server in this process, with pipes for its two ends."""

from __future__ import annotations

import os
import queue
import threading
from io import FileIO

import pytest

from dgseg.worker import model as model_module
from dgseg.worker.protocol import (
    Cancel,
    Cancelled,
    CancelResult,
    Error,
    Hello,
    Predict,
    Progress,
    Quit,
    Release,
    Result,
    decode_reply,
    encode,
)
from dgseg.worker.server import Server


class Ends:
    """A server in a thread, and the client's ends of its pipes."""

    def __init__(self, **options):
        reads, self._in = os.pipe()
        self._out, writes = os.pipe()
        self.requests = os.fdopen(self._in, "wb", buffering=0)
        self.replies = os.fdopen(self._out, "rb")
        self._theirs = FileIO(reads, "r"), FileIO(writes, "w")
        self.server = Server(*self._theirs, device="cpu", precision="fp32", **options)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def send(self, *requests):
        self.requests.write(b"".join(map(encode, requests)))

    def reply(self):
        return decode_reply(self.replies.readline())

    def close(self):
        if not self.requests.closed:
            self.requests.close()
        self.thread.join()
        for end in (*self._theirs, self.replies):
            end.close()


@pytest.fixture
def ends():
    opened = []

    def open_(**options):
        opened.append(Ends(**options))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


@pytest.fixture
def predictions(monkeypatch):
    """Predictions that wait for a word from the test, and report when they begin."""

    class Gate:
        began: queue.Queue = queue.Queue()
        go = threading.Event()
        released = threading.Event()

    def predict(self, request, report, should_stop):
        from dgseg.inference.batches import SegmentationStopped

        self._loaded = {request.bundle: None}
        Gate.began.put(request.id)
        while not Gate.go.wait(0.005):
            if should_stop():
                raise SegmentationStopped
        raise ValueError("a mistake in the program")

    def release(self):
        self._loaded = {}
        Gate.released.set()

    monkeypatch.setattr(model_module.Model, "predict", predict)
    monkeypatch.setattr(model_module.Model, "release", release)
    return Gate


def predict(number, scan, bundle, out):
    return Predict(id=number, source=scan, bundle=bundle, out=out)


def test_it_answers_hello_while_it_segments(ends, predictions, scan, tmp_path):
    end = ends()
    end.send(predict(1, scan, tmp_path, tmp_path))
    predictions.began.get()
    end.send(Hello(id=2))
    assert end.reply().id == 2
    end.send(Cancel(id=3, target=1))
    replies = [end.reply(), end.reply()]
    assert {type(reply) for reply in replies} == {Result, Cancelled}


def test_a_request_that_waits_is_cancelled_before_it_begins(ends, predictions, scan, tmp_path):
    end = ends()
    end.send(predict(1, scan, tmp_path, tmp_path), predict(2, scan, tmp_path, tmp_path))
    predictions.began.get()
    end.send(Cancel(id=3, target=2), Cancel(id=4, target=1))
    replies = {reply.id: reply for reply in (end.reply() for _ in range(4))}
    assert isinstance(replies[1], Cancelled)
    assert isinstance(replies[2], Cancelled)
    assert predictions.began.empty()


def test_cancelling_what_is_over_finds_nothing(ends):
    end = ends()
    end.send(Cancel(id=1, target=99))
    assert end.reply().unpack() == CancelResult(found=False)


def test_a_mistake_in_the_program_is_an_answer_too(ends, predictions, scan, tmp_path):
    predictions.go.set()
    end = ends()
    end.send(predict(1, scan, tmp_path, tmp_path), Release(id=2))
    reply = end.reply()
    assert isinstance(reply, Error)
    assert reply.kind == "UnexpectedError"
    assert "mistake" not in reply.message
    assert end.reply().id == 2


def test_an_idle_worker_lets_its_model_go(ends, predictions, scan, tmp_path):
    predictions.go.set()
    end = ends(idle_s=0.01)
    end.send(predict(1, scan, tmp_path, tmp_path))
    end.reply()
    assert predictions.released.wait(10)


def test_quitting_stops_what_runs(ends, predictions, scan, tmp_path):
    end = ends()
    end.send(predict(1, scan, tmp_path, tmp_path))
    predictions.began.get()
    end.send(Quit(id=2))
    assert isinstance(end.reply(), Cancelled)
    assert end.reply().id == 2
    end.thread.join()


def test_the_end_of_input_stops_what_runs(ends, predictions, scan, tmp_path):
    end = ends()
    end.send(predict(1, scan, tmp_path, tmp_path))
    predictions.began.get()
    end.requests.close()
    end.thread.join()


def test_a_client_that_reads_no_more_ends_it(ends, predictions, scan, tmp_path):
    end = ends()
    end.replies.close()
    end.send(Hello(id=1))
    end.send(Release(id=2))
    end.thread.join()


def test_progress_is_thinned_out_but_every_stage_is_told(ends, monkeypatch, scan, tmp_path):
    def predict_(self, request, report, should_stop):
        for stage in ("reading", "loading"):
            report(0.0, stage)
        for i in range(1000):
            report(i / 1000, "segmenting")
        raise ValueError

    monkeypatch.setattr(model_module.Model, "predict", predict_)
    end = ends()
    end.send(predict(1, scan, tmp_path, tmp_path))
    replies = []
    while isinstance(reply := end.reply(), Progress):
        replies.append(reply)
    assert [reply.stage for reply in replies[:3]] == ["reading", "loading", "segmenting"]
    assert len(replies) < 10
