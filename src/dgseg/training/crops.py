"""Where crops are cut from slices of many sizes that lie in one flat array."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

_MIDDLE = 0.2
"""Standard deviation of unlabelled crops around the middle, as a share of the slice."""


@dataclass(frozen=True)
class Window:
    """The pixels of a batch of crops.

    Attributes
    ----------
    offsets : Tensor of int64, shape (N, H, W)
        Of every pixel from the start of its slice; of its mirror image where the crop
        leaves the slice.
    inside : Tensor of bool, shape (N, H, W), or None
        Where the crops lie within their slices; None where all do.
    image_starts, label_starts : Tensor of int64, shape (N, 1, 1)
        Where the slices start in the two flat arrays; -1 for no labels.
    """

    offsets: Tensor
    inside: Tensor | None
    image_starts: Tensor
    label_starts: Tensor


@dataclass
class CropTable:
    """What is known of each slice: size, place in the flat arrays, domain, anchors."""

    _rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    _anchors: dict[int, np.ndarray] = field(default_factory=dict)
    _members: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, in the order in which they came."""
        return tuple(self._members)

    def add(
        self, domain: str, start: int, size: tuple[int, int], label_start: int | None
    ) -> None:
        """Enter a slice; without `label_start` it is not annotated."""
        index = len(self._rows)
        self._rows.append((start, *size, -1 if label_start is None else label_start))
        every, annotated = self._members.setdefault(domain, ([], []))
        every.append(index)
        if label_start is not None:
            annotated.append(index)

    def anchor(self, points: np.ndarray) -> None:
        """Remember points (k, 2) inside the structures of the slice entered last."""
        if len(points):
            self._anchors[len(self._rows) - 1] = points

    def freeze(self) -> None:
        """Turn what was entered into tensors; nothing can be entered afterwards."""
        self._slices = torch.tensor(self._rows, dtype=torch.int64)
        counts = torch.zeros(len(self._rows), dtype=torch.int64)
        for index, points in self._anchors.items():
            counts[index] = len(points)
        self._anchor_ranges = torch.stack((counts.cumsum(0) - counts, counts), dim=1)
        points_in_order = [torch.from_numpy(points) for points in self._anchors.values()]
        # The last row is what slices without anchors look up, and then do not use.
        self._points = torch.cat([*points_in_order, torch.zeros(1, 2, dtype=torch.int64)])

    def members(self, domain: str, labelled: bool) -> list[int]:
        """Indices of a domain's slices, all of them or the annotated ones."""
        return self._members.get(domain, ([], []))[labelled]

    def crop_size(self, patch_px: int) -> tuple[int, int]:
        """Rows and columns of crops that are to be `patch_px` wide.

        No more than the largest slice has: at inference nothing is around a slice.
        """
        rows, columns = self._largest
        return min(patch_px, rows), min(patch_px, columns)

    @cached_property
    def _largest(self) -> tuple[int, int]:
        rows, columns = self._slices[:, 1:3].amax(dim=0).tolist()
        return rows, columns

    def by_size(self, domain: str) -> dict[tuple[int, int], list[int]]:
        """Where a domain's slices start in the images, by their rows and columns."""
        starts: dict[tuple[int, int], list[int]] = {}
        for index in self.members(domain, labelled=False):
            start, rows, columns, _ = self._rows[index]
            starts.setdefault((rows, columns), []).append(start)
        return starts

    def draw(
        self,
        domain: str,
        n: int,
        size: tuple[int, int],
        labelled: bool,
        foreground_share: float,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Choose slices (n,) and the upper left corners (n, 2) of crops of a size in them.

        The same number of random numbers is used whatever is chosen.
        """
        crop = torch.tensor(size)
        members = torch.tensor(self.members(domain, labelled))
        u = torch.rand(n, 8, generator=generator)
        spread = torch.randn(n, 2, generator=generator)
        chosen = members[_pick(u[:, 0], torch.tensor(len(members)))]
        sizes = self._slices[chosen, 1:3]
        first, count = self._anchor_ranges[chosen].unbind(1)
        points = self._points[first + _pick(u[:, 1], count)]
        jitter = ((u[:, 2:4] - 0.5) * (crop / 2)).long()
        near = points + jitter - crop // 2
        room = (sizes - crop).clamp_min(0)
        if labelled:
            anywhere = (u[:, 4:6] * (room + 1)).long()
        else:
            anywhere = (sizes * (0.5 + _MIDDLE * spread)).long() - crop // 2
        use_near = (u[:, 6] < foreground_share) & (count > 0)
        corners = torch.where(use_near[:, None], near, anywhere)
        corners = torch.minimum(corners.clamp_min(0), room)
        # A slice smaller than the crop lies in the middle of it.
        return chosen, corners + torch.div(
            (sizes - crop).clamp_max(0), 2, rounding_mode="floor"
        )

    def window(
        self, chosen: Tensor, corners: Tensor, size: tuple[int, int], device: torch.device
    ) -> Window:
        """The pixels of crops of a size, on `device`."""
        start, height, width, label_start = self._slices[chosen].unbind(1)
        sizes = torch.stack((height, width), dim=1)
        leaves = bool(((corners < 0) | (corners + torch.tensor(size) > sizes)).any())
        corners, height, width = (t.to(device) for t in (corners, height, width))
        rows = corners[:, :1] + torch.arange(size[0], device=device)
        columns = corners[:, 1:] + torch.arange(size[1], device=device)
        inside = None
        if leaves:
            inside_rows = (rows >= 0) & (rows < height[:, None])
            inside_columns = (columns >= 0) & (columns < width[:, None])
            inside = inside_rows[:, :, None] & inside_columns[:, None, :]
            rows, columns = _mirrored(rows, height), _mirrored(columns, width)
        offsets = (rows * width[:, None])[:, :, None] + columns[:, None, :]
        starts = (t.to(device)[:, None, None] for t in (start, label_start))
        return Window(offsets, inside, *starts)


def gather(flat: Tensor, window: Window, starts: Tensor) -> Tensor:
    """The values (N, H, W) of crops in a flat array, mirrored outside of their slices.

    Group normalisation counts what is around a slice. A mirrored slice has the statistics
    that the slice has alone, as at inference; one on black tells its size.
    """
    return flat[window.offsets + starts]


def _mirrored(at: Tensor, length: Tensor) -> Tensor:
    """Places (N, P) from 0 to below `length` (N,), mirrored at both ends as often as needed."""
    last = length[:, None] - 1
    around = at.remainder((2 * last).clamp_min(1))
    return torch.where(last > 0, torch.minimum(around, 2 * last - around), 0)


def _pick(u: Tensor, counts: Tensor) -> Tensor:
    """Uniform indices below `counts` (0 where that is 0) from uniform numbers in [0, 1)."""
    return torch.minimum((u * counts).long(), (counts - 1).clamp_min(0))
