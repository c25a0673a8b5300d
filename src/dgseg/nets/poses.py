"""How a scan lies: turned and enlarged in its plane until a network knows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

TURN_DEG = 25.0
"""From one turn to the next; two of them are the most, either way."""

ZOOMS = (0.85, 1.0, 1.2, 1.4)

_TEMPERATURE = 0.02
"""Differences of expected Dice by which a pose weighs e times less."""

_MOST_ANSWERS = 3
_LEAST_WEIGHT = 0.2

_ASKED = (0.2, 0.5, 0.8)
"""Where the slices lie that are asked about, as shares of the scan's height."""

_UNSEEN = 1e-3
"""Weight of what a turned image says of pixels that it does not show."""


@dataclass(frozen=True)
class Pose:
    """A turn and a zoom of slices about their middle.

    Attributes
    ----------
    turn_deg : float
        Degrees.
    zoom : float
        Above 1 enlarges what is in the middle.
    """

    turn_deg: float = 0.0
    zoom: float = 1.0


AS_IT_IS = Pose()

Weighted = tuple[tuple[Pose, float], ...]
"""Poses and their weights, which sum to one, the smallest first."""


def posed(
    images: Tensor, pose: Pose, mode: Literal["bilinear", "nearest"] = "bilinear"
) -> Tensor:
    """Turn and enlarge slices; their mirror image is seen beyond their edges.

    Parameters
    ----------
    images : Tensor, shape (N, C, H, W)
        Images, probabilities, or labels with the mode "nearest", of a floating type.
    pose : Pose
    mode : {'bilinear', 'nearest'}

    Returns
    -------
    Tensor, shape (N, C, H, W)
        The input itself for `AS_IT_IS`.
    """
    if pose == AS_IT_IS:
        return images
    grid = _grid(images, pose.turn_deg, pose.zoom)
    return F.grid_sample(
        images, grid, mode=mode, padding_mode="reflection", align_corners=False
    )


def unposed(answers: Tensor, pose: Pose) -> tuple[Tensor, Tensor]:
    """Bring maps of turned and enlarged slices back to where these were.

    Returns
    -------
    maps : Tensor, shape (N, C, H, W)
        The value at the nearest edge where the turned slices do not show a pixel.
    shown : Tensor of bool, shape (N, 1, H, W)
        Where they do.
    """
    if pose == AS_IT_IS:
        return answers, torch.ones_like(answers[:, :1], dtype=torch.bool)
    grid = _grid(answers, -pose.turn_deg, 1.0 / pose.zoom)
    back = F.grid_sample(answers, grid, padding_mode="border", align_corners=False)
    return back, (grid.abs() <= 1.0).all(dim=-1)[:, None]


def expected_overlap(probabilities: Tensor) -> Tensor:
    """What the probabilities expect of the Dice of their own most probable labels.

    The Dice of a class is the quotient of the two sums: of ``2 p`` over the pixels that
    are labelled with it, and of ``p`` over all pixels with the number of those labelled.

    Parameters
    ----------
    probabilities : Tensor, shape (N, C, H, W)

    Returns
    -------
    Tensor, shape (N, C - 1, 2)
        Numerator and denominator of each slice and structure, without the background.
    """
    structures = probabilities[:, 1:]
    answer = F.one_hot(probabilities.argmax(dim=1), probabilities.shape[1])
    answer = answer.movedim(-1, 1)[:, 1:].to(probabilities.dtype)
    both = 2 * (structures * answer).sum(dim=(2, 3))
    return torch.stack((both, (structures + answer).sum(dim=(2, 3))), dim=2)


def expected_dice(overlaps: Tensor) -> float:
    """Mean over the structures of the Dice that slices (N, C - 1, 2) expect together.

    0 where a network answered with what is no number.
    """
    both, all_of_it = overlaps.sum(dim=0).unbind(-1)
    return float((both / all_of_it.clamp_min(1e-6)).mean().nan_to_num())


def seek(score: Callable[[Pose], float]) -> Weighted:
    """Look for the poses of the highest score, and weigh the best of them.

    First the zooms, then turns with the best zoom, on in the direction that is better,
    then the neighbouring zooms: of 20 poses six to nine are looked at. On the adaptation
    halves of two centres of hearts it found what all 20 find.

    Parameters
    ----------
    score : callable
        Of a pose; such as `expected_dice`. The pose as it is wins a tie.

    Returns
    -------
    tuple of (Pose, float)
        At most three, weighted by ``exp(score / 0.02)``.
    """
    known: dict[Pose, float] = {}

    def look(poses: Sequence[Pose]) -> Pose:
        for pose in poses:
            if pose not in known:
                known[pose] = score(pose)
        return max(known, key=lambda pose: known[pose])

    best = look([AS_IT_IS, *(Pose(zoom=zoom) for zoom in ZOOMS)])
    best = look([Pose(turn, best.zoom) for turn in (-TURN_DEG, TURN_DEG)])
    best = look([Pose(2 * best.turn_deg, best.zoom)])
    place = ZOOMS.index(best.zoom)
    near = ZOOMS[max(0, place - 1) : place + 2]
    best = look([Pose(best.turn_deg, zoom) for zoom in near])
    order = {pose: place for place, pose in enumerate(known)}
    ranked = sorted(known, key=lambda pose: (known[pose], -order[pose]))[-_MOST_ANSWERS:]
    weights = [math.exp((known[pose] - known[best]) / _TEMPERATURE) for pose in ranked]
    kept = [
        (p, w) for p, w in zip(ranked, weights, strict=True) if w > _LEAST_WEIGHT * sum(weights)
    ]
    total = sum(weight for _, weight in kept)
    return tuple((pose, weight / total) for pose, weight in kept)


def slices_to_ask(n: int) -> list[int]:
    """Which of a scan's slices tell its pose: three at most, not at its very ends."""
    return sorted({round((n - 1) * share) for share in _ASKED})


def answer(predict: Callable[[Tensor], Tensor], images: Tensor, poses: Weighted) -> Tensor:
    """The weighted mean of what a network says of slices in several poses.

    Parameters
    ----------
    predict : callable
        From images (N, 1, H, W) to probabilities (N, C, H, W).
    images : Tensor, shape (N, 1, H, W)
    poses : sequence of (Pose, float)
        Asked in this order.

    Returns
    -------
    Tensor, shape (N, C, H, W)
        On the pixels of `images`; sums to one over the classes. Pixels that a pose does
        not show hear the others.
    """
    if len(poses) == 1 and poses[0][0] == AS_IT_IS:
        return predict(images)
    total: Tensor | None = None
    weights: Tensor | None = None
    for pose, weight in poses:
        back, shown = unposed(predict(posed(images, pose)), pose)
        counts = weight * torch.where(shown, 1.0, _UNSEEN)
        total = back * counts if total is None else total + back * counts
        weights = counts if weights is None else weights + counts
    assert total is not None
    assert weights is not None
    return total / weights


def _grid(images: Tensor, turn_deg: float, zoom: float) -> Tensor:
    """Where the pixels (N, H, W, 2) of turned slices come from, -1 to 1 edge to edge."""
    height, width = images.shape[-2:]
    turn = math.radians(turn_deg)
    cos, sin = math.cos(turn) / zoom, math.sin(turn) / zoom
    # A turn is one in pixels, and the coordinates are in shares of the sides.
    rows = [[cos, -sin * height / width, 0.0], [sin * width / height, cos, 0.0]]
    theta = torch.tensor(rows, dtype=images.dtype).to(images.device)
    size = [len(images), 1, height, width]
    return F.affine_grid(theta.expand(len(images), 2, 3), size, align_corners=False)
