"""Slices, taken apart by a model into anatomy and codes, and put together again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dgseg.errors import MethodError
from dgseg.inference.batches import ShouldStop
from dgseg.inference.segmenter import Segmenter
from dgseg.nets.disentangled import DisentangledNet
from dgseg.nets.poses import AS_IT_IS, Pose, posed, unposed
from dgseg.nets.resample import resize
from dgseg.scans.preprocessing import grid_size, normalise
from dgseg.scans.scan import Scan


@dataclass(frozen=True, eq=False)
class Parts:
    """A few slices, taken apart, on the model's grid and the model's device.

    Attributes
    ----------
    images : Tensor, shape (N, 1, H, W), float32
        Normalised, 0 to 1; turned and enlarged as the model looks at them.
    anatomy : Tensor, shape (N, channels, H, W), float32
    style, domain : Tensor, shapes (N, style dimensions) and (N, domain dimensions)
        Means of the codes' distributions.
    finite : Tensor of bool, shape (N,)
        Which slices have anatomy and codes that are finite numbers.
    """

    images: Tensor
    anatomy: Tensor
    style: Tensor
    domain: Tensor
    finite: Tensor


def disentangled(segmenter: Segmenter) -> DisentangledNet:
    """The network of a bundle that tells anatomy from appearance.

    Raises
    ------
    MethodError
        If this one does not.
    """
    net = segmenter.runner.net
    if not isinstance(net, DisentangledNet):
        raise MethodError(
            "This model does not tell anatomy from appearance.",
            remedy="Choose a model of DGNet or SDNet, such as one that was trained with "
            "dgnet-plus.",
        )
    return net


def look_at(
    segmenter: Segmenter, scan: Scan, should_stop: ShouldStop | None = None
) -> tuple[np.ndarray, tuple[int, int], Pose]:
    """A scan as a model is given it.

    Returns
    -------
    images : ndarray of float32, shape (slices, rows, columns)
        Normalised, on the scan's grid.
    grid : tuple of int
        Rows and columns of the model's.
    pose : Pose
        In which the model knows the scan best; as it lies for a model that seeks none.

    Raises
    ------
    ScanError, DeviceError, SegmentationStopped
        As `Segmenter.segment`.
    """
    images = normalise(scan.array, segmenter.info.preprocessing)
    grid = grid_size(scan.geometry, segmenter.info.preprocessing)
    return images, grid, segmenter.poses(scan.scan_id, images, grid, should_stop)[-1][0]


def on_scan(maps: Tensor, pose: Pose, size: tuple[int, int]) -> Tensor:
    """Maps (N, C, H, W) of the model's grid where they belong on the scan's, of that size.

    0 where the model was not shown the scan.
    """
    back, shown = unposed(maps, pose)
    return resize(back * shown, size)


def take_apart(
    segmenter: Segmenter, images: np.ndarray, grid: tuple[int, int], pose: Pose = AS_IT_IS
) -> Parts:
    """Anatomy and codes of a few slices.

    Anatomy is computed as in segmenting, with its precision and its windows; the codes
    in float32, as those of the bundle's style bank were.

    Parameters
    ----------
    segmenter : Segmenter
        Of a disentangling method.
    images : ndarray of float32, shape (N, rows, columns)
        Normalised, on the scan's grid.
    grid : tuple of int
        Rows and columns of the model's.
    pose : Pose
        In which they are looked at.
    """
    net, runner = disentangled(segmenter), segmenter.runner
    with torch.inference_mode():
        slices = posed(resize(torch.from_numpy(images[:, None]).to(runner.device), grid), pose)
        anatomy = runner.maps(net.anatomy, slices)
        codes = net.encode(slices)
        style, domain = codes.style_mean, codes.domain_mean
        finite = torch.cat([style, domain], dim=1).isfinite().all(dim=1)
        finite &= anatomy.isfinite().flatten(1).all(dim=1)
    return Parts(slices, anatomy, style, domain, finite)


def put_together(
    segmenter: Segmenter, anatomy: Tensor, style: Tensor, domain: Tensor
) -> Tensor:
    """Slices (N, 1, H, W) in [0, 1] with that anatomy and those codes, float32."""
    net, device = disentangled(segmenter), segmenter.runner.device
    with torch.inference_mode():
        return net.decode(anatomy.to(device), style.to(device), domain.to(device))


def check_finite(slices: Iterable[int]) -> None:
    """Refuse slices of which a model makes no finite numbers.

    Parameters
    ----------
    slices : iterable of int
        The indices of those, from 0.

    Raises
    ------
    MethodError
        If there is any; it names them.
    """
    found = list(slices)
    if found:
        raise MethodError(
            f"{unfinite(found)}.",
            remedy="Look at other slices, or choose another model: its numbers ran away.",
        )


def unfinite(slices: list[int]) -> str:
    """Words for slices of which a model makes no finite numbers, without a full stop."""
    named = ", ".join(map(str, slices[:8])) + (" and others" if len(slices) > 8 else "")
    one = len(slices) == 1
    return (
        f"This model sees no finite anatomy or codes in {'slice' if one else 'slices'} {named}"
    )
