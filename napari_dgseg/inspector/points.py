"""What the appearance map shows: slices as points, domains as outlines, and their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Colouring = Literal["site", "scan", "series", "error", "uncertainty"]
COLOURINGS: dict[Colouring, str] = {
    "site": "site",
    "scan": "scan",
    "series": "series",
    "error": "reconstruction error",
    "uncertainty": "uncertainty",
}

SYMBOLS = ("o", "s", "t1", "d", "star", "p", "h")
"""Pyqtgraph's names. With the six colours, 42 scans can be told apart, by more than colour."""

_ON_DARK = ("#56b4e9", "#e69f00", "#2cc295", "#f0e442", "#f0763a", "#dd9cc6")
_ON_LIGHT = ("#0068a6", "#c25200", "#00735a", "#796600", "#8c1d5e", "#2a2a2a")
"""After Okabe and Ito (2008), lightened or darkened until they stand out on the ground."""

_VIRIDIS = (
    "#440154",
    "#482878",
    "#3e4989",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6ece58",
    "#b5de2b",
    "#fde725",
)
"""Ten even steps of the colour scale of van der Walt and Smith (2015)."""

_SHADES = 32
"""Of a scale: more cannot be told apart, and each is painted once."""


@dataclass(frozen=True, eq=False)
class Points:
    """Slices on the map; all fields have one entry a slice.

    Attributes
    ----------
    xy : ndarray of float, shape (N, 2)
        Not a number for a slice that has no code: it is left out of the picture.
    scan_ids : tuple of str
    slices : ndarray of int, shape (N,)
        From 0, as the viewer counts.
    thumbnails : ndarray of uint8, shape (N, rows, columns)
    series : tuple of str
        What was acquired; empty where that is not known.
    error, uncertainty : ndarray of float, shape (N,)
        Not a number where not known.
    titles : tuple of str
        What the scans are called; their identifiers where there are none.
    sites : tuple of str
        Where they come from; all from this site where there are none.
    """

    xy: np.ndarray
    scan_ids: tuple[str, ...]
    slices: np.ndarray
    thumbnails: np.ndarray
    series: tuple[str, ...]
    error: np.ndarray
    uncertainty: np.ndarray
    titles: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.scan_ids)

    def title(self, at: int) -> str:
        """What the scan of a point is called."""
        return self.titles[at] if self.titles else self.scan_ids[at]

    @property
    def known(self) -> np.ndarray:
        """Which slices have a place (N,)."""
        return np.isfinite(self.xy).all(axis=1)

    def at(self, scan_id: str, slice_index: int) -> int | None:
        """The point of a slice, or None."""
        for number, (scan, index) in enumerate(zip(self.scan_ids, self.slices, strict=True)):
            if scan == scan_id and index == slice_index:
                return number
        return None


@dataclass(frozen=True, eq=False)
class Outline:
    """A domain that the model knows, on the map.

    Attributes
    ----------
    name : str
    xy : ndarray of float, shape (64, 2)
        Its ellipse.
    middle : ndarray of float, shape (2,)
        Its mean.
    """

    name: str
    xy: np.ndarray
    middle: np.ndarray


@dataclass(frozen=True)
class Entry:
    """A line of the legend."""

    text: str
    colour: str
    symbol: str = "o"


@dataclass(frozen=True, eq=False)
class Colours:
    """How points are drawn, and what that means.

    Attributes
    ----------
    colours, symbols : list of str
        One a point; a colour is empty where there is nothing to colour by.
    entries : list of Entry
        The legend of groups; empty for a scale.
    scale : tuple of float or None
        Least and greatest value of a scale.
    """

    colours: list[str]
    symbols: list[str]
    entries: list[Entry]
    scale: tuple[float, float] | None = None


def colours_of(points: Points, by: Colouring, *, dark: bool) -> Colours:
    """Colours and symbols of points, by a group or by a number.

    Parameters
    ----------
    points : Points
    by : Colouring
    dark : bool
        Whether the ground is dark.
    """
    if by in ("error", "uncertainty"):
        return _by_number(np.asarray(getattr(points, by), dtype=float), dark)
    if by == "scan":
        groups: Sequence[str] = points.scan_ids
        names = {scan: points.title(at) for at, scan in enumerate(points.scan_ids)}
    else:
        groups = points.series if by == "series" else points.sites or ("",) * len(points)
        nameless = "not known" if by == "series" else "this site"
        names = {group: group or nameless for group in groups}
    return _by_group(groups, names, dark)


def scale_colours(dark: bool) -> tuple[str, ...]:
    """The steps of the colour scale, without the end that drowns in the ground."""
    return _VIRIDIS[3:] if dark else _VIRIDIS[:8]


def is_known(points: Points, by: Colouring) -> bool:
    """Whether there is anything to colour by."""
    if by in ("error", "uncertainty"):
        return bool(np.isfinite(getattr(points, by)).any())
    return by != "series" or any(points.series)


def _by_group(groups: Sequence[str], names: dict[str, str], dark: bool) -> Colours:
    palette = _ON_DARK if dark else _ON_LIGHT
    marks = {
        group: (palette[at % len(palette)], SYMBOLS[at % len(SYMBOLS)])
        for at, group in enumerate(names)
    }
    entries = [Entry(names[group], *mark) for group, mark in marks.items()]
    drawn = [marks[group] for group in groups]
    return Colours([c for c, _ in drawn], [s for _, s in drawn], entries)


def _by_number(values: np.ndarray, dark: bool) -> Colours:
    steps = np.array(scale_colours(dark))
    known = np.isfinite(values)
    low, high = (values[known].min(), values[known].max()) if known.any() else (0.0, 0.0)
    share = np.where(known, values - low, 0) / ((high - low) or 1.0)
    share = (share * _SHADES).round() / _SHADES
    fine = _interpolated(steps, share)
    colours = [colour if is_there else "" for colour, is_there in zip(fine, known, strict=True)]
    scale = (float(low), float(high)) if known.any() else None
    return Colours(colours, ["o"] * len(values), [], scale)


def _interpolated(steps: np.ndarray, share: np.ndarray) -> list[str]:
    """Colours between the steps of a scale, at shares (N,) of its length."""
    rgb = np.array([[int(step[i : i + 2], 16) for i in (1, 3, 5)] for step in steps], float)
    places = np.clip(share, 0, 1) * (len(steps) - 1)
    channels = [np.interp(places, np.arange(len(steps)), rgb[:, c]) for c in range(3)]
    mixed = np.stack(channels, axis=1).round().astype(int)
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in mixed]
