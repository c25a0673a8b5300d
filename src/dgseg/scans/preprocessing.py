"""What is done to a scan before a network sees it; recorded in every bundle."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dgseg.errors import ScanError
from dgseg.scans.geometry import Geometry

SMALLEST_GRID = 16
"""Rows and columns that a model's grid has at least: below, nothing is left to see."""

_Z_LIMIT = 5.0
"""Standard deviations at which z-scores are cut."""

_SAMPLE = 4_000_000
"""Voxels from which the percentiles are taken, at most, on a regular lattice."""


class Preprocessing(BaseModel):
    """How intensities and pixels are made alike across centres.

    Attributes
    ----------
    spacing_mm : float or None
        Size of a pixel of the model's grid in the plane of the slice; None
        for the scan's own pixels (where the true size is unknown).
    pixel_scale : float
        Side of a pixel of the model's grid in pixels of the scan, where
        ``spacing_mm`` is None; 2 halves the resolution. Else it has no meaning.
    normalisation : {'percentile', 'zscore'}
        See `normalise`.
    low_percentile, high_percentile : float
        Of the whole volume, 0 to 100: mapped to 0 and 1 by ``'percentile'``.
    largest_component : bool
        Whether only the largest connected component of the foreground of a
        prediction is kept.
    seek_pose : bool
        Whether each scan is turned and enlarged in its plane to where the model is surest
        of what it finds; see `dgseg.nets.poses.seek`. Several times as slow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spacing_mm: Annotated[float, Field(gt=0, le=20)] | None = None
    pixel_scale: Annotated[float, Field(gt=0, le=16)] = 1.0
    normalisation: Literal["percentile", "zscore"] = "percentile"
    low_percentile: Annotated[float, Field(ge=0, lt=100)] = 0.5
    high_percentile: Annotated[float, Field(gt=0, le=100)] = 99.5
    largest_component: bool = False
    seek_pose: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low_percentile >= self.high_percentile:
            raise ValueError("low_percentile must be below high_percentile")
        return self


def normalise(array: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Map the intensities of a whole volume to [0, 1].

    ``'percentile'``: linear between the two percentiles of the volume, cut
    outside of them. ``'zscore'``: z = (x - mean) / standard deviation of the
    volume, cut to [-5, 5], then (z + 5) / 10.

    Parameters
    ----------
    array : ndarray
        Finite intensities, any real type and shape.
    preprocessing : Preprocessing

    Returns
    -------
    ndarray of float32
        Of the same shape.

    Raises
    ------
    ScanError
        If all intensities are the same, or some are not finite.
    """
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ScanError("The scan holds values that are not finite numbers.")
    if low == high:
        raise ScanError(
            "All voxels have the same value, so there is nothing to segment.",
            remedy="Check that the file was exported in full.",
        )
    if preprocessing.normalisation == "percentile":
        low, high = _limits(array, preprocessing, low, high)
    else:
        mean = float(array.mean(dtype=np.float64))
        deviation = float(array.std(dtype=np.float64))
        low, high = mean - _Z_LIMIT * deviation, mean + _Z_LIMIT * deviation
    # Subtracting in double precision keeps small contrasts on a large offset.
    scaled = (array - np.float64(low)) * (1.0 / (high - low))
    return np.clip(scaled, 0, 1, out=scaled).astype(np.float32)


def _limits(
    array: np.ndarray, preprocessing: Preprocessing, low: float, high: float
) -> tuple[float, float]:
    """The two percentiles, or the extremes where a sparse volume makes them equal."""
    values = array.ravel()
    sample = values[:: 1 + values.size // _SAMPLE]
    wanted = (preprocessing.low_percentile, preprocessing.high_percentile)
    first, last = (float(value) for value in np.percentile(sample, wanted))
    return (first, last) if last > first else (low, high)


def grid_size(geometry: Geometry, preprocessing: Preprocessing) -> tuple[int, int]:
    """Rows and columns of the model's grid for one scan.

    The grid covers the same extent as the slice, edge to edge (the
    ``align_corners=False`` convention of interpolation).

    Parameters
    ----------
    geometry : Geometry
    preprocessing : Preprocessing

    Returns
    -------
    tuple of int
        ``round(extent / spacing_mm)``, or ``round(pixels / pixel_scale)`` where
        ``spacing_mm`` is None, but at least `SMALLEST_GRID`; the scan's own rows
        and columns, however few, where those are its pixels.
    """
    _, rows, columns = geometry.canonical_shape
    if preprocessing.spacing_mm is None:
        if preprocessing.pixel_scale == 1:
            return rows, columns
        scale = preprocessing.pixel_scale
        wanted = rows / scale, columns / scale
    else:
        _, row_mm, column_mm = geometry.spacing
        spacing = preprocessing.spacing_mm
        wanted = rows * row_mm / spacing, columns * column_mm / spacing
    return max(SMALLEST_GRID, round(wanted[0])), max(SMALLEST_GRID, round(wanted[1]))
