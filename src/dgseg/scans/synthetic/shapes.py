"""Smooth shapes in millimetres, and the canvas they are painted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from scipy.interpolate import CubicSpline

from dgseg.scans.synthetic.tissues import Tissue

Points = np.ndarray
"""Vertices of a polygon in millimetres, shape (n, 2): x to the right, y downwards."""


@cache
def _periodic_spline(n_controls: int, per_segment: int) -> np.ndarray:
    """Matrix from the control points of a closed curve to its dense vertices."""
    controls = np.vstack([np.eye(n_controls), np.eye(n_controls)[:1]])
    spline = CubicSpline(np.arange(n_controls + 1), controls, bc_type="periodic")
    positions = np.arange(n_controls * per_segment) / per_segment
    matrix: np.ndarray = spline(positions)
    return matrix


def smooth(controls: Points | Sequence[Sequence[float]], per_segment: int = 6) -> Points:
    """A closed smooth curve through `controls` (n, 2), as a dense polygon."""
    points = np.asarray(controls, dtype=np.float64)
    return _periodic_spline(len(points), per_segment) @ points


@cache
def _circle(n: int) -> np.ndarray:
    angles = np.arange(n) * (2 * np.pi / n)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def ellipse(
    centre: Sequence[float], radii: Sequence[float], angle_deg: float = 0.0, n: int = 40
) -> Points:
    """An ellipse around `centre` with half-axes `radii`, turned by `angle_deg`."""
    points = _circle(n) * np.asarray(radii, dtype=np.float64)
    if angle_deg:
        c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
        points = points @ np.array([[c, s], [-s, c]])
    return points + np.asarray(centre, dtype=np.float64)


def tube(
    path: Points | Sequence[Sequence[float]], half_widths: np.ndarray | Sequence[float]
) -> Points:
    """A band along an open `path` (n, 2) with the given half-width at each point."""
    points = np.asarray(path, dtype=np.float64)
    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    offset = normal * np.asarray(half_widths, dtype=np.float64)[:, None]
    return np.vstack([points + offset, (points - offset)[::-1]])


def mirrored(points: Points) -> Points:
    """The same shape on the other side of the midline x = 0."""
    result: Points = points * np.array([-1.0, 1.0])
    return result


def symmetric(half: Sequence[Sequence[float]]) -> Points:
    """A closed shape from its half with x >= 0, listed from midline to midline.

    The first and last points lie on the midline and are not doubled.
    """
    points = np.asarray(half, dtype=np.float64)
    return np.vstack([points, mirrored(points[1:-1])[::-1]])


def area(points: Points) -> float:
    """Area of a polygon in square millimetres."""
    x, y = points[:, 0], points[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def scaled(points: Points, factor: float | Sequence[float], centre: Sequence[float]) -> Points:
    """A shape grown or shrunk about `centre`."""
    origin = np.asarray(centre, dtype=np.float64)
    result: Points = origin + (points - origin) * np.asarray(factor)
    return result


class Warp:
    """A smooth displacement of the plane that changes slowly along the body.

    It makes each subject a little different and asymmetric everywhere, without
    tearing neighbouring structures apart.

    Parameters
    ----------
    rng : numpy.random.Generator
    amplitude_mm : float
        Standard deviation of the displacement far from the origin.
    calm_mm : float
        Within about this distance of the origin the displacement fades.
    wavelength_mm : tuple of float
        Range of the wavelengths it is made of.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        amplitude_mm: float,
        calm_mm: float = 0.0,
        wavelength_mm: tuple[float, float] = (35.0, 110.0),
    ) -> None:
        n = 7
        wavelength = rng.uniform(*wavelength_mm, n)
        angle = rng.uniform(0, 2 * np.pi, n)
        self._wave = 2 * np.pi / wavelength * np.stack([np.cos(angle), np.sin(angle)])
        self._phase = rng.uniform(0, 2 * np.pi, n)
        self._along = rng.uniform(-1, 1, n) * 2 * np.pi / 70
        heading = rng.uniform(0, 2 * np.pi, n)
        size = amplitude_mm * np.sqrt(2 / n)
        self._heading = size * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        self._calm_mm = calm_mm

    def __call__(self, points: Points, z_mm: float) -> Points:
        """Displaced points of the slice at `z_mm`."""
        waves = np.sin(points @ self._wave + self._phase + self._along * z_mm)
        shift: Points = waves @ self._heading
        if self._calm_mm:
            distance = np.hypot(points[:, 0], points[:, 1])
            shift = shift * (1 - np.exp(-((distance / self._calm_mm) ** 2)))[:, None]
        return points + shift


class Canvas:
    """A fine grid over one slice, on which shapes are painted one over the other.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the fine grid.
    pixel_mm : tuple of float
        Height and width of a fine pixel.
    centre_mm : tuple of float
        Anatomical position (y, x) at the middle of the grid.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        pixel_mm: tuple[float, float],
        centre_mm: tuple[float, float],
    ) -> None:
        self.ids = np.zeros(shape, dtype=np.uint8)
        self.pixel_mm = pixel_mm
        self.move: Callable[[Points], Points] | None = None
        self.look_at(centre_mm)

    def look_at(self, centre_mm: tuple[float, float]) -> None:
        """Put the anatomical position (y, x) at the middle of the grid."""
        self._origin = tuple(
            c - (n - 1) / 2 * p
            for c, n, p in zip(centre_mm, self.ids.shape, self.pixel_mm, strict=True)
        )

    def clear(self, move: Callable[[Points], Points] | None = None) -> None:
        """Start a new slice of air, whose shapes will be displaced by `move`."""
        self.ids[:] = Tissue.AIR
        self.move = move

    def paint(self, points: Points, tissue: Tissue, over: tuple[Tissue, ...] = ()) -> None:
        """Fill a polygon with a tissue.

        Parameters
        ----------
        points : ndarray, shape (n, 2)
            Vertices in millimetres, x before y.
        tissue : Tissue
        over : tuple of Tissue, optional
            Change only pixels that hold one of these.
        """
        self._fill(points if self.move is None else self.move(points), tissue, over)

    def _fill(self, points: Points, tissue: Tissue, over: tuple[Tissue, ...]) -> None:
        found = self._inside(points)
        if found is None:
            return
        window, mask = found
        view = self.ids[window]
        if over:
            mask = mask & np.isin(view, over)
        view[mask] = tissue

    def paint_spots(
        self, spots: np.ndarray, tissue: Tissue, over: tuple[Tissue, ...] = ()
    ) -> None:
        """Fill many small discs at once.

        Parameters
        ----------
        spots : ndarray, shape (n, 3)
            x, y and radius in millimetres. Only the centres are displaced.
        tissue, over
            As for `paint`.
        """
        centres = spots[:, :2] if self.move is None else self.move(spots[:, :2])
        reach = np.array(self.ids.shape) / 2 * np.array(self.pixel_mm)
        middle = np.array(self._origin) + reach
        offset = np.abs(centres[:, ::-1] - middle)
        near = np.all(offset < reach + spots[:, 2:], axis=1)
        for centre, radius in zip(centres[near], spots[near, 2], strict=True):
            self._fill(ellipse(centre, (radius, radius), n=12), tissue, over)

    def paint_pair(self, points: Points, tissue: Tissue, over: tuple[Tissue, ...] = ()) -> None:
        """Fill a polygon and its mirror image about x = 0."""
        self.paint(points, tissue, over)
        self.paint(mirrored(points), tissue, over)

    def _inside(self, points: Points) -> tuple[tuple[slice, slice], np.ndarray] | None:
        """The even-odd inside of a polygon, by scan lines, in its bounding box."""
        rows = (points[:, 1] - self._origin[0]) / self.pixel_mm[0]
        cols = (points[:, 0] - self._origin[1]) / self.pixel_mm[1]
        n_rows, n_cols = self.ids.shape
        top, bottom = max(0, int(np.ceil(rows.min()))), min(n_rows, int(rows.max()) + 1)
        left, right = max(0, int(np.ceil(cols.min()))), min(n_cols, int(cols.max()) + 1)
        if top >= bottom or left >= right:
            return None
        edge_rows = np.stack([rows, np.roll(rows, -1)])
        edge_cols = np.stack([cols, np.roll(cols, -1)])
        # An edge crosses the scan lines ceil(low) .. ceil(high) - 1, clipped.
        first = np.clip(np.ceil(edge_rows.min(axis=0)), top, bottom).astype(np.int64)
        stop = np.clip(np.ceil(edge_rows.max(axis=0)), top, bottom).astype(np.int64)
        counts = stop - first
        edge = np.repeat(np.arange(len(rows)), counts)
        line = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        line += first[edge]
        run = edge_rows[1, edge] - edge_rows[0, edge]
        slope = (edge_cols[1, edge] - edge_cols[0, edge]) / run
        crossing = edge_cols[0, edge] + (line - edge_rows[0, edge]) * slope
        start = np.clip(np.ceil(crossing), left, right).astype(np.int64) - left
        width = right - left + 1
        toggles = np.bincount(
            (line - top) * width + start, minlength=(bottom - top) * width
        ).reshape(bottom - top, width)
        mask = (np.cumsum(toggles, axis=1, dtype=np.int32) & 1).astype(bool)[:, :-1]
        return (slice(top, bottom), slice(left, right)), mask
