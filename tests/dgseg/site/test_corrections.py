"""Corrections: in memory at once, on disk within a second."""

from __future__ import annotations

import errno
import threading

import numpy as np
import pytest

from dgseg.errors import LabelsError, WorkspaceError
from dgseg.scans.schema import SPINAL_GM
from dgseg.site.corrections import Corrections
from dgseg.site.journal import slice_entry

SHAPE = (5, 8, 7)
BUNDLE = "0123456789ab"


class TestWhatTheySay:
    def test_before_the_start_nothing_can_be_recorded(self, path, writer, drawn):
        corrections = Corrections(path, SPINAL_GM, shape=SHAPE, writer=writer)

        assert not corrections.started
        assert corrections.bundle_id == ""
        assert not corrections.annotated.any()
        with pytest.raises(WorkspaceError, match="not been started"):
            corrections.record(0, drawn(), "changed")
        with pytest.raises(WorkspaceError, match="not been started"):
            corrections.slice_labels(0)

    def test_slices_lie_over_the_base(self, path, writer, drawn):
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

    def test_what_was_given_and_what_is_got_are_copies(self, corrections, drawn):
        labels = drawn()
        corrections.record(0, labels, "changed")
        labels[:] = 2
        corrections.labels[:] = 2
        corrections.slice_labels(0)[:] = 2
        corrections.slice_labels(4)[:] = 2

        np.testing.assert_array_equal(corrections.labels[0], drawn())
        assert not corrections.labels[1:].any()

    def test_the_same_again_is_nothing_new(self, corrections, path, drawn):
        assert corrections.record(0, drawn(), "changed")
        corrections.flush()
        size = path.stat().st_size

        assert not corrections.record(0, drawn().astype(np.int32), "changed")
        corrections.start(np.zeros(SHAPE, np.uint8), BUNDLE)
        corrections.withdraw(2)
        corrections.flush()
        assert path.stat().st_size == size
        assert corrections.record(0, drawn(), "confirmed")

    def test_withdrawing_shows_the_base_again(self, path, writer, drawn, reopened):
        corrections = Corrections(path, SPINAL_GM, writer=writer)
        corrections.start(np.full(SHAPE, 2, np.uint8), BUNDLE)
        corrections.record(0, drawn(), "changed")
        corrections.withdraw(0)
        corrections.flush()

        for one in (corrections, reopened(path)):
            assert one.slices == {}
            assert (one.labels == 2).all()

    def test_started_again_keeps_what_a_person_did(self, corrections, path, drawn, reopened):
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
            (0, np.ones(SHAPE[1:]), "changed", "integers"),
            (0, np.full(SHAPE[1:], 3), "changed", "outside 0 to 2"),
            (0, np.full(SHAPE[1:], -1), "changed", "outside 0 to 2"),
            (5, np.ones(SHAPE[1:], int), "changed", "no slice 5"),
            (-1, np.ones(SHAPE[1:], int), "changed", "no slice -1"),
            (0, np.ones(SHAPE[1:], int), "guessed", "guessed"),
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
    def test_everything_is_there_after_a_flush(self, corrections, path, drawn, reopened):
        corrections.record(1, drawn(1), "changed")
        corrections.record(1, drawn(2), "changed")
        corrections.record(4, drawn(0), "confirmed")
        corrections.flush()

        again = reopened(path)
        assert not corrections.unsaved
        assert again.slices == {1: "changed", 4: "confirmed"}
        assert again.bundle_id == BUNDLE
        np.testing.assert_array_equal(again.labels, corrections.labels)

    def test_it_is_there_soon_unasked(self, corrections, path, drawn, reopened):
        saved = threading.Event()
        corrections.on_saved = saved.set
        corrections.record(1, drawn(), "changed")

        assert saved.wait(5)
        assert reopened(path).slices == {1: "changed"}

    def test_the_journal_is_written_anew_when_it_has_grown(self, path, writer, rng, reopened):
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

    def test_a_full_disk_keeps_the_grown_journal(
        self, path, writer, rng, monkeypatch, drawn, reopened
    ):
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

    def test_a_torn_end_does_not_get_in_the_way(
        self, corrections, path, writer, drawn, reopened
    ):
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        torn = slice_entry(2, drawn(), "changed").encode()[:-1]
        with open(path, "ab") as file:
            file.write(torn)

        again = Corrections(path, SPINAL_GM, writer=writer)
        again.record(3, drawn(), "changed")
        again.flush()

        assert reopened(path).slices == {1: "changed", 3: "changed"}
        assert again.loss == "torn"
        (aside,) = path.parent.glob("*.torn-*")
        assert aside.read_bytes() == torn

    def test_corrections_of_a_scan_of_another_shape_are_kept_aside(
        self, corrections, path, writer, drawn
    ):
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        content = path.read_bytes()
        n_slices, *plane = SHAPE

        again = Corrections(
            path, SPINAL_GM, shape=(n_slices - 1, *reversed(plane)), writer=writer
        )

        assert (again.loss, again.started, again.slices) == ("damaged", False, {})
        again.start(np.zeros((n_slices - 1, *reversed(plane)), np.uint8), BUNDLE)
        again.flush()
        (aside,) = path.parent.glob("*.damaged-*")
        assert aside.read_bytes() == content
        assert Corrections(path, SPINAL_GM).loss == ""

    def test_a_lost_base_does_not_cost_the_corrections(self, corrections, path, writer, drawn):
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        content = bytearray(path.read_bytes())
        content[20] ^= 1
        path.write_bytes(content)

        again = Corrections(path, SPINAL_GM, shape=SHAPE, writer=writer)

        assert again.loss == "damaged"
        assert not again.started
        assert again.slices == {1: "changed"}
        np.testing.assert_array_equal(again.labels[1], drawn())
        again.start(np.full(SHAPE, 2, np.uint8), BUNDLE)
        np.testing.assert_array_equal(again.labels[1], drawn())

    @pytest.mark.parametrize("take_away", ["file", "folder"])
    def test_a_journal_that_was_taken_away_is_written_anew(
        self, corrections, path, take_away, drawn, reopened
    ):
        corrections.record(1, drawn(), "changed")
        corrections.flush()
        path.unlink()
        if take_away == "folder":
            path.parent.rmdir()

        corrections.record(2, drawn(), "changed")
        corrections.flush()

        np.testing.assert_array_equal(reopened(path).labels, corrections.labels)
        assert reopened(path).slices == {1: "changed", 2: "changed"}

    def test_reading_changes_nothing(self, corrections, path, drawn, reopened):
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

    def test_closed_they_take_nothing_more(self, corrections, path, drawn, reopened):
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

    def test_many_threads_lose_nothing(self, path, writer, drawn, reopened):
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
