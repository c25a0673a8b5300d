"""Records of factors on disk."""

from __future__ import annotations

import dataclasses
import errno
import json
import os

import numpy as np
import pytest

from dgseg.errors import WorkspaceWriteError
from dgseg.factors.record import ScanFactors, has_factors, read_factors, write_factors


def make_factors(rng: np.random.Generator, n: int = 3, domain: int = 2) -> ScanFactors:
    def numbers(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    return ScanFactors(
        scan_id="a" * 12,
        bundle_id="0123456789ab",
        style=numbers(n, 4),
        domain=numbers(n, domain),
        error=numbers(n),
        uncertainty=np.full(n, np.nan, np.float32),
        likeness=numbers(n, 3 if domain else 0),
        carried=np.array([[0.25, np.nan], [1 / 3, 0.5]], np.float32),
        thumbnails=rng.integers(0, 256, (n, 48, 48), dtype=np.uint8),
    )


@pytest.mark.parametrize(("n", "domain"), [(3, 2), (1, 2), (2, 0)])
def test_it_comes_back(rng, tmp_path, n, domain):
    factors = make_factors(rng, n, domain)

    folder = write_factors(tmp_path / "a" / "b", factors)
    found = read_factors(folder)

    assert has_factors(folder)
    assert found.n_slices == n
    for name, value in vars(factors).items():
        np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)
    assert found.carried.dtype == np.float32
    assert not found.thumbnails.flags.writeable


def test_slices_without_codes_come_back_as_such(rng, tmp_path):
    factors = make_factors(rng)
    factors.style[1] = np.nan
    found = read_factors(write_factors(tmp_path, factors))
    assert np.isnan(found.style).all(axis=1).tolist() == [False, True, False]


def test_one_replaces_another(rng, tmp_path):
    write_factors(tmp_path, make_factors(rng, 5))
    write_factors(tmp_path, make_factors(rng, 2))
    assert read_factors(tmp_path).n_slices == 2


@pytest.mark.parametrize("name", ["slices.npy", "thumbnails.npy", "factors.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "other", "empty"])
def test_damaged_ones_are_none(rng, tmp_path, name, damage):
    file = write_factors(tmp_path, make_factors(rng)) / name
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        os.truncate(file, file.stat().st_size // 2)
    elif damage == "other" and name.endswith(".npy"):
        np.save(file, np.zeros((4, 2), np.float64))
    elif damage == "other":
        file.write_text("[1]", encoding="utf-8")
    else:
        file.write_bytes(b"")
    assert read_factors(tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"columns": [4, 2, 3, 1]},
        {"columns": [4, 2, 5]},
        {"carried": [[1.0], [1.0, 2.0]]},
        {"carried": "none"},
    ],
)
def test_descriptions_that_do_not_fit_are_none(rng, tmp_path, change):
    file = write_factors(tmp_path, make_factors(rng)) / "factors.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | change), encoding="utf-8")
    assert read_factors(tmp_path) is None


def test_a_full_disk_leaves_no_record(rng, tmp_path, monkeypatch):
    write_factors(tmp_path, make_factors(rng))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("dgseg.factors.record.write_array", full)
    with pytest.raises(WorkspaceWriteError, match="disk is full"):
        write_factors(tmp_path, make_factors(rng))
    assert not has_factors(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"error": np.zeros(2, np.float32)},
        {"style": np.zeros((3, 4))},
        {"likeness": np.zeros((2, 3), np.float32)},
        {"thumbnails": np.zeros((3, 48, 47), np.uint8)},
    ],
)
def test_arrays_must_fit(rng, change):
    with pytest.raises(ValueError, match="do not fit"):
        dataclasses.replace(make_factors(rng), **change)
