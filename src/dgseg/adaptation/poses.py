"""In which pose a bundle knows each scan of a site."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dgseg.adaptation.watcher import AdaptationStopped, Watcher
from dgseg.inference.batches import SegmentationStopped
from dgseg.inference.poses import seek_poses
from dgseg.inference.runner import SliceRunner, borrowed
from dgseg.nets.poses import Pose

_found: dict[tuple[str, str, tuple[int, ...]], Pose] = {}
"""By bundle, scan and slices: the trainings of a job mostly begin with the same."""


class PoseFinder:
    """Finds how a network would have scans turned and enlarged, once for each.

    Parameters
    ----------
    runner : SliceRunner
        Of the network, with the bundle's weights.
    bundle_id : str
    should_stop : callable
        Asked before every batch.

    Attributes
    ----------
    seconds : float
        What it took, those scans left out that were known.
    """

    def __init__(
        self, runner: SliceRunner, bundle_id: str, should_stop: Callable[[], bool]
    ) -> None:
        self.seconds = 0.0
        self._runner, self._bundle_id, self._should_stop = runner, bundle_id, should_stop

    def __call__(self, scan_id: str, slices: tuple[int, ...], images: Tensor) -> Pose:
        """The pose of a scan, of which the slices are given that are asked about.

        Raises
        ------
        AdaptationStopped
            If somebody asked for the end.
        DeviceError
            If there is no memory for a single slice.
        """
        key = self._bundle_id, scan_id, slices
        if key not in _found:
            begin = time.perf_counter()
            try:
                _found[key] = seek_poses(self._runner, images, self._should_stop)[-1][0]
            except SegmentationStopped as stop:
                raise AdaptationStopped from stop
            self.seconds += time.perf_counter() - begin
        return _found[key]


@contextmanager
def finding_poses(
    net: nn.Module, bundle_id: str, device: torch.device, precision: str, watcher: Watcher
) -> Iterator[PoseFinder]:
    """A finder that uses a network, which is as it was at the end, but on that device.

    Parameters
    ----------
    net : nn.Module
        From images (N, 1, H, W) to logits (N, C, H, W), with the bundle's weights.
    bundle_id : str
    device : torch.device
    precision : {'auto', 'bf16', 'fp32'}
    watcher : Watcher
        May stop it, and is told what had to be given up.
    """
    with borrowed(net.to(device), precision) as runner:
        yield PoseFinder(runner, bundle_id, watcher.should_stop)
        for sentence in runner.warnings:
            watcher.warn(sentence)
