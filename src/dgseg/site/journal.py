"""The journal of one scan's corrections: what it looks like on disk, and how it is mended.

A journal is a file of records, one after another, and nothing else. A record is

====== ======== ==============================================================
offset size     content
====== ======== ==============================================================
0      4        ``b"DGJ1"``
4      4        length H of the header, little-endian unsigned
8      4        length P of the payload, little-endian unsigned
12     4        CRC-32 of bytes 4 to 12, the header and the payload
16     H        header: JSON in UTF-8
16+H   P        payload: zlib stream of ``uint8`` voxels in C order, or nothing
====== ======== ==============================================================

There are three kinds of header::

    {"kind": "base", "bundle": "0123456789ab", "shape": [S, R, C], "time": "..."}
    {"kind": "slice", "slice": 7, "state": "changed", "shape": [R, C], "time": "..."}
    {"kind": "withdrawn", "slice": 7, "time": "..."}

The base is the proposal that the corrections started from. The state of a slice
is what its last record says; each record holds the whole slice, so that it needs
no other. Records are only ever appended, then forced to the disk, until the file
has grown to several times what it says; then it is written anew beside itself
and takes its own place in one step.

A program that is killed leaves at most one incomplete record at the end, which is
moved to a file beside the journal when it is next opened. A record whose checksum
is wrong is passed over; those behind it are found by their first four bytes.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dgseg.errors import WorkspaceError
from dgseg.files import atomic_write
from dgseg.site.state import sync_folder

MAGIC = b"DGJ1"
_HEAD = struct.Struct("<4sIII")
_LEVEL = 1  # labels are long runs: a higher level is slower and hardly smaller

SliceState = Literal["changed", "confirmed"]
"""What a person did with a slice: drew in it, or looked and found it right."""

Loss = Literal["", "torn", "damaged"]
"""What of a journal could not be read: nothing, its unfinished end, or more."""

_STATES = ("changed", "confirmed")


class Entry:
    """One record, of which the voxels are packed when it is first written.

    Parameters
    ----------
    header : dict
        As in the module's description.
    payload : bytes, optional
        The zlib stream; empty for a withdrawn slice.
    voxels : ndarray of uint8, optional
        Instead of `payload`: the labels, which must not change any more.
    """

    def __init__(
        self,
        header: dict[str, Any],
        payload: bytes | None = None,
        voxels: np.ndarray | None = None,
    ) -> None:
        self.header = header
        self._payload = payload
        self._voxels = voxels

    @property
    def payload(self) -> bytes:
        """The zlib stream. From here on the labels are kept in this form alone."""
        if self._payload is None:
            # In this order, so that another thread finds one of the two at any time.
            self._payload = b"" if self._voxels is None else _pack(self._voxels)
            self._voxels = None
        return self._payload

    @property
    def n_bytes(self) -> int:
        """Size of the record on disk."""
        return _HEAD.size + len(_header_bytes(self.header)) + len(self.payload)

    def encode(self) -> bytes:
        """The record as it stands on disk."""
        header = _header_bytes(self.header)
        lengths = struct.pack("<II", len(header), len(self.payload))
        checksum = zlib.crc32(self.payload, zlib.crc32(lengths + header))
        head = _HEAD.pack(MAGIC, len(header), len(self.payload), checksum)
        return head + header + self.payload

    def voxels(self) -> np.ndarray:
        """The labels: uint8 of the header's shape, not to be written to.

        Raises
        ------
        WorkspaceError
            If the payload is not what the header says.
        """
        voxels = self._voxels
        if voxels is not None:
            return voxels
        shape = tuple(self.header["shape"])
        try:
            content = zlib.decompress(self.payload)
        except zlib.error:
            content = b""
        if len(content) != prod(shape):
            raise WorkspaceError(
                "A record of the corrections does not hold what it says.",
                remedy="Report this to the makers of dgseg, with the version you use.",
            )
        return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def base_entry(labels: np.ndarray, bundle_id: str) -> Entry:
    """The record of the labels that corrections start from: uint8, (S, R, C)."""
    header = {"kind": "base", "bundle": bundle_id, "shape": list(labels.shape)}
    return Entry(header | {"time": now()}, voxels=labels)


def slice_entry(index: int, labels: np.ndarray, state: SliceState) -> Entry:
    """The record of one slice: uint8, (R, C)."""
    header = {"kind": "slice", "slice": index, "state": state, "shape": list(labels.shape)}
    return Entry(header | {"time": now()}, voxels=labels)


def withdrawn_entry(index: int) -> Entry:
    """The record that a slice is the base's again."""
    return Entry({"kind": "withdrawn", "slice": index, "time": now()})


def now() -> str:
    """The time of a record: UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, eq=False)
class Replay:
    """What a journal says, and what of it could not be read.

    Attributes
    ----------
    base : Entry or None
        The last base.
    slices : dict of int to Entry
        The last record of each slice that is not withdrawn.
    n_bytes : int
        Up to the end of the last sound record.
    n_torn : int
        Bytes behind it: a record that was being written.
    n_damaged : int
        Bytes before it that are no sound record, or are of a scan of another shape.
    """

    base: Entry | None
    slices: dict[int, Entry]
    n_bytes: int = 0
    n_torn: int = 0
    n_damaged: int = 0

    @property
    def loss(self) -> Loss:
        """How much could not be read."""
        return "damaged" if self.n_damaged else "torn" if self.n_torn else ""

    def about(self, shape: tuple[int, int, int]) -> Replay:
        """What is about a scan of so many slices, rows and columns; all else is damage."""
        fits = self.base is not None and tuple(self.base.header["shape"]) == shape
        slices = {
            index: entry
            for index, entry in self.slices.items()
            if index < shape[0] and tuple(entry.header["shape"]) == shape[1:]
        }
        kept = replace(self, base=self.base if fits else None, slices=slices)
        others = set(self.entries) - set(kept.entries)  # mostly none: nothing is encoded
        return replace(kept, n_damaged=self.n_damaged + sum(e.n_bytes for e in others))

    @property
    def entries(self) -> list[Entry]:
        """The records that say the same in the fewest bytes."""
        base = [] if self.base is None else [self.base]
        return base + [self.slices[index] for index in sorted(self.slices)]


def replay(content: bytes) -> Replay:
    """Read a journal's content; never raises, whatever the content.

    Parameters
    ----------
    content : bytes
        All of the file, or any beginning of it.
    """
    base: Entry | None = None
    slices: dict[int, Entry] = {}
    sound_end = n_damaged = 0
    for start, end, entry in _records(content):
        n_damaged += start - sound_end
        sound_end = end
        kind = entry.header["kind"]
        if kind == "base":
            base = entry
        elif kind == "slice":
            slices[entry.header["slice"]] = entry
        else:
            slices.pop(entry.header["slice"], None)
    return Replay(base, slices, sound_end, len(content) - sound_end, n_damaged)


class Journal:
    """One journal on disk. Its owner sees to it that one thread writes at a time.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_bytes = 0

    def load(self, shape: tuple[int, int, int] | None = None) -> Replay:
        """Read the file; an absent one says nothing. Changes nothing on disk.

        Parameters
        ----------
        shape : tuple of int, optional
            Slices, rows and columns of the scan, where known.

        Raises
        ------
        WorkspaceError
            If it is there and cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise WorkspaceError(
                "The corrections of a scan cannot be read.",
                remedy="Check that the disk is connected and that you may read the folder.",
                path=self.path,
            ) from error
        found = replay(content)
        self.n_bytes = found.n_bytes
        return found if shape is None else found.about(shape)

    def mend(self, found: Replay) -> None:
        """Put what could not be read into a file beside, and leave only sound records.

        Raises
        ------
        OSError
            If the disk refuses; the journal is then as it was.
        """
        if not found.loss:
            return
        content = self.path.read_bytes()
        aside = self.path.with_name(f"{self.path.name}.{found.loss}-{_stamp()}")
        with atomic_write(aside) as file:
            file.write(content if found.n_damaged else content[found.n_bytes :])
        if found.n_damaged:
            self.replace(found.entries)
        else:
            self.append(b"")

    def append(self, records: bytes) -> None:
        """Put records at the end and force them to the disk; all of them or none.

        Raises
        ------
        JournalLostError
            If the file has become shorter than what was written to it.
        OSError
            If the disk refuses. What was written in part is taken back, at the
            latest by the next call.
        """
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        handle = os.open(self.path, flags, 0o666)
        try:
            size = os.fstat(handle).st_size
            if size < self.n_bytes:
                raise JournalLostError("The journal was deleted or cut by someone else.")
            if size > self.n_bytes:
                os.ftruncate(handle, self.n_bytes)
            try:
                _write_at(handle, self.n_bytes, records)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, self.n_bytes)
                raise
        finally:
            os.close(handle)
        if not self.n_bytes:
            sync_folder(self.path.parent)
        self.n_bytes += len(records)

    def replace(self, entries: Iterable[Entry]) -> None:
        """Write the file anew with these records, in one step.

        Raises
        ------
        OSError
            If the disk refuses; the old file then stays.
        """
        content = b"".join(entry.encode() for entry in entries)
        with atomic_write(self.path) as file:
            file.write(content)
        sync_folder(self.path.parent)
        self.n_bytes = len(content)


class JournalLostError(OSError):
    """The journal is shorter than what was written to it."""


def _pack(labels: np.ndarray) -> bytes:
    return zlib.compress(np.ascontiguousarray(labels, dtype=np.uint8).data, _LEVEL)


def _header_bytes(header: dict[str, Any]) -> bytes:
    return json.dumps(header, separators=(",", ":")).encode()


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")


def _write_at(handle: int, position: int, content: bytes) -> None:
    os.lseek(handle, position, os.SEEK_SET)
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _records(content: bytes) -> Iterator[tuple[int, int, Entry]]:
    """Each sound record with where it starts and ends."""
    position = content.find(MAGIC)
    while position >= 0:
        found = _record_at(content, position)
        if found is None:
            position = content.find(MAGIC, position + 1)
            continue
        end, entry = found
        yield position, end, entry
        position = content.find(MAGIC, end)


def _record_at(content: bytes, start: int) -> tuple[int, Entry] | None:
    if len(content) < start + _HEAD.size:
        return None
    _, n_header, n_payload, checksum = _HEAD.unpack_from(content, start)
    body = start + _HEAD.size
    end = body + n_header + n_payload
    if end > len(content):
        return None
    view = memoryview(content)
    lengths = view[start + 4 : start + 12]
    if zlib.crc32(view[body:end], zlib.crc32(lengths)) != checksum:
        return None
    header = _header(content[body : body + n_header])
    return None if header is None else (end, Entry(header, content[body + n_header : end]))


def _header(text: bytes) -> dict[str, Any] | None:
    """The header, or None where it is not one that this program writes."""
    try:
        header = json.loads(text)
        kind = header["kind"]
        if kind == "base":
            sound = len(header["shape"]) == 3 and isinstance(header["bundle"], str)
        else:
            sound = header["slice"] >= 0 and isinstance(header["time"], str)
        if kind == "slice":
            sound = sound and len(header["shape"]) == 2 and header["state"] in _STATES
    except (ValueError, KeyError, TypeError):
        return None
    return header if sound and kind in ("base", "slice", "withdrawn") else None
