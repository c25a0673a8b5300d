"""Corrections: in memory at once, on disk within a second, whatever the disk does."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from dgseg.errors import LabelsError, WorkspaceError, WorkspaceWriteError
from dgseg.scans.schema import SPINAL_GM
from dgseg.site.corrections import Corrections
from dgseg.site.journal import slice_entry
from dgseg.site.writer import Writer

SHAPE = (5, 8, 7)
BUNDLE = "0123456789ab"


@pytest.fixture
def writer():
    writer = Writer(retry_s=0.02)
    yield writer
    writer.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scan" / "corrections.journal"


@pytest.fixture
def corrections(path: Path, writer: Writer) -> Corrections:
    corrections = Corrections(path, SPINAL_GM, writer=writer)
    corrections.start(np.zeros(SHAPE, np.uint8), BUNDLE)
    return corrections


class Disk:
    """A disk that refuses to write journals while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refuses = 0
        self.n_refused = 0
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, handle: int) -> None:
        if self.refuses:
            self.n_refused += 1
            raise OSError(self.refuses, "refused")
        self._fsync(handle)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def drawn(value: int = 1, row: int = 2) -> np.ndarray:
    labels = np.zeros(SHAPE[1:], np.uint8)
    labels[row] = value
    return labels


def reopened(path: Path) -> Corrections:
    return Corrections(path, SPINAL_GM)


class TestWhatTheySay:
    def test_before_the_start_nothing_can_be_recorded(self, path, writer):
        corrections = Corrections(path, SPINAL_GM, shape=SHAPE, writer=writer)

        assert not corrections.started
        assert corrections.bundle_id == ""
        assert not corrections.annotated.any()
        with pytest.raises(WorkspaceError, match="not been started"):
            corrections.record(0, drawn(), "changed")
        with pytest.raises(WorkspaceError, match="not been started"):
            corrections.slice_labels(0)

    def test_slices_lie_over_the_base(self, path, writer):
        base = np.full(SHAPE, 2, np.uint8)
        corrections = Corrections(path, SPINAL_GM, writer=writer)
        corrections.start(base, BUNDLE)
        corrections.record(3, drawn(), "changed")
        corrections.record(1, base[1], "confirmed")

        expected = base.copy()
        expected[3] = drawn()
        np.testing.assert_array_equal(corrections.labels, expected)
        assert corrections.labels.dtype == np.uint8
        assert corrections.slices == {1: "confirmed", 3: "changed"}
        assert corrections.annotated.tolist() == [False, True, False, True, False]
        np.testing.assert_array_equal(corrections.slice_labels(3), drawn())
        np.testing.assert_array_equal(corrections.slice_labels(0), base[0])

    def test_what_was_given_and_what_is_got_are_copies(self, corrections):
        labels = drawn()
        corrections.record(0, labels, "changed")
        labels[:] = 2
        corrections.labels[:] = 2
        corrections.slice_labels(0)[:] = 2
        corrections.slice_labels(4)[:] = 2

        np.testing.assert_array_equal(corrections.labels[0], drawn())
        assert not corrections.labels[1:].any()

    def test_the_same_again_is_nothing_new(self, corrections, path):
        assert corrections.record(0, drawn(), "changed")
        corrections.flush()
        size = path.stat().st_size

        assert not corrections.record(0, drawn().astype(np.int32), "changed")
        corrections.start(np.zeros(SHAPE, np.uint8), BUNDLE)
        corrections.withdraw(2)
        corrections.flush()
        assert path.stat().st_size == size
        assert corrections.record(0, drawn(), "confirmed")

    def test_withdrawing_shows_the_base_again(self, path, writer):
        corrections = Corrections(path, SPINAL_GM, writer=writer)
        corrections.start(np.full(SHAPE, 2, np.uint8), BUNDLE)
        corrections.record(0, drawn(), "changed")
        corrections.withdraw(0)
        corrections.flush()

        for one in (corrections, reopened(path)):
            assert one.slices == {}
            assert (one.labels == 2).all()

    def test_started_again_keeps_what_a_person_did(self, corrections, path):
        corrections.record(0, drawn(), "changed")
        corrections.start(np.full(SHAPE, 2, np.uint8), "f" * 12)
        corrections.flush()

        for one in (corrections, reopened(path)):
            assert one.bundle_id == "f" * 12
            np.testing.assert_array_equal(one.labels[0], drawn())
            assert (one.labels[1:] == 2).all()

    @pytest.mark.parametrize(
        ("index", "labels", "state", "problem"),
        [
            (0, np.zeros((8, 6), np.uint8), "changed", "shape"),
            (0, np.zeros(SHAPE, np.uint8), "changed", "2 axes"),
            (0, drawn().astype(float), "changed", "integers"),
            (0, drawn(3), "changed", "outside 0 to 2"),
            (0, -drawn().astype(int), "changed", "outside 0 to 2"),
            (5, drawn(), "changed", "no slice 5"),
            (-1, drawn(), "changed", "no slice -1"),
            (0, drawn(), "guessed", "guessed"),
        ],
    )
    def test_labels_that_do_not_fit_are_refused(
        self, corrections, index, labels, state, problem
    ):
        with pytest.raises(LabelsError, match=problem):
            corrections.record(index, labels, state)
        assert corrections.slices == {}

    @pytest.mark.parametrize(
        "base",
        [np.zeros((5, 8, 6), np.uint8), np.full(SHAPE, 7, np.uint8), np.zeros(SHAPE)],
    )
    def test_a_base_that_does_not_fit_is_refused(self, path, writer, base):
        corrections = Corrections(path, SPINAL_GM, shape=SHAPE, writer=writer)

        with pytest.raises(LabelsError):
            corrections.start(base, BUNDLE)
        assert not corrections.started


class TestOnDisk:
    def test_everything_is_there_after_a_flush(self, corrections, path):
        corrections.record(1, drawn(1), "changed")
        corrections.record(1, drawn(2), "changed")
        corrections.record(4, drawn(0), "confirmed")
        corrections.flush()

        again = reopened(path)
        assert not corrections.unsaved
        assert again.slices == {1: "changed", 4: "confirmed"}
        assert again.bundle_id == BUNDLE
        np.testing.assert_array_equal(again.labels, corrections.labels)

    def test_it_is_there_soon_unasked(self, corrections, path):
        saved = threading.Event()
        corrections.on_saved = saved.set
        corrections.record(1, drawn(), "changed")

        assert saved.wait(5)
        assert reopened(path).slices == {1: "changed"}

    def test_the_journal_is_written_anew_when_it_has_grown(self, path, writer, rng):
        size = 256
        corrections = Corrections(path, SPINAL_GM, writer=writer)
        corrections.start(np.zeros((2, size, size), np.uint8), BUNDLE)
        biggest = 0
        for _ in range(80):
            labels = rng.integers(0, 3, (size, size), dtype=np.uint8)
            corrections.record(1, labels, "changed")
            corrections.flush()
            biggest = max(biggest, path.stat().st_size)

        assert path.stat().st_size < biggest
        assert biggest < (1 << 20) + 2 * size * size
        np.testing.assert_array_equal(reopened(path).labels[1], labels)

    def test_a_full_disk_keeps_the_grown_journal(self, path, writer, rng, monkeypatch):
        monkeypatch.setattr("dgseg.site.corrections._COMPACT_ABOVE", 1)
        corrections = Corrections(path, SPINAL_GM, writer=writer)
        corrections.start(np.zeros(SHAPE, np.uint8), BUNDLE)

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOSPC, "refused")

        monkeypatch.setattr(corrections._journal, "replace", refuse)
        for count in range(40):
            corrections.record(1, drawn(row=count % 8), "changed")
            corrections.flush()

        np.testing.assert_array_equal(reopened(path).labels[1], drawn(row=39 % 8))

    def test_a_torn_end_does_not_get_in_the_way(self, corrections, path, writer):
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        torn = slice_entry(2, drawn(), "changed").encode()[:-1]
        with open(path, "ab") as file:
            file.write(torn)

        again = Corrections(path, SPINAL_GM, writer=writer)
        again.record(3, drawn(), "changed")
        again.flush()

        assert reopened(path).slices == {1: "changed", 3: "changed"}
        assert again.n_damaged_bytes == 0
        (aside,) = path.parent.glob("*.torn-*")
        assert aside.read_bytes() == torn

    def test_a_lost_base_does_not_cost_the_corrections(self, corrections, path, writer):
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        content = bytearray(path.read_bytes())
        content[20] ^= 1
        path.write_bytes(content)

        again = Corrections(path, SPINAL_GM, shape=SHAPE, writer=writer)

        assert again.n_damaged_bytes > 0
        assert not again.started
        assert again.slices == {1: "changed"}
        np.testing.assert_array_equal(again.labels[1], drawn())
        again.start(np.full(SHAPE, 2, np.uint8), BUNDLE)
        np.testing.assert_array_equal(again.labels[1], drawn())

    @pytest.mark.parametrize("take_away", ["file", "folder"])
    def test_a_journal_that_was_taken_away_is_written_anew(self, corrections, path, take_away):
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        path.unlink()
        if take_away == "folder":
            path.parent.rmdir()

        corrections.record(2, drawn(), "changed")
        corrections.flush()

        np.testing.assert_array_equal(reopened(path).labels, corrections.labels)
        assert reopened(path).slices == {1: "changed", 2: "changed"}

    def test_reading_changes_nothing(self, corrections, path):
        corrections.flush()
        with open(path, "ab") as file:
            file.write(b"DGJ1 and then the power went")
        content = path.read_bytes()

        view = reopened(path)

        with pytest.raises(WorkspaceError, match="reading only"):
            view.record(0, drawn(), "changed")
        view.flush()
        assert path.read_bytes() == content
        assert len(list(path.parent.iterdir())) == 1

    def test_closed_they_take_nothing_more(self, corrections, path):
        corrections.record(0, drawn(), "changed")
        corrections.close()

        assert reopened(path).slices == {0: "changed"}
        for change in (
            lambda: corrections.record(1, drawn(), "changed"),
            lambda: corrections.withdraw(0),
            lambda: corrections.start(np.ones(SHAPE, np.uint8), BUNDLE),
        ):
            with pytest.raises(WorkspaceError, match="closed"):
                change()

    def test_many_threads_lose_nothing(self, path, writer):
        corrections = Corrections(path, SPINAL_GM, writer=writer)
        corrections.start(np.zeros((40, 8, 7), np.uint8), BUNDLE)

        def draw(first: int) -> None:
            for index in range(first, 40, 4):
                corrections.record(index, drawn(row=index % 8), "changed")
                if index % 3 == 0:
                    corrections.flush()

        threads = [threading.Thread(target=draw, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        corrections.flush()

        again = reopened(path)
        assert again.annotated.all()
        np.testing.assert_array_equal(again.labels, corrections.labels)


class TestWhenTheDiskRefuses:
    @pytest.mark.parametrize(
        ("code", "problem"),
        [(errno.ENOSPC, "full"), (errno.EROFS, "read-only"), (errno.ENXIO, "refused")],
    )
    def test_it_is_said_and_nothing_is_lost(self, corrections, path, disk, code, problem):
        corrections.flush()
        before = path.read_bytes()
        heard: list[WorkspaceWriteError] = []
        corrections.on_error = heard.append
        disk.refuses = code

        corrections.record(1, drawn(), "changed")
        with pytest.raises(WorkspaceWriteError, match=problem) as caught:
            corrections.flush()

        assert corrections.error is not None
        assert corrections.unsaved
        assert heard
        assert str(path) not in caught.value.public_message
        assert caught.value.remedy
        assert path.read_bytes() == before
        np.testing.assert_array_equal(corrections.labels[1], drawn())

        disk.refuses = 0
        corrections.record(2, drawn(), "changed")
        corrections.flush()
        assert corrections.error is None
        assert reopened(path).slices == {1: "changed", 2: "changed"}

    def test_it_is_tried_again_unasked(self, corrections, path, disk):
        corrections.flush()
        disk.refuses = errno.ENOSPC
        corrections.record(1, drawn(), "changed")
        with pytest.raises(WorkspaceWriteError):
            corrections.flush()
        saved = threading.Event()
        corrections.on_saved = saved.set
        disk.refuses = 0

        assert saved.wait(5)
        assert reopened(path).slices == {1: "changed"}

    def test_closing_refuses_until_told_to_give_up(self, corrections, path, disk):
        corrections.flush()
        disk.refuses = errno.ENOSPC
        corrections.record(1, drawn(), "changed")

        with pytest.raises(WorkspaceWriteError):
            corrections.close()
        corrections.record(2, drawn(), "changed")  # still open
        corrections.close(discard=True)
        corrections.flush()  # nothing to wait for
        disk.refuses = 0
        assert reopened(path).slices == {}

    def test_an_unforeseen_error_is_said_too(self, corrections, monkeypatch):
        corrections.flush()

        def fail(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr("dgseg.site.journal.zlib.compress", fail)
        corrections.record(1, drawn(), "changed")
        with pytest.raises(WorkspaceWriteError, match="MemoryError"):
            corrections.flush()
        monkeypatch.undo()
        corrections.flush()

    def test_a_callback_that_fails_does_not_stop_the_writing(self, corrections, path):
        def fail() -> None:
            raise RuntimeError

        corrections.on_saved = fail
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        corrections.record(2, drawn(), "changed")
        corrections.flush()

        assert reopened(path).slices == {1: "changed", 2: "changed"}

    def test_a_torn_end_on_a_full_disk_is_still_read(self, corrections, path, writer, disk):
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        with open(path, "ab") as file:
            file.write(b"torn")
        disk.refuses = errno.ENOSPC

        again = Corrections(path, SPINAL_GM, writer=writer)

        assert again.error is not None
        assert again.slices == {1: "changed"}
        disk.refuses = 0
        again.record(2, drawn(), "changed")
        again.flush()
        assert reopened(path).slices == {1: "changed", 2: "changed"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_disk_that_is_really_full(tmp_path, writer, rng):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(36_000))
        path = disk / "scan" / "corrections.journal"
        corrections = Corrections(path, SPINAL_GM, writer=writer)
        corrections.start(np.zeros((9, 128, 128), np.uint8), BUNDLE)
        noise = rng.integers(0, 3, (9, 128, 128), dtype=np.uint8)
        for index, labels in enumerate(noise):
            corrections.record(index, labels, "changed")
        with pytest.raises(WorkspaceWriteError, match="full"):
            corrections.flush()
        ballast.unlink()
        subprocess.run(
            ["mount", "-o", "remount,size=1m", str(disk)], check=True, capture_output=True
        )
        corrections.flush()
        np.testing.assert_array_equal(reopened(path).labels, noise)
    finally:
        subprocess.run(["umount", str(disk)], check=False)


_DRAW_UNTIL_KILLED = """
import sys
import numpy as np
from pathlib import Path
from dgseg.scans.schema import SPINAL_GM
from dgseg.site.corrections import Corrections
from dgseg.site.writer import Writer

rng = np.random.default_rng(int(sys.argv[2]))
corrections = Corrections(Path(sys.argv[1]), SPINAL_GM, writer=Writer())
corrections.start(np.zeros((12, 64, 64), np.uint8), "0123456789ab")
count = 0
while True:
    count += 1
    labels = np.zeros((64, 64), np.uint8)
    labels.flat[16:] = rng.integers(0, 3, labels.size - 16)
    labels.flat[:16] = [count // 3**i % 3 for i in range(16)]
    corrections.record(count % 12, labels, "changed")
    corrections.flush()
    print(count, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("n_strokes", [1, 25, 140])
def test_a_killed_program_comes_back_with_every_stroke(path, n_strokes):
    command = [sys.executable, "-c", _DRAW_UNTIL_KILLED, str(path), str(n_strokes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        acknowledged = 0
        while acknowledged < n_strokes:
            acknowledged = int(program.stdout.readline())
        program.kill()
        rest = program.stdout.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged

    again = reopened(path)

    powers = 3 ** np.arange(16)
    seen = {int(i): int(again.labels[i].flat[:16] @ powers) for i in again.slices}
    for count in range(max(1, acknowledged - 11), acknowledged + 1):
        # The slice holds this stroke, or a later one that was not acknowledged any more.
        assert seen[count % 12] in (count, count + 12)
    assert set(again.slices.values()) == {"changed"}


def test_recording_does_not_wait_for_the_disk(path, writer, disk_that_hangs):
    corrections = Corrections(path, SPINAL_GM, writer=writer)
    corrections.start(np.zeros((20, 512, 512), np.uint8), BUNDLE)
    disk_that_hangs.reached.wait(5)
    labels = np.zeros((512, 512), np.uint8)
    for index in range(20):  # all of them while the disk does not answer
        labels[index] = 1
        corrections.record(index, labels, "changed")
    assert corrections.unsaved
    disk_that_hangs.go_on.set()
    corrections.flush()
    assert reopened(path).annotated.all()


@pytest.fixture
def disk_that_hangs(monkeypatch):
    class Hanging:
        reached, go_on = threading.Event(), threading.Event()

    fsync = os.fsync

    def slow(handle: int) -> None:
        Hanging.reached.set()
        Hanging.go_on.wait(10)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", slow)
    return Hanging


def test_the_writer_ends_when_closed(path):
    writer = Writer()
    corrections = Corrections(path, SPINAL_GM, writer=writer)
    corrections.start(np.zeros(SHAPE, np.uint8), BUNDLE)
    writer.close()

    assert not [t for t in threading.enumerate() if t.name == "dgseg-corrections"]
    assert reopened(path).started  # what was due is written before the end
    writer.wake(corrections)  # nobody is woken, and nobody waits
