"""The cervical spinal cord in its sac: white matter, the grey butterfly, CSF, roots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dgseg.scans.synthetic.shapes import (
    Canvas,
    Points,
    Warp,
    area,
    ellipse,
    mirrored,
    scaled,
    smooth,
    symmetric,
    tube,
)
from dgseg.scans.synthetic.tissues import Tissue

_LEVELS = np.arange(0.0, 9.0)
"""Vertebral levels: 1 is the middle of C1, 8 the middle of T1."""

_CORD_WIDTH_MM = np.array([11.6, 11.8, 12.2, 12.8, 13.4, 13.8, 13.2, 11.8, 10.2])
_CORD_DEPTH_MM = np.array([9.2, 8.9, 8.6, 8.3, 8.2, 8.0, 7.8, 7.5, 7.3])
_GREY_FRACTION = np.array([0.13, 0.13, 0.135, 0.15, 0.175, 0.20, 0.21, 0.20, 0.165])
_SAC_HALF_WIDTH_MM = np.array([13.0, 12.6, 11.8, 11.3, 11.2, 11.2, 11.0, 10.6, 10.0])
_SAC_HALF_DEPTH_MM = np.array([11.5, 10.8, 9.2, 8.2, 7.8, 7.6, 7.5, 7.4, 7.3])
"""Cord and sac along the levels, with the cervical enlargement at C4 to C6; rounded
from published morphometry (Fradet et al., Spine 2014; Frostell et al., Front Neurol
2016) and, for the share of grey matter, the PAM50 atlas."""

_SLENDER = (
    (0.0, -0.16), (0.10, -0.21), (0.16, -0.44), (0.26, -0.56), (0.37, -0.48),
    (0.38, -0.30), (0.31, -0.10), (0.28, 0.08), (0.33, 0.32), (0.43, 0.56),
    (0.45, 0.68), (0.37, 0.68), (0.23, 0.42), (0.14, 0.14), (0.07, -0.01), (0.0, -0.02),
)  # fmt: skip
_STOUT = (
    (0.0, -0.20), (0.10, -0.28), (0.18, -0.62), (0.32, -0.72), (0.50, -0.62),
    (0.58, -0.38), (0.50, -0.14), (0.38, 0.08), (0.40, 0.32), (0.50, 0.56),
    (0.50, 0.68), (0.42, 0.66), (0.27, 0.38), (0.17, 0.12), (0.08, 0.02), (0.0, 0.02),
)  # fmt: skip
"""Half outlines of the grey matter, in units of the cord's half width and half depth,
back of the body downwards: a slim butterfly as at C2, a broad one as at C6."""


@dataclass(frozen=True)
class CordSubject:
    """What is particular to one person's cord.

    Attributes
    ----------
    level : float
        Vertebral level at z = 0, such as 3.5 between C3 and C4.
    level_mm : float
        Height of a vertebra with its disc.
    size : float
        In-plane size of the cord relative to the mean.
    roundness : float
        Depth of the cord relative to its width, relative to the mean.
    grey : float
        Grey matter's share of the cord relative to the mean.
    sac : float
        Size of the dural sac relative to the mean.
    sag_mm : float
        How far the cord lies behind (+) or before (-) the middle of the sac.
    turn_deg : float
        Rotation of the head's axis against the image.
    bend_mm, lean_mm : tuple of float
        Displacement (x, y) of the canal that grows with z squared, and with z,
        over 30 mm.
    warp, cord_warp : Warp
        Smooth variation of the surroundings and, much smaller, of the cord.
    """

    level: float
    level_mm: float
    size: float
    roundness: float
    grey: float
    sac: float
    sag_mm: float
    turn_deg: float
    bend_mm: tuple[float, float]
    lean_mm: tuple[float, float]
    warp: Warp
    cord_warp: Warp

    @classmethod
    def draw(cls, rng: np.random.Generator) -> CordSubject:
        """A person at random."""
        return cls(
            level=rng.uniform(2.9, 5.0),
            level_mm=rng.uniform(15.5, 18.5),
            size=float(np.clip(rng.normal(1.0, 0.035), 0.92, 1.07)),
            roundness=float(np.clip(rng.normal(1.0, 0.04), 0.92, 1.08)),
            grey=float(np.clip(rng.normal(1.0, 0.06), 0.92, 1.12)),
            sac=rng.uniform(0.95, 1.10),
            sag_mm=rng.uniform(-0.9, 1.4),
            turn_deg=rng.normal(0, 3),
            bend_mm=(rng.normal(0, 0.6), rng.uniform(-3.0, 1.0)),
            lean_mm=(rng.normal(0, 1.5), rng.normal(0, 2.0)),
            warp=Warp(rng, 2.2, calm_mm=22.0),
            cord_warp=Warp(rng, 0.22),
        )

    def level_at(self, z_mm: float) -> float:
        """Vertebral level at a height (upwards) above the middle of the scan."""
        return float(np.clip(self.level - z_mm / self.level_mm, 0.6, 8.0))

    def move(self, points: Points, z_mm: float) -> Points:
        """From the anatomy's own plane to the image's, in millimetres."""
        c, s = np.cos(np.radians(self.turn_deg)), np.sin(np.radians(self.turn_deg))
        turned = self.warp(points, z_mm) @ np.array([[c, s], [-s, c]])
        u = z_mm / 30.0
        shift = np.array(self.bend_mm) * u * u + np.array(self.lean_mm) * u
        result: Points = turned + shift
        return result


def _along(table: np.ndarray, level: float) -> float:
    return float(np.interp(level, _LEVELS, table))


def cord_outline(subject: CordSubject, level: float) -> Points:
    """Outline of the cord: an oval, flattened in front, with shallow grooves."""
    half_width = _along(_CORD_WIDTH_MM, level) / 2 * subject.size
    half_depth = _along(_CORD_DEPTH_MM, level) / 2 * subject.size * subject.roundness
    half = (
        (0.0, -0.86), (0.10, -0.95), (0.34, -0.95), (0.66, -0.78), (0.92, -0.40),
        (1.0, 0.0), (0.93, 0.40), (0.68, 0.78), (0.36, 0.97), (0.10, 1.0), (0.0, 0.97),
    )  # fmt: skip
    return smooth(symmetric(half)) * np.array([half_width, half_depth])


def grey_outline(subject: CordSubject, level: float, cord: Points) -> Points:
    """Outline of the grey matter, with the share of the cord that the level asks for."""
    half_width, half_depth = np.ptp(cord, axis=0) / 2
    wanted = _along(_GREY_FRACTION, level) * subject.grey * area(cord)
    slender, stout = (
        smooth(symmetric(half)) * np.array([half_width, half_depth])
        for half in (_SLENDER, _STOUT)
    )
    low, high = area(slender), area(stout)
    share = float(np.clip((wanted - low) / (high - low), -0.35, 1.15))
    return slender + share * (stout - slender)


def sac_outline(subject: CordSubject, level: float) -> Points:
    """Outline of the dural sac: round at C1 and C2, a rounded triangle below."""
    half_width = _along(_SAC_HALF_WIDTH_MM, level) * subject.sac
    half_depth = _along(_SAC_HALF_DEPTH_MM, level) * subject.sac
    triangle = float(np.clip((level - 1.6) / 1.6, 0.0, 1.0))
    round_half = np.array(
        [(0, -1), (0.38, -0.92), (0.71, -0.71), (0.92, -0.38), (1, 0.0),
         (0.92, 0.38), (0.71, 0.71), (0.38, 0.92), (0, 1)]
    )  # fmt: skip
    triangle_half = np.array(
        [(0, -0.80), (0.40, -0.84), (0.78, -0.80), (1.02, -0.48), (0.98, -0.10),
         (0.82, 0.32), (0.58, 0.66), (0.30, 0.92), (0, 1.02)]
    )  # fmt: skip
    half = round_half + triangle * (triangle_half - round_half)
    return smooth(symmetric(half)) * np.array([half_width, half_depth])


def render_cord(canvas: Canvas, subject: CordSubject, z_mm: float) -> None:
    """Paint the dural sac with everything in it.

    Parameters
    ----------
    canvas : Canvas
        A slice that already holds the surroundings.
    subject : CordSubject
    z_mm : float
        Height of the slice, upwards from the middle of the scan.
    """
    level = subject.level_at(z_mm)
    sac = sac_outline(subject, level)
    canvas.paint(scaled(sac, (1.035, 1.05), (0, 0)), Tissue.DURA)
    canvas.paint(sac, Tissue.CSF)
    offset = np.array([0.0, subject.sag_mm + 0.5])
    cord = cord_outline(subject, level)
    grey = grey_outline(subject, level, cord)
    half_width, half_depth = np.ptp(cord, axis=0) / 2

    def place(points: Points) -> Points:
        return subject.cord_warp(points, z_mm) + offset

    _paint_roots(canvas, place, half_width, half_depth, z_mm)
    canvas.paint(place(cord), Tissue.WHITE_MATTER)
    fissure = tube(
        [(0, -1.05 * half_depth), (0, -0.6 * half_depth), (0, -0.28 * half_depth)],
        [0.20, 0.12, 0.05],
    )
    canvas.paint(place(fissure), Tissue.CSF, over=(Tissue.WHITE_MATTER,))
    canvas.paint(place(grey), Tissue.GREY_MATTER)
    vessel = ellipse((0.15, -1.02 * half_depth), (0.42, 0.34), n=10)
    canvas.paint(place(vessel), Tissue.DURA, over=(Tissue.CSF, Tissue.WHITE_MATTER))


def _paint_roots(
    canvas: Canvas,
    place: Callable[[Points], Points],
    half_width: float,
    half_depth: float,
    z_mm: float,
) -> None:
    """Nerve rootlets through the CSF, which come and go, and denticulate ligaments."""
    roots = (((0.58, -0.80), (1.08, -0.90), 0.0), ((0.68, 0.70), (1.15, 0.50), 1.9))
    for side in (1.0, -1.0):
        for start, end, phase in roots:
            strength = 0.5 + 0.5 * np.sin(z_mm / 2.4 + phase + side)
            path = np.array([start, end]) * np.array([half_width, half_depth])
            root = tube(path, [0.24 * strength, 0.10 + 0.25 * strength])
            root = root if side > 0 else mirrored(root)
            canvas.paint(place(root), Tissue.NERVE, over=(Tissue.CSF,))
        dot = ellipse((side * 1.25 * half_width, 0.1 * half_depth), (0.32, 0.28), n=10)
        canvas.paint(place(dot), Tissue.DURA, over=(Tissue.CSF,))
