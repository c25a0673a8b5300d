from __future__ import annotations

import numpy as np
import pytest

from dgseg.adaptation.judging import UNCORRECTED_SCANS, compare
from dgseg.adaptation.reader import SiteReader
from dgseg.adaptation.watcher import AdaptationStopped
from dgseg.bundles.bundle import BundleInfo
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import SPINAL_GM
from dgseg.site.proposals import Proposal


class Painter:
    """In the place of a `LazySegmenter`: the same square in every slice."""

    def __init__(self, rows: slice):
        self.rows, self.asked = rows, []
        self.info = BundleInfo(
            name="square",
            method="none",
            network={},
            preprocessing=Preprocessing(),
            labels=SPINAL_GM,
        )

    def proposal(self, scan, folder, watcher):
        self.asked.append(scan.scan_id)
        labels = np.zeros(scan.array.shape, np.uint8)
        labels[:, self.rows, 8:20] = 1
        n = len(labels)
        return Proposal(labels, labels, np.zeros(n, np.float32), self.info.bundle_id)


@pytest.fixture
def judge_by(tmp_path, watcher):
    def go(items, heldout, *, segment_all=False):
        old, new = Painter(slice(8, 14)), Painter(slice(8, 20))
        comparison = compare(
            SiteReader(items, watcher),
            old,
            new,
            heldout,
            (tmp_path / "old", tmp_path / "new"),
            watcher,
            segment_all=segment_all,
        )
        return old, new, comparison

    return go


def test_held_out_slices_tell_the_models_apart(make_item, judge_by):
    item = make_item(0, corrected=(1, 3, 5))
    _, _, comparison = judge_by([item], {item.scan_id: (3,)})
    evidence = comparison.evidence()
    assert evidence.n_heldout == evidence.n_better == 1
    assert evidence.before == {"GM": pytest.approx(2 / 3), "WM": None}
    assert evidence.after == {"GM": 1.0, "WM": None}
    assert not evidence.volume_ratio


def test_uncorrected_scans_tell_of_stability(make_item, judge_by):
    item = make_item(0)
    _, _, comparison = judge_by([item], {})
    evidence = comparison.evidence()
    assert evidence.volume_ratio == {item.scan_id: {"GM": 2.0, "WM": None}}
    assert evidence.agreement == {item.scan_id: pytest.approx(2 / 3)}


def test_only_what_is_needed_is_segmented(make_item, judge_by):
    items = [make_item(i) for i in range(9)]
    items += [make_item(9, corrected=(0, 1, 2)), make_item(10, corrected=(0,))]
    old, new, comparison = judge_by(items, {items[9].scan_id: (1,)})
    assert len(old.asked) == UNCORRECTED_SCANS + 1
    assert len(new.asked) == UNCORRECTED_SCANS + 2
    assert set(comparison.proposed) == set(new.asked)
    _, new, comparison = judge_by(items, {items[9].scan_id: (1,)}, segment_all=True)
    assert len(comparison.proposed) == 11


def test_it_stops_between_scans(make_item, judge_by, watcher):
    watcher.stop = True
    with pytest.raises(AdaptationStopped):
        judge_by([make_item(0)], {})


def test_areas_are_compared_with_those_of_the_corrections(make_item, judge_by):
    corrected, other = make_item(0, corrected=(1, 3, 5)), make_item(1)
    _, _, comparison = judge_by([corrected, other], {})
    assert comparison.area_mm2 == [144.0, 0.0]
    assert comparison.area_ratio == {other.scan_id: {"GM": 1.0, "WM": None}}
