"""Factors as one table."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from dgseg.errors import WorkspaceWriteError
from dgseg.factors.record import ScanFactors
from dgseg.factors.table import slice_columns, write_csv, write_npz


def _factors(scan_id, n_slices, rng):
    error = rng.random(n_slices).astype(np.float32)
    return ScanFactors(
        scan_id=scan_id,
        bundle_id="0b0b0b0b0b0b",
        style=rng.normal(size=(n_slices, 2)).astype(np.float32),
        domain=np.zeros((n_slices, 0), np.float32),
        error=error,
        uncertainty=np.full(n_slices, np.nan, np.float32),
        likeness=rng.random((n_slices, 3)).astype(np.float32),
        carried=np.ones((4, 3), np.float32),
        thumbnails=np.zeros((n_slices, 48, 48), np.uint8),
    )


@pytest.fixture
def records():
    rng = np.random.default_rng(0)
    return [_factors("aaaaaaaaaaaa", 3, rng), _factors("bbbbbbbbbbbb", 1, rng)]


def test_columns_are_named_and_as_long_as_the_scan(records):
    columns = slice_columns(records[0], ("UCL", "NWU"))
    assert list(columns) == [
        "slice",
        "style_1",
        "style_2",
        "error",
        "uncertainty",
        "like_UCL",
        "like_NWU",
        "like_3",
    ]
    assert {len(column) for column in columns.values()} == {3}
    np.testing.assert_array_equal(columns["style_2"], records[0].style[:, 1])


def test_a_row_a_slice_and_nothing_for_what_is_not_known(records, tmp_path):
    write_csv(tmp_path / "factors.csv", records, ("UCL", "NWU", "VU"))
    with open(tmp_path / "factors.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["scan"], row["slice"]) for row in rows] == [
        ("aaaaaaaaaaaa", "0"),
        ("aaaaaaaaaaaa", "1"),
        ("aaaaaaaaaaaa", "2"),
        ("bbbbbbbbbbbb", "0"),
    ]
    assert {row["uncertainty"] for row in rows} == {""}
    assert float(rows[1]["error"]) == pytest.approx(float(records[0].error[1]), rel=1e-5)


def test_arrays_come_back_without_pickles(records, tmp_path):
    write_npz(tmp_path / "factors.npz", records, ("UCL", "NWU", "VU"))
    with np.load(tmp_path / "factors.npz", allow_pickle=False) as found:
        assert found["style"].shape == (4, 2)
        assert found["scan"].tolist() == ["aaaaaaaaaaaa"] * 3 + ["bbbbbbbbbbbb"]
        assert found["slice"].tolist() == [0, 1, 2, 0]
        assert found["carried"].shape == (2, 4, 3)
        assert found["domains"].tolist() == ["UCL", "NWU", "VU"]
        assert str(found["bundle"]) == "0b0b0b0b0b0b"


@pytest.mark.parametrize("write", [write_csv, write_npz])
def test_a_disk_that_refuses(records, tmp_path, write):
    with pytest.raises(WorkspaceWriteError):
        write(tmp_path / "missing" / "factors", records, ())
