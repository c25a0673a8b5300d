"""In which pose a bundle knows each scan of a site."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from dgseg.inference.poses import seek_poses
from dgseg.inference.runner import borrowed
from dgseg.nets.poses import Pose

_found: dict[tuple[str, str], Pose] = {}
"""By bundle and scan: all trainings of a job begin with the same of both."""


class PoseFinder:
    """Finds how a network would have scans turned and enlarged, once for each.

    Parameters
    ----------
    net : nn.Module
        From images (N, 1, H, W) to logits (N, C, H, W), with the bundle's weights. It is
        moved to the device, and left in the mode that it is in.
    bundle_id : str
    device : torch.device
    precision : {'auto', 'bf16', 'fp32'}

    Attributes
    ----------
    seconds : float
        What it took, those scans left out that were known.
    """

    def __init__(
        self, net: nn.Module, bundle_id: str, device: torch.device, precision: str = "auto"
    ) -> None:
        self.seconds = 0.0
        self._net, self._bundle_id = net, bundle_id
        self._device, self._precision = device, precision

    def __call__(self, scan_id: str, images: Tensor) -> Pose:
        """The pose of a scan, of which those slices are given that are asked about."""
        key = self._bundle_id, scan_id
        if key not in _found:
            begin = time.perf_counter()
            with borrowed(self._net.to(self._device), self._precision) as runner:
                _found[key] = seek_poses(runner, images)[-1][0]
            self.seconds += time.perf_counter() - begin
        return _found[key]
