"""One thing a turn of the event loop."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QTimer

from napari_dgseg.turns import Turns


@pytest.fixture
def done():
    return []


@pytest.fixture
def turns(qapp):
    return Turns()


def _busy(turns, done, n=3):
    turns.add(*(lambda at=at: done.append(at) for at in range(n)))


def test_all_of_it_is_done_in_order_and_nothing_at_once(qtbot, turns, done):
    _busy(turns, done)
    assert not done
    assert turns.is_busy
    qtbot.waitUntil(lambda: not turns.is_busy)
    assert done == [0, 1, 2]


def test_others_have_their_turn_in_between(qtbot, turns, done):
    _busy(turns, done, 2)
    QTimer.singleShot(0, lambda: done.append("other"))
    qtbot.waitUntil(lambda: len(done) == 3)
    assert done.index("other") < done.index(1)


def test_finish_does_it_now_and_once(qtbot, turns, done):
    _busy(turns, done)
    turns.finish()
    assert done == [0, 1, 2]
    turns.add(lambda: done.append("later"))
    qtbot.waitUntil(lambda: not turns.is_busy)
    assert done == [0, 1, 2, "later"]


def test_forget_does_nothing_more(qtbot, turns, done):
    _busy(turns, done)
    turns.forget()
    turns.add(lambda: done.append("later"))
    qtbot.waitUntil(lambda: bool(done))
    assert done == ["later"]


def test_a_step_may_ask_for_more(qtbot, turns, done):
    turns.add(lambda: _busy(turns, done))
    qtbot.waitUntil(lambda: len(done) == 3)
    assert done == [0, 1, 2]


def test_a_step_that_fails_stops_no_other(qtbot, turns, done):
    with qtbot.captureExceptions() as caught:
        turns.add(lambda: 1 / 0)
        _busy(turns, done, 1)
        qtbot.waitUntil(lambda: done == [0])
    assert caught[0][0] is ZeroDivisionError
