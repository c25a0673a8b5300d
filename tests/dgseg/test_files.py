"""Files that are wholly there or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import stat

import numpy as np
import pytest

from dgseg.files import atomic_write, read_array, sha256_of, write_array, write_json


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_old_file_stays_when_writing_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> str:
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"), atomic_write(path, "w") as file:
        file.write("new" + fail())
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_name_changes_hands_at_the_end(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.name == "nt", reason="no modes")
def test_others_may_read_what_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o640


def test_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="No such file"), atomic_write(tmp_path / "no" / "a"):
        pass


def test_json_keeps_every_letter(tmp_path):
    write_json(tmp_path / "a.json", {"name": "Zürich"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"name": "Zürich"}
    assert "Zürich" in text
    assert text.endswith("\n")


def test_arrays_and_memory_maps(tmp_path, rng):
    array = rng.random((3, 4, 5)).astype(np.float32)
    write_array(tmp_path / "a.npy", array)
    assert np.array_equal(read_array(tmp_path / "a.npy"), array)
    mapped = read_array(tmp_path / "a.npy", memory_map=True)
    assert isinstance(mapped, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        mapped[0, 0, 0] = 1


def test_nothing_is_unpickled(tmp_path):
    with pytest.raises(ValueError, match="Object arrays"):
        write_array(tmp_path / "a.npy", np.array([{}], dtype=object))
    (tmp_path / "b.npy").write_bytes(pickle.dumps({}))
    with pytest.raises(ValueError, match="pickle"):
        read_array(tmp_path / "b.npy")


def test_digest(tmp_path):
    content = bytes(range(256)) * 9
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a", chunk_bytes=100) == hashlib.sha256(content).hexdigest()


def test_what_can_be_made_again_does_not_wait_for_the_disk(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(os, "fsync", waited.append)
    write_array(tmp_path / "a.npy", np.arange(3), durable=False)
    assert not waited
    assert names(tmp_path) == ["a.npy"]
    write_array(tmp_path / "a.npy", np.arange(4))
    assert len(waited) == 1
    assert read_array(tmp_path / "a.npy").tolist() == [0, 1, 2, 3]
