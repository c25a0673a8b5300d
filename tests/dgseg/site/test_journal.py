"""The journal: every byte of it may go wrong, and no complete record is lost."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgseg.errors import WorkspaceError
from dgseg.site.journal import (
    MAGIC,
    Entry,
    Journal,
    base_entry,
    replay,
    slice_entry,
    withdrawn_entry,
)

SHAPE = (4, 6, 5)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """A base and some strokes, as a person would make them."""
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    found = [base_entry(rng.integers(0, 3, SHAPE, dtype=np.uint8), "0" * 12)]
    kinds = draw(st.lists(st.sampled_from(["changed", "confirmed", "withdrawn"]), max_size=8))
    for kind in kinds:
        index = int(rng.integers(SHAPE[0]))
        labels = rng.integers(0, 3, SHAPE[1:], dtype=np.uint8)
        stroke = withdrawn_entry(index) if kind == "withdrawn" else None
        found.append(stroke or slice_entry(index, labels, kind))
    return found


def meaning(records: list[Entry]) -> dict[int, tuple[str, bytes]]:
    """What records say of each slice, worked out without the journal's own code."""
    slices: dict[int, tuple[str, bytes]] = {}
    for record in records:
        header = record.header
        if header["kind"] == "slice":
            slices[header["slice"]] = (header["state"], record.voxels().tobytes())
        elif header["kind"] == "withdrawn":
            slices.pop(header["slice"], None)
    return slices


def said(content: bytes) -> dict[int, tuple[str, bytes]]:
    found = replay(content)
    return {i: (e.header["state"], e.voxels().tobytes()) for i, e in found.slices.items()}


@given(entries(), st.data())
def test_cut_at_any_byte_keeps_every_complete_record(records, data):
    encoded = [record.encode() for record in records]
    content = b"".join(encoded)
    cut = data.draw(st.integers(0, len(content)))
    ends = np.cumsum([len(one) for one in encoded])
    n_complete = int((ends <= cut).sum())

    found = replay(content[:cut])

    assert said(content[:cut]) == meaning(records[:n_complete])
    assert (found.base is not None) == (n_complete > 0)
    assert found.n_bytes == (ends[n_complete - 1] if n_complete else 0)
    assert found.n_torn == cut - found.n_bytes
    assert found.n_damaged == 0


@given(entries(), st.data())
def test_a_flipped_bit_costs_one_record_and_is_noticed(records, data):
    encoded = [record.encode() for record in records]
    content = bytearray(b"".join(encoded))
    where = data.draw(st.integers(0, len(content) - 1))
    content[where] ^= 1 << data.draw(st.integers(0, 7))
    hit = int(np.searchsorted(np.cumsum([len(one) for one in encoded]), where, side="right"))

    found = replay(bytes(content))

    assert said(bytes(content)) == meaning(records[:hit] + records[hit + 1 :])
    assert found.n_damaged + found.n_torn == len(encoded[hit])
    assert (found.n_damaged > 0) == (hit < len(records) - 1)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_content_is_read_without_an_error(before, after):
    stroke = slice_entry(1, np.ones(SHAPE[1:], np.uint8), "changed").encode()

    assert said(before + stroke + after)[1][0] == "changed"
    replay(before + MAGIC + after)


@pytest.mark.parametrize(
    "header",
    [
        {"kind": "slice", "slice": -1, "state": "changed", "shape": [2, 2], "time": ""},
        {"kind": "slice", "slice": 1, "state": "guessed", "shape": [2, 2], "time": ""},
        {"kind": "slice", "slice": "1", "state": "changed", "shape": [2, 2], "time": ""},
        {"kind": "other", "slice": 1, "time": ""},
        {"kind": "base", "shape": [2, 2]},
        [],
    ],
)
def test_a_header_of_another_program_is_passed_over(header):
    content = Entry(header, b"").encode()

    found = replay(content)

    assert found.entries == []
    assert found.n_torn == len(content)


def test_a_record_that_holds_less_than_it_says_is_refused():
    entry = slice_entry(0, np.ones((4, 4), np.uint8), "changed")
    lying = Entry({**entry.header, "shape": [9, 9]}, entry.payload)

    with pytest.raises(WorkspaceError, match="does not hold"):
        lying.voxels()


class TestOnDisk:
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Journal:
        return Journal(tmp_path / "corrections.journal")

    @pytest.fixture
    def strokes(self) -> list[bytes]:
        labels = np.ones(SHAPE[1:], np.uint8)
        return [slice_entry(index, labels, "changed").encode() for index in range(3)]

    def test_an_absent_file_says_nothing(self, journal):
        assert journal.load().entries == []
        assert not journal.path.exists()

    def test_a_torn_end_is_cut_off_and_kept_aside(self, journal, strokes):
        journal.path.write_bytes(strokes[0] + strokes[1][:-3])

        journal.mend(journal.load())

        assert journal.path.read_bytes() == strokes[0]
        (aside,) = journal.path.parent.glob("corrections.journal.torn-*")
        assert aside.read_bytes() == strokes[1][:-3]

    def test_damage_in_the_middle_is_kept_aside_and_the_rest_written_anew(
        self, journal, strokes
    ):
        damaged = strokes[0] + b"#" * 40 + strokes[2]
        journal.path.write_bytes(damaged)

        journal.mend(journal.load())

        assert journal.path.read_bytes() == strokes[0] + strokes[2]
        (aside,) = journal.path.parent.glob("corrections.journal.damaged-*")
        assert aside.read_bytes() == damaged

    def test_what_a_failed_attempt_left_is_overwritten(self, journal, strokes):
        journal.append(strokes[0])
        with open(journal.path, "ab") as file:
            file.write(strokes[1][:20])

        journal.append(strokes[2])

        assert journal.path.read_bytes() == strokes[0] + strokes[2]

    def test_a_write_that_fails_half_way_leaves_nothing(self, journal, strokes, monkeypatch):
        journal.append(strokes[0])
        write = os.write

        def half(handle: int, content: bytes) -> int:
            write(handle, bytes(content)[:20])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space"):
            journal.append(strokes[1])
        monkeypatch.undo()

        assert journal.path.read_bytes() == strokes[0]

    def test_short_writes_are_continued(self, journal, strokes, monkeypatch):
        write = os.write
        monkeypatch.setattr(os, "write", lambda handle, part: write(handle, bytes(part)[:7]))
        journal.append(strokes[0] + strokes[1])
        monkeypatch.undo()

        assert sorted(journal.load().slices) == [0, 1]

    def test_a_journal_cut_by_someone_else_is_noticed(self, journal, strokes):
        journal.append(strokes[0])
        journal.path.unlink()

        with pytest.raises(OSError, match="cut"):
            journal.append(strokes[1])

    def test_an_unreadable_file_is_a_typed_error(self, journal):
        journal.path.mkdir()

        with pytest.raises(WorkspaceError, match="cannot be read"):
            journal.load()


settings.register_profile("site", deadline=None, max_examples=60)
settings.load_profile("site")
