"""Factors of scans against a direct computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.errors import MethodError, ScanError
from dgseg.inference.batches import SegmentationStopped
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.factors import scan_factors, thumbnails
from dgseg.methods.disentangling import factors_of
from dgseg.nets.resample import resize
from dgseg.scans.preprocessing import grid_size, normalise


def test_they_are_what_the_network_says_of_each_slice(segmenter, scan):
    uncertainty = np.linspace(0, 1, 5, dtype=np.float32)
    found, warnings = scan_factors(segmenter, scan, uncertainty=uncertainty)

    assert warnings == ()
    assert (found.scan_id, found.bundle_id) == (scan.scan_id, segmenter.info.bundle_id)
    net = segmenter.runner.net
    grid = grid_size(scan.geometry, segmenter.info.preprocessing)
    assert grid == (19, 16)
    for index, image in enumerate(normalise(scan.array, segmenter.info.preprocessing)):
        slices = resize(torch.from_numpy(image)[None, None], grid)
        direct = factors_of(net, slices)
        np.testing.assert_allclose(found.style[index], direct.style[0], atol=1e-5)
        np.testing.assert_allclose(found.domain[index], direct.domain[0], atol=1e-5)
        error = (direct.reconstruction - slices).abs().mean()
        assert found.error[index] == pytest.approx(float(error), abs=1e-5)
        with torch.no_grad():
            likeness = net.classify(direct.domain).softmax(dim=1)[0]
        np.testing.assert_allclose(found.likeness[index], likeness, atol=1e-5)
    np.testing.assert_array_equal(found.uncertainty, uncertainty)


def test_channels_are_measured_where_the_model_sees_each_class(segmenter, scan):
    found, _ = scan_factors(segmenter, scan)
    net = segmenter.runner.net
    grid = grid_size(scan.geometry, segmenter.info.preprocessing)
    images = torch.from_numpy(normalise(scan.array, segmenter.info.preprocessing)[:, None])
    with torch.no_grad():
        anatomy = net.anatomy(resize(images, grid))
        labels = net.segment(anatomy).argmax(dim=1)
    assert found.carried.shape == (4, 3)
    for channel in range(4):
        for value in range(3):
            inside = anatomy[:, channel][labels == value]
            if len(inside):
                assert found.carried[channel, value] == pytest.approx(
                    float(inside.mean()), abs=1e-5
                )
            else:
                assert np.isnan(found.carried[channel, value])


def test_batches_change_nothing(segmenter, scan, monkeypatch):
    whole, _ = scan_factors(segmenter, scan)
    monkeypatch.setattr(segmenter.runner, "batch_size", lambda pixels: 2)
    parted, _ = scan_factors(segmenter, scan)
    for name in ("style", "domain", "error", "likeness", "carried"):
        np.testing.assert_allclose(getattr(parted, name), getattr(whole, name), atol=1e-5)


def test_it_gives_way_when_memory_runs_short(segmenter, scan, monkeypatch):
    net, sizes = segmenter.runner.net, []
    sound = net.encode

    def encode(images):
        sizes.append(len(images))
        if len(images) > 1:
            raise RuntimeError("out of memory")
        return sound(images)

    whole, _ = scan_factors(segmenter, scan)
    monkeypatch.setattr(net, "encode", encode)
    monkeypatch.setattr(segmenter.runner, "_share", 2 * 480 / 2**18)
    found, warnings = scan_factors(segmenter, scan)
    assert sizes == [2, 1, 1, 1, 1, 1]
    assert "Memory" in warnings[0]
    np.testing.assert_allclose(found.style, whole.style, atol=1e-5)
    np.testing.assert_allclose(found.carried, whole.carried, atol=1e-5)


def test_slices_that_run_away_are_rows_without_numbers(segmenter, scan, runaway):
    whole, _ = scan_factors(segmenter, scan)
    runaway(scan, 1, 3)
    found, warnings = scan_factors(segmenter, scan)

    for name in ("style", "domain", "error", "likeness"):
        rows = getattr(found, name).reshape(5, -1)
        assert np.isnan(rows).all(axis=1).tolist() == [False, True, False, True, False]
        np.testing.assert_allclose(
            rows[::2], getattr(whole, name).reshape(5, -1)[::2], atol=1e-5
        )
    assert "slices 1, 3" in warnings[0]
    assert np.isfinite(found.carried[:, ~np.isnan(whole.carried).all(axis=0)]).all()


def test_one_single_slice_and_a_model_without_domain_code(
    tmp_path, make_scan, write_disentangled
):
    folder = write_disentangled(tmp_path / "sdnet", bank=False, domain_dims=0)
    found, _ = scan_factors(Segmenter(folder, "cpu", "fp32"), make_scan(n_slices=1))
    assert found.style.shape == (1, 3)
    assert found.domain.shape == found.likeness.shape == (1, 0)
    assert np.isfinite(found.error).all()


def test_uncertainty_of_another_scan_is_left_out(segmenter, scan):
    found, _ = scan_factors(segmenter, scan, uncertainty=np.zeros(4, np.float32))
    assert np.isnan(found.uncertainty).all()


def test_a_model_without_factors_says_so(plain, scan):
    with pytest.raises(MethodError, match="does not tell anatomy from appearance"):
        scan_factors(plain, scan)


def test_it_stops_between_batches(segmenter, scan, monkeypatch):
    monkeypatch.setattr(segmenter.runner, "batch_size", lambda pixels: 1)
    done = []
    with pytest.raises(SegmentationStopped):
        scan_factors(segmenter, scan, progress=done.append, should_stop=lambda: len(done) == 2)
    assert done == [0.2, 0.4]


def test_a_flat_scan_is_refused(segmenter, scan):
    scan.array[...] = 1
    with pytest.raises(ScanError, match="same value"):
        scan_factors(segmenter, scan)


@pytest.mark.parametrize("shape", [(96, 48), (48, 96), (300, 1)])
def test_thumbnails_keep_the_shape_of_a_slice(shape):
    image = np.ones((2, *shape), np.float32)
    small = thumbnails(image)
    assert small.shape == (2, 48, 48)
    rows, columns = np.nonzero(small[1])
    high, wide = (max(1, round(48 * side / max(shape))) for side in shape)
    assert np.ptp(rows) + 1 == high
    assert np.ptp(columns) + 1 == wide
    assert set(np.unique(small)) == {0, 255}
