"""What is written of scans that give no finite numbers, of single slices, and of no proposals."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from dgseg.errors import MethodError
from dgseg.inspection.report import Inspection


@pytest.fixture
def inspection(segmenter, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    return Inspection(segmenter, out)


def _rows(inspection):
    with open(inspection.out / "codes.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_scan_without_finite_codes_is_left_out_and_the_others_go_on(
    inspection, make_scan, runaway
):
    bad, good = make_scan(1), make_scan(2)
    runaway(bad, 3)
    with pytest.raises(MethodError, match="no finite anatomy or codes in slice 3"):
        inspection.add(bad, "north")
    inspection.add(good, "north")
    page = inspection.finish()
    assert {row["scan"] for row in _rows(inspection)} == {good.scan_id}
    assert bad.scan_id not in page.read_text(encoding="utf-8")
    assert [path.name for path in (inspection.out / "scans").iterdir()] == [good.scan_id]


def test_a_single_slice_has_a_page(inspection, make_scan):
    inspection.add(make_scan(n_slices=1), "north")
    text = inspection.finish().read_text(encoding="utf-8")
    assert "1 scan, 1 slice;" in text
    assert "<td>Anatomy against codes</td><td>–</td>" in text
    measures = json.loads((inspection.out / "measures.json").read_text(encoding="utf-8"))
    assert measures["n_slices"] == 1
    assert set(measures["distance_correlation"].values()) == {None}


def test_scans_that_were_never_segmented_have_no_uncertainty(inspection, make_scan):
    inspection.add(make_scan(n_slices=2), "north")
    inspection.finish()
    with np.load(inspection.out / "factors.npz") as arrays:
        assert np.isnan(arrays["uncertainty"]).all()
        assert np.isfinite(arrays["error"]).all()
