"""What a model sees in a scan, painted on the scan's own grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dgseg.errors import write_error
from dgseg.files import write_array
from dgseg.inference.batches import Progress, ShouldStop, in_batches
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.parts import (
    check_finite,
    disentangled,
    look_at,
    on_scan,
    put_together,
    take_apart,
)
from dgseg.nets.poses import Pose
from dgseg.scans.scan import Scan

_TAILS = (0.005, 0.995)
"""Quantiles of a channel of unbounded anatomy that are shown as black and white."""

_SAMPLE = 500_000
"""Pixels of which the quantiles are taken, at most."""


@dataclass(frozen=True, eq=False)
class ScanPictures:
    """What a model sees in a scan, in canonical orientation.

    Attributes
    ----------
    image : ndarray of float32, shape (slices, rows, columns)
        The normalised slices, 0 to 1. All else is 0 where a model that turns or enlarges
        them was not shown the scan.
    reconstruction : ndarray of float32, same shape
        What the model paints from their anatomy and codes, 0 to 1.
    difference : ndarray of float32, same shape
        Reconstruction minus image, taken on the model's grid: what a coarser grid
        cannot hold is no fault of the model.
    anatomy : ndarray of uint8, shape (channels, slices, rows, columns)
        Activations: from 0 to 1 where they are bounded so, else from one tail of the
        channel's values in the scan to the other.
    """

    image: np.ndarray
    reconstruction: np.ndarray
    difference: np.ndarray
    anatomy: np.ndarray


def scan_pictures(
    segmenter: Segmenter,
    scan: Scan,
    *,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> ScanPictures:
    """Paint a scan from its factors.

    Parameters
    ----------
    segmenter : Segmenter
        Of a disentangling method.
    scan : Scan
    progress, should_stop
        As in `Segmenter.segment`.

    Raises
    ------
    MethodError
        If the model does not tell anatomy from appearance, or makes no finite numbers
        of some slices.
    ScanError, DeviceError, SegmentationStopped
        As `Segmenter.segment`.
    """
    net, runner = disentangled(segmenter), segmenter.runner
    images, grid, pose = look_at(segmenter, scan, should_stop)
    size = (images.shape[1], images.shape[2])
    reconstruction, difference = np.empty_like(images), np.empty_like(images)
    # In half precision: eight channels of a large scan are a lot.
    anatomy = torch.empty(len(images), net.config.anatomy_channels, *grid, dtype=torch.half)
    missing: list[int] = []

    def paint(part: slice) -> None:
        parts = take_apart(segmenter, images[part], grid, pose)
        painted = put_together(segmenter, parts.anatomy, parts.style, parts.domain)
        reconstruction[part] = on_scan(painted, pose, size)[:, 0].cpu().numpy()
        difference[part] = on_scan(painted - parts.images, pose, size)[:, 0].cpu().numpy()
        anatomy[part] = parts.anatomy.to(anatomy)
        bad = np.flatnonzero(~parts.finite.cpu().numpy())
        missing.extend((bad + part.start).tolist())

    pixels = max(grid[0] * grid[1], images[0].size)
    in_batches(runner, len(images), pixels, paint, progress, should_stop)
    check_finite(missing)
    bounded = net.config.anatomy != "none"
    return ScanPictures(
        images,
        reconstruction,
        difference,
        np.stack([_shown(channel, pose, size, bounded) for channel in anatomy.unbind(dim=1)]),
    )


def write_pictures(folder: Path, pictures: ScanPictures) -> None:
    """Write the four arrays as ``.npy`` files named after them.

    Raises
    ------
    WorkspaceWriteError
        If the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in vars(pictures).items():
            write_array(folder / f"{name}.npy", array, durable=False)
    except OSError as error:
        raise write_error("The pictures could not be saved", folder, error) from error


def _shown(channel: Tensor, pose: Pose, size: tuple[int, int], bounded: bool) -> np.ndarray:
    """One channel (slices, h, w) as grey values (slices, rows, columns)."""
    low, high = (0.0, 1.0) if bounded else _range(channel)
    shown = np.empty((len(channel), *size), np.uint8)
    for index, plane in enumerate(channel):
        grey = (plane.float() - low) / max(high - low, 1e-6)
        large = on_scan(grey.clamp(0, 1)[None, None], pose, size)[0, 0]
        shown[index] = large.mul(255).round().to(torch.uint8).numpy()
    return shown


def _range(channel: Tensor) -> tuple[float, float]:
    values = channel.flatten()
    sample = values[:: 1 + values.numel() // _SAMPLE].float()
    low, high = np.quantile(sample.numpy(), _TAILS)
    return float(low), float(high)
