"""The model in the package is sound, small, free and finds a cord."""

from __future__ import annotations

import numpy as np
import pytest

from dgseg.bundles.bundle import default_bundle, read_info
from dgseg.inference.segmenter import Segmenter
from dgseg.scans.schema import SPINAL_GM
from dgseg.scans.synthetic.site import make_site


def test_it_says_what_it_is():
    info = read_info(default_bundle())
    assert info.labels == SPINAL_GM
    assert info.licence == "CC0-1.0"
    assert "dgseg train --data" in info.card
    assert "not a medical device" in info.card
    scores = info.metrics["leave_one_centre_out"]
    assert set(scores["mean_dice"]) == {"GM", "WM"}
    assert len(scores["scans"]) == 6


def test_it_names_no_place_of_the_machine_it_was_made_on():
    folder = default_bundle()
    text = (folder / "bundle.json").read_text(encoding="utf-8")
    assert "/work" not in text
    assert "/home" not in text


def test_it_is_small():
    assert sum(file.stat().st_size for file in default_bundle().iterdir()) < 10e6


def test_it_finds_the_cord_of_a_scanner_it_knows():
    item = make_site("cord", "alder", 1, 123, n_slices=3, shape=(128, 128))[0]
    found = Segmenter(default_bundle(), device="cpu").segment(item.scan).labels
    for label in SPINAL_GM.labels:
        a, b = found == label.value, item.labels == label.value
        assert 2 * np.sum(a & b) / (a.sum() + b.sum()) > 0.6


def test_its_absence_is_said(monkeypatch, tmp_path):
    from dgseg.bundles import bundle
    from dgseg.errors import BundleError

    monkeypatch.setattr(bundle, "_PACKAGED", tmp_path)
    with pytest.raises(BundleError, match="without its model"):
        default_bundle()
    assert bundle.packaged_bundles() == ()
