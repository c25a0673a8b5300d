"""A network is asked how a scan lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dgseg.inference import runner as runner_module
from dgseg.inference.batches import SegmentationStopped
from dgseg.inference.poses import poses_of, seek_poses
from dgseg.inference.runner import SliceRunner, borrowed
from dgseg.inference.segmenter import Segmenter
from dgseg.nets.poses import AS_IT_IS, Pose


class Constant(nn.Module):
    """Answers the same of all pixels; counts how often it was asked."""

    def __init__(self, logit):
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))
        self.n_calls = 0

    def forward(self, images):
        self.n_calls += 1
        return self.logit.expand(len(images), 2, *images.shape[-2:])


def test_a_tie_leaves_the_scan_as_it_is():
    assert (
        seek_poses(SliceRunner(Constant(0.0), "fp32"), torch.rand(5, 1, 8, 8))[-1][0]
        == AS_IT_IS
    )


def test_a_network_without_an_answer_leaves_the_scan_as_it_is():
    found = seek_poses(SliceRunner(Constant(float("nan")), "fp32"), torch.rand(5, 1, 8, 8))
    assert found[-1][0] == AS_IT_IS


def test_what_is_not_wanted_is_not_sought():
    net = Constant(0.0)
    images = np.zeros((4, 8, 8), np.float32)
    assert poses_of(SliceRunner(net), False, images, (8, 8)) == ((AS_IT_IS, 1.0),)
    assert net.n_calls == 0
    poses_of(SliceRunner(net), True, images, (8, 8))
    assert net.n_calls > 5


def test_running_out_of_memory_asks_for_less(monkeypatch):
    class Hungry(Constant):
        def forward(self, images):
            if len(images) > 1:
                raise RuntimeError("CUDA out of memory")
            return super().forward(images)

    runner = SliceRunner(Hungry(1.0), "fp32")
    monkeypatch.setitem(runner_module._BATCH_PIXELS, "cpu", 10**6)
    seek_poses(runner, torch.rand(3, 1, 8, 8))
    assert "fewer slices" in runner.warnings[0]


def test_the_search_stops():
    with pytest.raises(SegmentationStopped):
        seek_poses(SliceRunner(Constant(0.0)), torch.rand(3, 1, 8, 8), lambda: True)


@pytest.mark.parametrize("training", [True, False])
def test_a_borrowed_network_comes_back_as_it_was(training):
    net = nn.Sequential(nn.Conv2d(2, 2, 3)).train(training)
    with borrowed(net, "fp32") as runner:
        assert runner.net is net
        assert not net.training
    assert net.training is training
    assert net[0].weight.is_contiguous()


def test_a_loaded_model_seeks_once_for_each_scan(write_plain, tmp_path, monkeypatch):
    segmenter = Segmenter(write_plain(tmp_path / "plain", name="plain"), "cpu", seek_pose=True)
    asked = []

    def look(runner, wanted, images, grid, should_stop):
        asked.append(wanted)
        return ((Pose(25.0, 1.2), 1.0),)

    monkeypatch.setattr("dgseg.inference.segmenter.poses_of", look)
    images = np.zeros((4, 8, 8), np.float32)
    for scan_id in ("a", "a", "b"):
        assert segmenter.poses(scan_id, images, (8, 8))[-1][0] == Pose(25.0, 1.2)
    assert asked == [True, True]
