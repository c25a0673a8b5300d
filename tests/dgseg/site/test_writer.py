"""The thread that writes corrections, whatever the disk and the program do."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from dgseg.errors import WorkspaceWriteError
from dgseg.scans.schema import SPINAL_GM
from dgseg.site.corrections import Corrections
from dgseg.site.writer import Writer

SHAPE = (5, 8, 7)
BUNDLE = "0123456789ab"


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


class TestWhenTheDiskRefuses:
    @pytest.mark.parametrize(
        ("code", "problem"),
        [(errno.ENOSPC, "full"), (errno.EROFS, "read-only"), (errno.ENXIO, "refused")],
    )
    def test_it_is_said_and_nothing_is_lost(
        self, corrections, path, disk, code, problem, drawn, reopened
    ):
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

    def test_it_is_tried_again_unasked(self, corrections, path, disk, drawn, reopened):
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

    def test_closing_refuses_until_told_to_give_up(
        self, corrections, path, disk, drawn, reopened
    ):
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

    def test_an_unforeseen_error_is_said_too(self, corrections, monkeypatch, drawn):
        corrections.flush()

        def fail(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr("dgseg.site.journal.zlib.compress", fail)
        corrections.record(1, drawn(), "changed")
        with pytest.raises(WorkspaceWriteError, match="MemoryError"):
            corrections.flush()
        monkeypatch.undo()
        corrections.flush()

    def test_a_callback_that_fails_does_not_stop_the_writing(
        self, corrections, path, drawn, reopened
    ):
        def fail() -> None:
            raise RuntimeError

        corrections.on_saved = fail
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        corrections.record(2, drawn(), "changed")
        corrections.flush()

        assert reopened(path).slices == {1: "changed", 2: "changed"}

    def test_a_torn_end_on_a_full_disk_is_still_read(
        self, corrections, path, writer, disk, drawn, reopened
    ):
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
def test_a_disk_that_is_really_full(tmp_path, writer, rng, reopened):
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
def test_a_killed_program_comes_back_with_every_stroke(path, n_strokes, reopened):
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


def test_recording_does_not_wait_for_the_disk(path, writer, disk_that_hangs, reopened):
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


def test_the_writer_ends_when_closed(path, reopened):
    writer = Writer()
    corrections = Corrections(path, SPINAL_GM, writer=writer)
    corrections.start(np.zeros(SHAPE, np.uint8), BUNDLE)
    writer.close()

    assert not [t for t in threading.enumerate() if t.name == "dgseg-corrections"]
    assert reopened(path).started  # what was due is written before the end
    writer.wake(corrections)  # nobody is woken, and nobody waits
