from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dgseg.adaptation.reader import SiteReader
from dgseg.errors import AdaptationError


def test_sound_scans_are_read(make_item, watcher):
    items = [make_item(0), make_item(1, corrected=(2,))]
    reader = SiteReader(items, watcher)
    reader.check()
    assert [s.scan_id for s in reader.usable] == [s.scan_id for s in items]
    assert reader.read(items[0]).scan_id == items[0].scan_id
    assert watcher.steps == [(1, 2), (2, 2)]
    assert not watcher.warnings


@pytest.mark.parametrize("what", ["gone", "another", "garbage"])
def test_a_scan_that_will_not_do_is_passed_over_with_one_warning(make_item, watcher, what):
    items = [make_item(0), make_item(1)]
    path = items[0].source.path
    if what == "gone":
        path.unlink()
    elif what == "another":
        path.write_bytes(items[1].source.path.read_bytes())
    else:
        path.write_bytes(b"garbage")
    reader = SiteReader(items, watcher)
    reader.check()
    assert reader.read(items[0]) is None
    assert reader.unusable == {items[0].scan_id}
    assert [scan_id for _, scan_id in watcher.warnings] == [items[0].scan_id]


def test_an_empty_image_is_passed_over(make_item, watcher, tmp_path):
    item = make_item(0)
    nib.save(nib.Nifti1Image(np.zeros((32, 32, 6), np.float32), np.eye(4)), item.source.path)
    with pytest.raises(AdaptationError, match="Not one"):
        SiteReader([item], watcher).check()
    assert len(watcher.warnings) == 1


def test_corrections_of_a_scan_that_went_are_left_out_of_the_count(make_item, watcher):
    items = [make_item(0, corrected=(1, 2)), make_item(1, corrected=(3,)), make_item(2)]
    reader = SiteReader(items, watcher)
    reader.check()
    assert reader.n_corrected == 3
    items[0].source.path.unlink()
    assert reader.read(items[0]) is None
    assert reader.n_corrected == 1
    assert "1 of 3 scans, with 2 corrected slices, was left out" in reader.left_out
