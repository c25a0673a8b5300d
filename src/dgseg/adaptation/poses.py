"""In which pose a bundle knows each scan of a site."""

from __future__ import annotations

import time

from lightning_fabric import Fabric
from torch import Tensor, nn

from dgseg.nets.poses import Pose, pose_of

_found: dict[tuple[str, str], Pose] = {}
"""By bundle and scan: all trainings of a job begin with the same of both."""


class PoseFinder:
    """Finds how a network would have scans turned and enlarged, once for each.

    Parameters
    ----------
    net : nn.Module
        From images (N, 1, H, W) to logits (N, C, H, W), with the bundle's weights. It is
        moved to Fabric's device, and left in the mode that it is in.
    bundle_id : str
    fabric : Fabric

    Attributes
    ----------
    seconds : float
        What it took, those scans left out that were known.
    """

    def __init__(self, net: nn.Module, bundle_id: str, fabric: Fabric) -> None:
        self.seconds = 0.0
        self._net, self._bundle_id, self._fabric = net, bundle_id, fabric

    def __call__(self, scan_id: str, images: Tensor) -> Pose:
        """The pose of a scan, of which those slices are given that are asked about."""
        key = self._bundle_id, scan_id
        if key not in _found:
            begin = time.perf_counter()
            _found[key] = self._find(images)
            self.seconds += time.perf_counter() - begin
        return _found[key]

    def _find(self, images: Tensor) -> Pose:
        was_training = self._net.training
        self._net.to(self._fabric.device).eval()
        try:
            return pose_of(self._predict, images.to(self._fabric.device))
        finally:
            self._net.train(was_training)

    def _predict(self, images: Tensor) -> Tensor:
        with self._fabric.autocast():
            logits: Tensor = self._net(images)
        return logits.float().softmax(dim=1)
