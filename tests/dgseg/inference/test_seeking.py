"""Scans that lie otherwise than what a network knows are found if the bundle seeks them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dgseg.inference import runner as runner_module
from dgseg.inference.batches import SegmentationStopped
from dgseg.inference.segmenter import segment_with
from dgseg.nets.poses import Pose, posed


class Upright(nn.Module):
    """Class 1 where it is bright, but only in slices whose stripes go up and down."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, images):
        self.batches.append(tuple(images.shape))
        x = images[:, 0].float()
        middle = x[:, 24:40, 24:40]
        across = middle.diff(dim=2).abs().mean(dim=(1, 2))
        along = middle.diff(dim=1).abs().mean(dim=(1, 2))
        known = (along < 0.25 * across).float()[:, None, None]
        logit = 40.0 * (known * x - 0.5)
        return torch.stack([torch.zeros_like(x), logit, torch.full_like(x, -20.0)], dim=1)


@pytest.fixture
def stripes():
    """Six slices of upright stripes, brighter than 0.5 in a disc only."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    disc = torch.sigmoid((18 - torch.hypot(rows - 31.5, columns - 31.5)) / 1.5)
    waves = 0.75 + 0.25 * torch.sin(columns * 0.8)
    return (disc * waves).expand(6, 1, 64, 64)


def inside(labels):
    return labels[:, 20:44, 20:44].mean()


def test_a_scan_is_turned_to_where_the_network_knows_it(info_of, scan_of, stripes):
    net = Upright()
    scan = scan_of(posed(stripes, Pose(-25.0)).numpy()[:, 0])
    as_it_is = segment_with(net, info_of(), scan, precision="fp32")
    sought = segment_with(net, info_of(seek_pose=True), scan, precision="fp32")
    assert inside(as_it_is.labels) == 0
    assert inside(sought.labels) > 0.6
    upright = segment_with(net, info_of(), scan_of(stripes.numpy()[:, 0]), precision="fp32")
    expected = posed(torch.from_numpy(upright.labels[:, None]).float(), Pose(-25.0), "nearest")
    agree = sought.labels == expected[:, 0].numpy()
    assert agree[:, 12:52, 12:52].mean() > 0.9


def test_a_scan_that_lies_well_is_left_as_it_is(info_of, scan_of, stripes):
    net = Upright()
    scan = scan_of(stripes.numpy()[:, 0])
    as_it_is = segment_with(net, info_of(), scan, precision="fp32")
    sought = segment_with(net, info_of(seek_pose=True), scan, precision="fp32")
    assert (sought.labels == as_it_is.labels).mean() > 0.97


def test_little_memory_gives_the_same(info_of, scan_of, stripes, monkeypatch):
    scan = scan_of(posed(stripes, Pose(25.0)).numpy()[:, 0])
    whole = segment_with(Upright(), info_of(seek_pose=True), scan, precision="fp32")
    monkeypatch.setitem(runner_module._BATCH_PIXELS, "cpu", 64 * 64)
    net = Upright()
    single = segment_with(net, info_of(seek_pose=True), scan, precision="fp32")
    assert {shape[0] for shape in net.batches} == {1}
    np.testing.assert_array_equal(single.labels, whole.labels)


def test_the_search_can_be_stopped(info_of, scan_of, stripes):
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(SegmentationStopped):
        segment_with(
            Upright(),
            info_of(seek_pose=True),
            scan_of(stripes.numpy()[:, 0]),
            should_stop=stop,
        )
