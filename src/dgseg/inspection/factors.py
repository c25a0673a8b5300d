"""From a scan to its latent factors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from dgseg.factors.record import THUMBNAIL_SIDE, ScanFactors
from dgseg.inference.batches import Progress, ShouldStop, in_batches
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.parts import (
    Parts,
    disentangled,
    look_at,
    put_together,
    take_apart,
    unfinite,
)
from dgseg.nets.disentangled import DisentangledNet
from dgseg.nets.resample import resize
from dgseg.scans.scan import Scan


def scan_factors(
    segmenter: Segmenter,
    scan: Scan,
    *,
    uncertainty: np.ndarray | None = None,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[ScanFactors, tuple[str, ...]]:
    """What a model sees in all slices of a scan.

    Parameters
    ----------
    segmenter : Segmenter
        Of a disentangling method.
    scan : Scan
    uncertainty : ndarray of float32, shape (slices,), optional
        Of the bundle's proposal for the scan.
    progress, should_stop
        As in `Segmenter.segment`.

    Returns
    -------
    factors : ScanFactors
        With rows of NaN where the model makes no finite numbers of a slice.
    warnings : tuple of str
        What had to be given up or left out, as sentences for a person.

    Raises
    ------
    MethodError
        If the model does not tell anatomy from appearance.
    ScanError, DeviceError, SegmentationStopped
        As `Segmenter.segment`.
    """
    net, runner = disentangled(segmenter), segmenter.runner
    runner.warnings.clear()
    images, grid, pose = look_at(segmenter, scan, should_stop)
    rows: list[tuple[np.ndarray, ...]] = []
    carried = _Carried(net.config.anatomy_channels, net.config.n_classes)

    def look(part: slice) -> None:
        parts = take_apart(segmenter, images[part], grid, pose)
        seen = _rows(segmenter, net, parts)
        carried.add(net, parts)
        rows.append(seen)

    pixels = max(grid[0] * grid[1], images[0].size)
    in_batches(runner, len(images), pixels, look, progress, should_stop)
    style, domain, likeness, error = (np.concatenate(part) for part in zip(*rows, strict=True))
    missing = np.flatnonzero(np.isnan(error)).tolist()
    return ScanFactors(
        scan_id=scan.scan_id,
        bundle_id=segmenter.info.bundle_id,
        style=style,
        domain=domain,
        error=error,
        uncertainty=_fitting(uncertainty, len(images)),
        likeness=likeness,
        carried=carried.means(),
        thumbnails=thumbnails(images),
    ), (*runner.warnings, *([f"{unfinite(missing)}."] if missing else []))


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Slices (N, rows, columns) in [0, 1] as squares of uint8, padded with black."""
    n, rows, columns = images.shape
    share = THUMBNAIL_SIDE / max(rows, columns)
    size = max(1, round(rows * share)), max(1, round(columns * share))
    small = np.zeros((n, THUMBNAIL_SIDE, THUMBNAIL_SIDE), np.uint8)
    top, left = ((THUMBNAIL_SIDE - side) // 2 for side in size)
    for index, image in enumerate(images):
        shrunk = resize(torch.from_numpy(image)[None, None], size)[0, 0]
        place = small[index, top : top + size[0], left : left + size[1]]
        place[...] = shrunk.mul(255).round().clamp(0, 255).to(torch.uint8).numpy()
    return small


def _rows(segmenter: Segmenter, net: DisentangledNet, parts: Parts) -> tuple[np.ndarray, ...]:
    """Style, domain code, likeness and error of a few slices, a row each."""
    painted = put_together(segmenter, parts.anatomy, parts.style, parts.domain)
    with torch.inference_mode():
        likeness = net.classify(parts.domain)
        if likeness.shape[1]:
            likeness = likeness.softmax(dim=1)
        # A training compares the two on this grid and in these units.
        error = (painted - parts.images).abs().mean(dim=(1, 2, 3))
        sound = parts.finite & error.isfinite()
        found = (parts.style, parts.domain, likeness, error)
        kept = [value.float().masked_fill(_like(~sound, value), torch.nan) for value in found]
    return tuple(value.cpu().numpy() for value in kept)


def _like(marks: Tensor, value: Tensor) -> Tensor:
    return marks if value.dim() == 1 else marks[:, None]


class _Carried:
    """Mean activation of the anatomy's channels over the pixels of each class."""

    def __init__(self, n_channels: int, n_classes: int) -> None:
        self._sums = torch.zeros(n_channels, n_classes, dtype=torch.double)
        self._counts = torch.zeros(n_classes, dtype=torch.double)

    def add(self, net: DisentangledNet, parts: Parts) -> None:
        """Count a few slices, those that are finite."""
        with torch.inference_mode():
            anatomy = parts.anatomy[parts.finite]
            labels = net.segment(anatomy).max(dim=1).indices
            classes = F.one_hot(labels, net.config.n_classes).double()
            sums = torch.einsum("nchw,nhwk->ck", anatomy.double(), classes).cpu()
            counts = classes.sum(dim=(0, 1, 2)).cpu()
        self._sums, self._counts = self._sums + sums, self._counts + counts

    def means(self) -> np.ndarray:
        """Of float32, shape (channels, classes); NaN for a class that is nowhere."""
        return (self._sums / self._counts).float().numpy()


def _fitting(uncertainty: np.ndarray | None, n_slices: int) -> np.ndarray:
    if uncertainty is None or uncertainty.shape != (n_slices,):
        return np.full(n_slices, np.nan, np.float32)
    return uncertainty.astype(np.float32)
