from __future__ import annotations

import json

import pytest

from dgseg.jobs import events as module
from dgseg.jobs.events import EventWriter, last_event, read_events


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def test_events_come_back_in_order_and_reading_goes_on_where_it_stopped(path):
    writer = EventWriter(path, run=1)
    writer.write("state", state="running")
    first, offset = read_events(path)
    writer.write("warning", message="gone", scan_id="a" * 12)
    second, end = read_events(path, offset)
    writer.close()
    assert [event.type for event in first + second] == ["state", "warning"]
    assert second[0].message == "gone"
    assert end == path.stat().st_size
    assert read_events(path, end) == ([], end)


def test_a_line_names_its_schema_and_holds_nothing_empty(path):
    writer = EventWriter(path, run=3)
    writer.write("message", message="hello")
    writer.close()
    line = json.loads(path.read_text())
    assert line.pop("time").endswith("+00:00")
    assert line == {"schema": 1, "run": 3, "type": "message", "message": "hello"}


def test_a_line_that_is_being_written_waits(path):
    whole = b'{"schema":1,"time":"t","run":1,"type":"message"}\n'
    path.write_bytes(whole + whole[:20])
    events, offset = read_events(path)
    assert (len(events), offset) == (1, len(whole))


def test_a_torn_line_spoils_no_other(path):
    writer = EventWriter(path, run=1)
    writer.write("state", state="running")
    writer.close()
    with open(path, "ab") as file:
        file.write(b'{"schema":1,"ti')
    writer = EventWriter(path, run=2)
    writer.write("state", state="running")
    writer.close()
    assert [event.run for event in read_events(path)[0]] == [1, 2]
    assert last_event(path).run == 2


def test_events_of_a_newer_version_are_read_as_far_as_they_are_known(path):
    path.write_text('{"schema":1,"time":"t","type":"state","state":"running","aura":7}\n{}\n')
    assert [event.state for event in read_events(path)[0]] == ["running"]


def test_there_may_be_no_file_yet(path):
    assert read_events(path) == ([], 0)
    assert last_event(path) is None


def test_progress_is_thinned_out_but_never_its_end(path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    writer = EventWriter(path, run=1)
    for step in range(1, 1001):
        now[0] += 0.01
        writer.progress(step=step, total=1000)
    writer.close()
    steps = [event.step for event in read_events(path)[0]]
    assert steps[0] == 1
    assert steps[-1] == 1000
    assert 45 <= len(steps) <= 52


def test_a_day_of_progress_stays_small(path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    writer = EventWriter(path, run=1)
    for step in range(200_000):
        now[0] += 86_400 / 200_000
        writer.progress(step=step, total=200_000)
    writer.close()
    assert len(read_events(path)[0]) < 15_000


def test_a_full_disk_is_an_os_error(tmp_path):
    full = tmp_path / "events.jsonl"
    full.symlink_to("/dev/full")
    writer = EventWriter(full, run=1)
    with pytest.raises(OSError, match="No space"):
        writer.write("message", message="hello")
