"""Overlap and distance between two label volumes, with a rule for empty structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance


@dataclass(frozen=True, eq=False)
class Scores:
    """One number for each structure, in the order of its value (1 first).

    Where a structure is in neither volume, overlaps are 1 and distances 0.
    Where it is in one alone, overlaps are 0 and distances are the diagonal of
    the volume: a structure that was missed counts, and as the worst.
    Specificity is about the voxels outside of the true structure and needs no
    such rule; where the structure fills all of them, it is 1.

    Attributes
    ----------
    dice, iou, precision, recall : ndarray of float
        In 3-D, [0, 1].
    specificity : ndarray of float
        Share of the voxels outside of the true structure that are not labelled
        with it, in 3-D, over the slices that count, [0, 1].
    hd95, assd : ndarray of float
        Symmetric 95th percentile and mean of the distances between the
        surfaces, in the units of the spacing.
    """

    dice: np.ndarray
    iou: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    specificity: np.ndarray
    hd95: np.ndarray
    assd: np.ndarray

    def means(self) -> dict[str, float]:
        """The mean over the structures of each score, by its name."""
        return {f.name: float(np.mean(getattr(self, f.name))) for f in fields(self)}


def score(
    labels: np.ndarray,
    truth: np.ndarray,
    spacing: Sequence[float],
    n_classes: int,
    *,
    slices: np.ndarray | None = None,
) -> Scores:
    """Compare a proposal with the truth, structure by structure, in 3-D.

    Parameters
    ----------
    labels, truth : ndarray of integers, shape (slices, rows, columns)
    spacing : sequence of float
        Size of a voxel along the three axes, millimetres.
    n_classes : int
        With the background.
    slices : ndarray of bool, shape (slices,), optional
        The slices that count; all where absent. The others keep their place,
        so that distances across a gap are what they are, and count as empty.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if labels.shape != truth.shape:
        raise ValueError(f"shapes differ: {labels.shape} and {truth.shape}")
    n_voxels = truth.size
    if slices is not None:
        where = np.asarray(slices, dtype=bool)[:, None, None]
        labels, truth = np.where(where, labels, 0), np.where(where, truth, 0)
        n_voxels = int(where.sum()) * truth[0].size
    rows = [_one(labels == k, truth == k, spacing, n_voxels) for k in range(1, n_classes)]
    return Scores(*np.array(rows, dtype=float).reshape(-1, len(fields(Scores))).T)


def _one(
    found: np.ndarray, true: np.ndarray, spacing: Sequence[float], n_voxels: int
) -> tuple[float, ...]:
    n_found, n_true = int(found.sum()), int(true.sum())
    both = int((found & true).sum())
    n_outside = n_voxels - n_true
    specificity = 1.0 - (n_found - both) / n_outside if n_outside else 1.0
    if n_found == 0 and n_true == 0:
        return 1.0, 1.0, 1.0, 1.0, specificity, 0.0, 0.0
    if n_found == 0 or n_true == 0:
        diagonal = float(np.linalg.norm(np.multiply(found.shape, spacing)))
        return 0.0, 0.0, 0.0, 0.0, specificity, diagonal, diagonal
    overlap = (
        2.0 * both / (n_found + n_true),
        both / (n_found + n_true - both),
        both / n_found,
        both / n_true,
    )
    return *overlap, specificity, *_distances(found, true, spacing)


def _distances(
    found: np.ndarray, true: np.ndarray, spacing: Sequence[float]
) -> tuple[float, float]:
    # Surfaces are unchanged by a margin of background, and the crop saves most of the time.
    where = np.argwhere(found | true)
    low = np.maximum(where.min(axis=0) - 1, 0)
    crop = tuple(slice(a, b + 2) for a, b in zip(low, where.max(axis=0), strict=True))
    a, b = (torch.from_numpy(x[crop][None, None].astype(np.float32)) for x in (found, true))
    sizes = [float(size) for size in spacing]
    hd95 = compute_hausdorff_distance(
        a, b, include_background=True, percentile=95, spacing=sizes
    )
    assd = compute_average_surface_distance(
        a, b, include_background=True, symmetric=True, spacing=sizes
    )
    return float(hd95), float(assd)
