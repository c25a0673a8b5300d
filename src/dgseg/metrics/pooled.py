"""The Dice of published tables: slice by slice, structures pooled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PooledDice:
    """Dice in the plane of the slice, as the mean over slices.

    Attributes
    ----------
    pooled : float
        All structures pooled, [0, 1].
    per_class : ndarray of float
        One number for each structure, in the order of its value (1 first), [0, 1].
    """

    pooled: float
    per_class: np.ndarray


def pooled_dice(
    labels: np.ndarray,
    truth: np.ndarray,
    n_classes: int,
    *,
    slices: np.ndarray | None = None,
) -> PooledDice:
    """Dice of each slice with the structures pooled, and its mean over slices.

    For each slice 2 sum_k |P_k & T_k| / sum_k (|P_k| + |T_k|) over the structures
    k, and 1 where a slice holds none in either volume; after the evaluation in the
    public code of DGNet (Liu et al., MICCAI 2021), to be able to compare with
    published tables. It differs from `dgseg.metrics.scores.score`: small structures
    hardly count beside large ones, and a slice with little in it counts as much as
    any other, above all one that is rightly left empty.

    The published evaluation puts a pixel into the structures whose probability is
    above 0.5, hence into none where no class reaches that. This one takes labels:
    every pixel has the class that is most probable. Where the two differ, no class
    has half of the probability. The published one also takes the mean over the
    slices of both phases of a person at once, this one over those of one volume.

    Parameters
    ----------
    labels, truth : ndarray of integers, shape (slices, rows, columns)
    n_classes : int
        With the background.
    slices : ndarray of bool, shape (slices,), optional
        The slices that count; all where absent.

    Returns
    -------
    PooledDice

    Raises
    ------
    ValueError
        If the shapes differ, or no slice counts.
    """
    if labels.shape != truth.shape:
        raise ValueError(f"shapes differ: {labels.shape} and {truth.shape}")
    if slices is not None:
        where = np.asarray(slices, dtype=bool)
        labels, truth = labels[where], truth[where]
    if len(labels) == 0:
        raise ValueError("no slice counts")
    plane = tuple(range(1, labels.ndim))
    values = range(1, n_classes)
    both = np.stack([((labels == k) & (truth == k)).sum(plane) for k in values])
    total = np.stack([(labels == k).sum(plane) + (truth == k).sum(plane) for k in values])
    return PooledDice(
        pooled=float(_dice(both.sum(axis=0), total.sum(axis=0)).mean()),
        per_class=_dice(both, total).mean(axis=1),
    )


def _dice(both: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.where(total == 0, 1.0, 2.0 * both / np.maximum(total, 1))
