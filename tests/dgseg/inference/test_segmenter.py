"""Proposals: right on the grid, bounded in memory, stoppable, and frank about trouble."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.bundles.bundle import write_bundle
from dgseg.errors import BundleError, DeviceError, ScanError
from dgseg.inference import runner as runner_module
from dgseg.inference.batches import SegmentationStopped
from dgseg.inference.segmenter import Segmenter, load_network, segment_with
from dgseg.nets.build import build


@pytest.fixture
def blobs(rng):
    """A bright disc in each slice, and a bright spot far from it in one."""
    array = rng.uniform(0, 0.3, (6, 48, 64))
    grid = np.mgrid[:48, :64]
    array[:, np.hypot(grid[0] - 24, grid[1] - 20) < 9] = 0.7
    array[:, np.hypot(grid[0] - 24, grid[1] - 20) < 4] = 1.0
    array[2, 4:7, 55:58] = 0.8
    array[0, 0, 0] = 0.0
    return array


@pytest.fixture
def bundle(tmp_path, info_of):
    torch.manual_seed(0)
    info = info_of(spacing_mm=1.0)
    write_bundle(tmp_path / "model", info, build(info.network).state_dict())
    return tmp_path / "model"


def test_labels_follow_the_probabilities(threshold, info_of, scan_of, blobs):
    result = segment_with(threshold, info_of(), scan_of(blobs), precision="fp32")
    assert result.labels.dtype == np.uint8
    expected = (blobs > 0.5).astype(int) + (blobs > 0.9)
    assert (result.labels == expected).mean() > 0.999
    assert result.warnings == ()


def test_uncertainty_is_high_at_borders_only(threshold, info_of, scan_of):
    ramp = np.tile(np.linspace(0, 0.8, 64), (3, 32, 1))
    result = segment_with(threshold, info_of(high_percentile=100), scan_of(ramp / 0.8))
    assert result.uncertainty.dtype == np.uint8
    border = 32
    assert result.uncertainty[:, :, border].min() > 100
    assert result.uncertainty[:, :, :20].max() <= 1
    assert result.slice_uncertainty.shape == (3,)


def test_only_the_largest_piece_is_kept_if_the_bundle_says_so(
    threshold, info_of, scan_of, blobs
):
    kept = segment_with(threshold, info_of(largest_component=True), scan_of(blobs))
    everything = segment_with(threshold, info_of(), scan_of(blobs))
    assert everything.labels[2, 5, 56] > 0
    assert kept.labels[2, 5, 56] == 0
    assert (kept.labels[:, :, :50] == everything.labels[:, :, :50]).all()


def test_many_slices_go_in_batches_and_give_the_same(threshold, info_of, scan_of, blobs):
    scan = scan_of(blobs)
    whole = segment_with(threshold, info_of(), scan)
    threshold.batches.clear()
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(runner_module._BATCH_PIXELS, "cpu", 4 * 48 * 64)
        parts = segment_with(threshold, info_of(), scan, progress=seen.append)
    assert [shape[0] for shape in threshold.batches] == [4, 2]
    assert seen == [pytest.approx(4 / 6), 1.0]
    assert (parts.labels == whole.labels).all()
    assert (parts.uncertainty == whole.uncertainty).all()


def test_it_stops_between_batches(threshold, info_of, scan_of, blobs):
    with pytest.raises(SegmentationStopped):
        segment_with(threshold, info_of(), scan_of(blobs), should_stop=lambda: True)
    assert threshold.batches == []


def test_memory_that_runs_short_is_met_with_smaller_batches(threshold, info_of, scan_of, blobs):
    forward = threshold.forward

    def tight(images):
        if len(images) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")
        return forward(images)

    threshold.forward = tight
    result = segment_with(threshold, info_of(), scan_of(blobs))
    assert max(shape[0] for shape in threshold.batches) <= 2
    assert result.warnings == ("Memory ran short; fewer slices are computed at once.",)
    threshold.forward = forward
    assert (result.labels == segment_with(threshold, info_of(), scan_of(blobs)).labels).all()


def test_memory_for_not_even_one_slice_is_said(threshold, info_of, scan_of, blobs):
    def none(images):
        raise MemoryError

    threshold.forward = none
    with pytest.raises(DeviceError, match="one slice"):
        segment_with(threshold, info_of(), scan_of(blobs))


def test_other_errors_are_not_taken_for_want_of_memory(threshold, info_of, scan_of, blobs):
    def wrong(images):
        raise RuntimeError("shape mismatch")

    threshold.forward = wrong
    with pytest.raises(RuntimeError, match="shape mismatch"):
        segment_with(threshold, info_of(), scan_of(blobs))


def test_very_large_slices_are_computed_in_windows(threshold, info_of, scan_of, blobs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner_module, "LARGEST_SIDE", 40)
        patch.setattr(runner_module, "_WINDOW", 32)
        windows = segment_with(threshold, info_of(), scan_of(blobs), precision="fp32")
    assert {shape[-2:] for shape in threshold.batches} == {(32, 32)}
    whole = segment_with(threshold, info_of(), scan_of(blobs), precision="fp32")
    assert (windows.labels == whole.labels).all()


def test_empty_scans_are_refused(threshold, info_of, scan_of):
    with pytest.raises(ScanError, match="nothing to segment"):
        segment_with(threshold, info_of(), scan_of(np.ones((2, 32, 32))))


def test_the_networks_mode_and_layout_are_kept(info_of, scan_of, blobs):
    net = build(info_of().network).train()
    segment_with(net, info_of(), scan_of(blobs))
    assert net.training
    assert all(p.is_contiguous() for p in net.parameters())


def test_a_bundle_segments(bundle, scan_of, blobs):
    segmenter = Segmenter(bundle, device="cpu")
    result = segmenter.segment(scan_of(blobs))
    assert result.labels.shape == (6, 48, 64)
    assert segmenter.info.labels.n_classes == 3
    _, net = load_network(bundle)
    again = segment_with(net, segmenter.info, scan_of(blobs))
    assert (again.labels == result.labels).all()
    segmenter.release()
    with pytest.raises(RuntimeError, match="released"):
        segmenter.segment(scan_of(blobs))


def test_bfloat16_gives_nearly_the_same_labels(bundle, scan_of, blobs):
    exact = Segmenter(bundle, "cpu", "fp32").segment(scan_of(blobs))
    fast = Segmenter(bundle, "cpu", "bf16").segment(scan_of(blobs))
    assert (exact.labels == fast.labels).mean() > 0.98


def test_an_unknown_network_is_said(tmp_path, info_of):
    info = info_of().model_copy(update={"network": {"kind": "oracle"}})
    write_bundle(tmp_path / "m", info, {"w": torch.zeros(1)})
    with pytest.raises(BundleError, match="cannot be used"):
        load_network(tmp_path / "m")


def test_an_absent_device_is_said(bundle):
    with pytest.raises(DeviceError):
        Segmenter(bundle, device="cuda:99")
