"""The pose of a scan is sought once for each bundle, by the network as it is given."""

from __future__ import annotations

import pytest
import torch

from dgseg.adaptation.poses import _found, finding_poses
from dgseg.adaptation.watcher import AdaptationStopped
from dgseg.inference import runner as runner_module
from dgseg.nets.poses import AS_IT_IS

CPU = torch.device("cpu")


class Counting(torch.nn.Module):
    """Class 1 where it is bright; surest of what is large."""

    def __init__(self):
        super().__init__()
        self.threshold = torch.nn.Parameter(torch.tensor(0.5))
        self.n_calls, self.modes = 0, set()

    def forward(self, images):
        self.n_calls += 1
        self.modes.add(self.training)
        steepness = 1 + 40 * (images > 0.5).float().mean(dim=(1, 2, 3), keepdim=True)
        return torch.cat(
            (torch.zeros_like(images), steepness * (images - self.threshold)), dim=1
        )


@pytest.fixture(autouse=True)
def _forget():
    _found.clear()
    yield
    _found.clear()


@pytest.fixture
def images():
    one = torch.zeros(6, 1, 48, 48)
    one[..., 18:30, 18:30] = 1.0
    return one


def find(net, bundle_id, watcher, scan_id, images, slices=(0, 1)):
    """The pose of one scan, and the seconds that it took."""
    with finding_poses(net, bundle_id, CPU, "fp32", watcher) as finder:
        return finder(scan_id, slices, images), finder.seconds


def test_what_was_found_is_not_sought_again(images, watcher):
    net = Counting().train()
    pose, seconds = find(net, "a" * 12, watcher, "scan", images)
    n_calls = net.n_calls
    assert pose.zoom == 1.4
    assert seconds > 0
    assert net.modes == {False}
    assert net.training
    again = find(net, "a" * 12, watcher, "scan", torch.zeros(6, 1, 48, 48))
    assert again == (pose, 0.0)
    assert net.n_calls == n_calls


def test_another_scan_other_slices_and_another_bundle_are_sought(images, watcher):
    net = Counting()
    dark = torch.zeros_like(images)
    assert find(net, "a" * 12, watcher, "scan", images)[0].zoom == 1.4
    assert find(net, "a" * 12, watcher, "other", dark)[0] == AS_IT_IS
    assert find(net, "b" * 12, watcher, "scan", dark)[0] == AS_IT_IS
    assert find(net, "a" * 12, watcher, "scan", dark, slices=(2, 3))[0] == AS_IT_IS


def test_the_network_gets_back_as_it_was(images, watcher):
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.Conv2d(2, 2, 3, padding=1)
    ).train()
    with finding_poses(net, "c" * 12, CPU, "fp32", watcher) as finder:
        finder("scan", (0, 1), images)
        assert not net[1].weight.is_contiguous()
    assert net.training
    assert net[1].weight.is_contiguous()


def test_the_search_is_stopped_with_the_job(images, watcher, monkeypatch):
    monkeypatch.setattr(watcher, "should_stop", lambda: True)
    with pytest.raises(AdaptationStopped):
        find(Counting(), "d" * 12, watcher, "scan", images)
    assert not _found


def test_what_had_to_be_given_up_is_told(images, watcher, monkeypatch):
    class Hungry(Counting):
        def forward(self, images):
            if len(images) > 1:
                raise RuntimeError("CUDA out of memory")
            return super().forward(images)

    monkeypatch.setitem(runner_module._BATCH_PIXELS, "cpu", 10**6)
    find(Hungry(), "e" * 12, watcher, "scan", images)
    ((words, _),) = watcher.warnings
    assert "fewer slices" in words
