"""How a scan lies, asked of a network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dgseg.inference.batches import ShouldStop, in_batches
from dgseg.inference.runner import SliceRunner
from dgseg.nets.poses import (
    AS_IT_IS,
    Pose,
    Weighted,
    expected_dice,
    expected_overlap,
    posed,
    seek,
    slices_to_ask,
)
from dgseg.nets.resample import resize


def poses_of(
    runner: SliceRunner,
    wanted: bool,
    images: np.ndarray,
    grid: tuple[int, int],
    should_stop: ShouldStop | None = None,
) -> Weighted:
    """The poses in which a network looks at a scan.

    Parameters
    ----------
    runner : SliceRunner
        Of the network.
    wanted : bool
        Whether it looks for any other than as the scan lies.
    images : ndarray of float32, shape (slices, rows, columns)
        All slices of the scan, normalised.
    grid : tuple of int
        Rows and columns of the model's.
    should_stop : callable, optional
        As in `dgseg.inference.segmenter.Segmenter.segment`.

    Raises
    ------
    DeviceError, SegmentationStopped
        As there.
    """
    if not wanted:
        return ((AS_IT_IS, 1.0),)
    some = torch.from_numpy(images[slices_to_ask(len(images)), None])
    return seek_poses(runner, resize(some, grid), should_stop)


def seek_poses(
    runner: SliceRunner, slices: Tensor, should_stop: ShouldStop | None = None
) -> Weighted:
    """The poses in which a network is surest of some slices.

    Parameters
    ----------
    runner : SliceRunner
    slices : Tensor, shape (N, 1, H, W), float32
        On the model's grid, on any device; see `dgseg.nets.poses.slices_to_ask`.
    should_stop : callable, optional
        Asked before every batch.

    Returns
    -------
    tuple of (Pose, float)
        As `dgseg.nets.poses.seek`.

    Raises
    ------
    DeviceError, SegmentationStopped
        As `dgseg.inference.batches.in_batches`.
    """

    def score(pose: Pose) -> float:
        overlaps: list[Tensor] = []

        def compute(part: slice) -> None:
            with torch.inference_mode():
                found = runner.probabilities(posed(slices[part].to(runner.device), pose))
                overlaps.append(expected_overlap(found).cpu())

        pixels = slices.shape[-2] * slices.shape[-1]
        in_batches(runner, len(slices), pixels, compute, None, should_stop)
        return expected_dice(torch.cat(overlaps))

    return seek(score)
