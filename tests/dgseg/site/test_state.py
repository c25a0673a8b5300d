"""State files with a second copy."""

from __future__ import annotations

import errno
import os

import pytest
from pydantic import BaseModel

from dgseg.errors import WorkspaceError, WorkspaceWriteError
from dgseg.site.state import backup_of, read_state, write_state


class Content(BaseModel):
    schema_version: int = 1
    number: int


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "state.json"
    write_state(path, Content(number=7))
    return path


@pytest.mark.parametrize("content", [None, "", "{", '{"number": "seven"}', "[]", "\xff"])
@pytest.mark.parametrize("first", [True, False])
def test_one_sound_copy_is_enough(path, content, first):
    damaged = path if first else backup_of(path)
    if content is None:
        damaged.unlink()
    else:
        damaged.write_text(content, encoding="latin-1")

    assert read_state(path, Content, 1) == Content(number=7)


def test_two_damaged_copies_are_an_error(path):
    path.write_text("{")
    backup_of(path).write_text("{")

    with pytest.raises(WorkspaceError, match="second copy") as caught:
        read_state(path, Content, 1)
    assert caught.value.remedy


def test_nothing_is_none(tmp_path):
    assert read_state(tmp_path / "state.json", Content, 1) is None


def test_a_newer_one_is_refused_though_its_copy_is_older(path):
    path.write_text('{"schema_version": 2, "number": 8}')

    with pytest.raises(WorkspaceError, match="newer dgseg"):
        read_state(path, Content, 1)


def test_a_full_disk_leaves_the_old_state(path, monkeypatch):
    def refuse(handle: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(WorkspaceWriteError, match="the disk is full"):
        write_state(path, Content(number=8))

    assert read_state(path, Content, 1) == Content(number=7)
    assert sorted(p.name for p in path.parent.iterdir()) == ["state.json", "state.json.bak"]
