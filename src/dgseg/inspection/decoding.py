"""One slice's anatomy with other codes, and what becomes of its segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dgseg.errors import MethodError, ScanError
from dgseg.inference.batches import in_batches
from dgseg.inference.components import keep_largest
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.parts import (
    Parts,
    check_finite,
    disentangled,
    look_at,
    on_scan,
    put_together,
    take_apart,
)
from dgseg.metrics.pooled import pooled_dice
from dgseg.nets.poses import Pose
from dgseg.scans.scan import Scan
from dgseg.scans.schema import LabelSchema


@dataclass(frozen=True, eq=False)
class SliceParts:
    """One slice, taken apart: what is needed to paint it with any codes.

    Attributes
    ----------
    parts : Parts
        Of this slice alone.
    size : tuple of int
        Rows and columns of the scan's grid.
    pose : Pose
        In which the model looked at it.
    """

    parts: Parts
    size: tuple[int, int]
    pose: Pose

    @property
    def style(self) -> tuple[float, ...]:
        """The slice's own style."""
        return tuple(self.parts.style[0].tolist())

    @property
    def domain(self) -> tuple[float, ...]:
        """The slice's own domain code; empty where the model has none."""
        return tuple(self.parts.domain[0].tolist())


@dataclass(frozen=True, eq=False)
class Comparison:
    """A slice and a picture of its anatomy, both segmented, on the scan's grid.

    Attributes
    ----------
    own, labels : ndarray of uint8, shape (rows, columns)
        Of the slice itself and of the picture.
    dice : dict of str to (float or None)
        Between the two, by short name of the structure; None where neither has it.
    """

    own: np.ndarray
    labels: np.ndarray
    dice: dict[str, float | None]


def slice_parts(segmenter: Segmenter, scan: Scan, index: int) -> SliceParts:
    """Take one slice of a scan apart.

    Parameters
    ----------
    segmenter : Segmenter
        Of a disentangling method.
    scan : Scan
        The whole of it, for intensities are normalised over the volume.
    index : int
        From 0, in canonical orientation.

    Raises
    ------
    MethodError
        If the model does not tell anatomy from appearance, or makes no finite numbers
        of this slice.
    ScanError
        If there is no such slice, or the scan holds nothing to see.
    """
    disentangled(segmenter)
    if not 0 <= index < scan.n_slices:
        raise ScanError(
            f"There is no slice {index} among {scan.n_slices}.",
            remedy="Count slices from 0.",
        )
    images, grid, pose = look_at(segmenter, scan)
    image = images[index : index + 1]
    found: list[Parts] = []
    in_batches(
        segmenter.runner,
        1,
        max(grid[0] * grid[1], image.size),
        lambda _: found.append(take_apart(segmenter, image, grid, pose)),
    )
    (parts,) = found
    check_finite([] if bool(parts.finite.all()) else [index])
    return SliceParts(parts, (image.shape[1], image.shape[2]), pose)


def decode(
    segmenter: Segmenter,
    kept: SliceParts,
    style: Sequence[float] | None = None,
    domain: Sequence[float] | None = None,
) -> Tensor:
    """The slice's anatomy with given codes, on the model's grid.

    Parameters
    ----------
    segmenter : Segmenter
        That took the slice apart.
    kept : SliceParts
    style, domain : sequence of float, optional
        The slice's own where not given.

    Returns
    -------
    Tensor, shape (1, 1, H, W), float32
        0 to 1, in the units of the normalised slices.

    Raises
    ------
    MethodError
        If the codes are not of the model's dimensions.
    """
    parts = kept.parts
    return put_together(
        segmenter,
        parts.anatomy,
        _code(style, parts.style, "style"),
        _code(domain, parts.domain, "domain code"),
    )


def painted_on_scan(picture: Tensor, kept: SliceParts) -> np.ndarray:
    """A picture (1, 1, H, W) of `decode` on the scan's grid, float32 (rows, columns)."""
    return on_scan(picture, kept.pose, kept.size)[0, 0].cpu().numpy()


def compare(segmenter: Segmenter, kept: SliceParts, picture: Tensor) -> Comparison:
    """Segment a slice and a picture of it, and see how far they agree.

    Parameters
    ----------
    segmenter : Segmenter
    kept : SliceParts
    picture : Tensor, shape (1, 1, H, W)
        Of `decode`.
    """
    own, labels = (_segment(segmenter, image, kept) for image in (kept.parts.images, picture))
    return Comparison(own, labels, _agreement(own, labels, segmenter.info.labels))


def _code(given: Sequence[float] | None, own: Tensor, name: str) -> Tensor:
    if given is None:
        return own
    if len(given) != own.shape[1]:
        raise MethodError(
            f"The {name} of this model has {own.shape[1]} dimensions, not {len(given)}.",
            remedy="Take codes that the same model has found.",
        )
    return own.new_tensor([list(given)])


def _segment(segmenter: Segmenter, image: Tensor, kept: SliceParts) -> np.ndarray:
    """Labels on the scan's grid, background where the model was not shown the scan."""
    with torch.inference_mode():
        found = on_scan(segmenter.runner.probabilities(image), kept.pose, kept.size)
        labels = found.max(dim=1).indices.to(torch.uint8).cpu().numpy()
    return (keep_largest(labels) if segmenter.info.preprocessing.largest_component else labels)[
        0
    ]


def _agreement(
    own: np.ndarray, labels: np.ndarray, schema: LabelSchema
) -> dict[str, float | None]:
    found = pooled_dice(labels[None], own[None], schema.n_classes).per_class
    there = [
        bool(((own == label.value) | (labels == label.value)).any()) for label in schema.labels
    ]
    return {
        label.short_name: float(value) if known else None
        for label, value, known in zip(schema.labels, found, there, strict=True)
    }
