"""The workspace of one site."""

from __future__ import annotations

import numpy as np


def test_smoke(site, make_scan, open_site):
    scan = make_scan()
    record = site.add(scan)
    assert record.state.kind == "new"
    corrections = site.corrections(scan.scan_id)
    corrections.start(np.zeros(scan.array.shape, np.uint8), site.accepted_info.bundle_id)
    corrections.record(2, np.ones(scan.array.shape[1:], np.uint8), "changed")
    assert site.state(scan.scan_id).kind == "corrected"
    site.close()
    again = open_site()
    assert again.corrections(scan.scan_id).slices == {2: "changed"}
    assert again.read_scan(scan.scan_id).scan_id == scan.scan_id
