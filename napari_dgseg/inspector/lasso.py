"""A line drawn around points with the mouse."""

from __future__ import annotations

import numpy as np

_APART = 3.0
"""Pixels between two corners that are kept."""


class Lasso:
    """The corners of a line that is being drawn, in pixels."""

    def __init__(self) -> None:
        self._corners: list[tuple[float, float]] = []

    @property
    def corners(self) -> np.ndarray:
        """The line so far, shape (n, 2)."""
        return np.array(self._corners, float).reshape(-1, 2)

    @property
    def is_drawn(self) -> bool:
        """Whether it encloses anything."""
        return len(self._corners) >= 3

    def begin(self, x: float, y: float) -> None:
        """Start anew."""
        self._corners = [(x, y)]

    def extend(self, x: float, y: float) -> None:
        """Go on; steps that are too small to matter are left out."""
        last_x, last_y = self._corners[-1]
        if abs(x - last_x) + abs(y - last_y) >= _APART:
            self._corners.append((x, y))

    def inside(self, xy: np.ndarray) -> np.ndarray:
        """Which points (N, 2) the closed line goes round, by the even-odd rule (N,).

        A ray from each point to the right crosses the line an odd number of times where
        the point is inside (Shimrat, Communications of the ACM 1962).
        """
        x, y = xy[:, :1], xy[:, 1:]
        here = self.corners
        there = np.roll(here, -1, axis=0)
        spans = (here[:, 1] > y) != (there[:, 1] > y)
        rise = there[:, 1] - here[:, 1]
        run = (there[:, 0] - here[:, 0]) / np.where(rise == 0, 1, rise)
        crossed = spans & (x < here[:, 0] + (y - here[:, 1]) * run)
        inside: np.ndarray = crossed.sum(axis=1) % 2 == 1
        return inside
