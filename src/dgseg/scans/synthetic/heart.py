"""The heart in short axis: ventricles, muscle, papillary muscles, atria at the base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dgseg.scans.synthetic.shapes import Canvas, Points, Warp, ellipse, scaled, smooth, tube
from dgseg.scans.synthetic.tissues import Tissue


@dataclass(frozen=True)
class HeartSubject:
    """What is particular to one person's heart, in one phase of its beat.

    Attributes
    ----------
    systole : float
        0 at end diastole, 1 at end systole.
    cavity_mm : float
        Radius of the left ventricle's cavity near the base at end diastole.
    wall_mm : float
        Thickness of its wall at end diastole.
    length_mm : float
        From the tip of the cavity to the base at end diastole.
    contraction : float
        Radius of the cavity at end systole relative to end diastole.
    right : float
        Width of the right ventricle relative to the mean.
    septum_deg : float
        Direction from the left ventricle to the middle of the septum, degrees
        from the image's left, positive upwards.
    trabeculae : ndarray, shape (n, 3)
        Angle (radians), depth (0 to 1) and size in millimetres of the ridges
        along the walls of both ventricles.
    fat_mm : float
        Thickness of the fat on the heart.
    warp : Warp
        Smooth variation of the shape.
    """

    systole: float
    cavity_mm: float
    wall_mm: float
    length_mm: float
    contraction: float
    right: float
    septum_deg: float
    trabeculae: np.ndarray
    fat_mm: float
    warp: Warp

    @classmethod
    def draw(cls, rng: np.random.Generator) -> HeartSubject:
        """A person at random, at end diastole or end systole."""
        n = 26
        trabeculae = np.stack(
            [rng.uniform(0, 2 * np.pi, n), rng.uniform(0, 1, n), rng.uniform(0.8, 2.4, n)],
            axis=1,
        )
        return cls(
            systole=float(rng.random() < 0.5),
            cavity_mm=rng.uniform(22.0, 27.5),
            wall_mm=rng.uniform(7.0, 10.5),
            length_mm=rng.uniform(76.0, 92.0),
            contraction=rng.uniform(0.62, 0.76),
            right=rng.uniform(0.85, 1.15),
            septum_deg=rng.uniform(0, 40),
            trabeculae=trabeculae,
            fat_mm=rng.uniform(2.0, 6.5),
            warp=Warp(rng, 1.5, wavelength_mm=(45.0, 120.0)),
        )

    @property
    def size(self) -> float:
        """Radius of the cavity relative to end diastole."""
        return 1 - self.systole * (1 - self.contraction)

    def height(self, z_mm: float) -> float:
        """Position along the long axis: 0 at the tip of the cavity, 1 at the base."""
        length = self.length_mm * (1 - 0.16 * self.systole)
        # The apex stays in place through the beat, the base comes down to it.
        return (z_mm + self.length_mm * 0.52) / length

    def radii(self, height: float) -> tuple[float, float]:
        """Radii (mm) of the cavity and of the whole left ventricle at a height.

        Truncated ellipsoids; zero where there is none.
        """
        radius = self.cavity_mm * self.size
        # Wall volume is about constant: the wall thickens as the cavity shrinks.
        wall = self.wall_mm * (1 + 0.45 * self.systole)
        inner = 1 - ((0.86 - min(height, 1.0)) / 0.86) ** 2
        tip = 0.10 + 0.03 * self.systole
        outer = 1 - ((0.80 - min(height, 1.0)) / (0.80 + tip)) ** 2
        cavity = radius * np.sqrt(inner) if inner > 0 else 0.0
        whole = (radius + wall) * np.sqrt(outer) if outer > 0 else 0.0
        return float(cavity), float(max(whole, cavity + 0.45 * wall if cavity else 0.0))


def _toward(angle: float, radius: float) -> tuple[float, float]:
    """A point at an angle from the image's left, positive upwards."""
    return -radius * float(np.cos(angle)), -radius * float(np.sin(angle))


def right_ventricle(heart: HeartSubject, height: float, whole: float) -> Points | None:
    """Outline of the right ventricle: a crescent's outer side; the left one covers it.

    Parameters
    ----------
    heart : HeartSubject
    height : float
        Along the long axis, 0 to 1.
    whole : float
        Radius of the whole left ventricle there, in millimetres.

    Returns
    -------
    ndarray of float, shape (n, 2), or None where the right ventricle does not reach.
    """
    reach = float(np.clip((height - 0.08) / 0.55, 0.0, 1.0)) ** 0.6
    if reach <= 0.05:
        return None
    bulge = (5.0 + 29.0 * reach) * heart.right * (1 - 0.34 * heart.systole)
    middle = np.radians(heart.septum_deg)
    spread = np.radians(46 + 26 * reach)
    spine = (
        (-1.05, whole * 0.90), (-0.95, whole + bulge * 0.22), (-0.62, whole + bulge * 0.68),
        (-0.22, whole + bulge * 0.96), (0.18, whole + bulge), (0.58, whole + bulge * 0.74),
        (0.92, whole + bulge * 0.26), (1.05, whole * 0.92), (0.5, whole * 0.8),
        (0.0, whole * 0.75), (-0.5, whole * 0.8),
    )  # fmt: skip
    return smooth([_toward(middle + u * spread, r) for u, r in spine])


def render_heart(canvas: Canvas, heart: HeartSubject, z_mm: float) -> None:
    """Paint the heart over the chest.

    Parameters
    ----------
    canvas : Canvas
    heart : HeartSubject
    z_mm : float
        Height along the long axis, towards the base, from the middle of the scan.
    """
    height = heart.height(z_mm)
    if height > 1.0:
        _paint_atria(canvas, heart, min(height - 1.0, 0.35))
        return
    cavity, whole = heart.radii(height)
    if whole <= 0:
        if height > -0.25:
            canvas.paint(ellipse((0, 0), (13, 10)), Tissue.FAT, over=(Tissue.LUNG,))
        return
    left = ellipse((0, 0), (whole, whole * 0.97), 20, n=60)
    right = right_ventricle(heart, height, whole)
    _paint_mantle(canvas, heart, left, right)
    if right is not None:
        centre = right.mean(axis=0)
        width = np.ptp(right, axis=0).max()
        canvas.paint(scaled(right, 1 + 5.0 / width, centre), Tissue.RV_WALL)
        canvas.paint(right, Tissue.RV_BLOOD)
        _paint_right_trabeculae(canvas, heart, whole, height)
    canvas.paint(left, Tissue.MYOCARDIUM)
    if cavity > 1.0:
        canvas.paint(ellipse((0, 0), (cavity, cavity * 0.96), 20, n=60), Tissue.LV_BLOOD)
        _paint_papillary(canvas, heart, cavity, height)


def _paint_mantle(
    canvas: Canvas, heart: HeartSubject, left: Points, right: Points | None
) -> None:
    """Pericardial fat, thickest in the grooves between the ventricles."""
    for shape in (left, right):
        if shape is None:
            continue
        size = np.ptp(shape, axis=0).max()
        centre = shape.mean(axis=0)
        fat = scaled(shape, 1 + 2 * (heart.fat_mm + 2.0) / size, centre)
        canvas.paint(fat, Tissue.FAT)
    if right is None:
        return
    middle = np.radians(heart.septum_deg)
    radius = float(np.hypot(*left.T).mean())
    for u in (-1.25, 1.25):
        x, y = _toward(middle + u, radius + 3.5)
        canvas.paint(ellipse((x, y), (7.0, 5.5), n=20), Tissue.FAT)
        canvas.paint(ellipse((x, y), (1.6, 1.6), n=12), Tissue.ARTERY)


def _paint_right_trabeculae(
    canvas: Canvas, heart: HeartSubject, whole: float, height: float
) -> None:
    middle = np.radians(heart.septum_deg)
    bulge = 30.0 * heart.right * (1 - 0.34 * heart.systole)
    for turn, depth, size in heart.trabeculae[:14]:
        angle = middle + (turn / np.pi - 1) * 0.95
        radius = whole + bulge * (0.72 + 0.28 * depth) * (0.60 + 0.35 * height)
        spot = ellipse(_toward(angle, radius), (size * 1.6, size * 0.7), np.degrees(-angle), 14)
        canvas.paint(spot, Tissue.TRABECULA, over=(Tissue.RV_BLOOD,))
    band = tube(
        [_toward(middle - 0.5, whole + 1), _toward(middle - 0.62, whole + 0.8 * bulge)],
        [1.6, 1.2],
    )
    if 0.3 < height < 0.5:
        canvas.paint(band, Tissue.TRABECULA, over=(Tissue.RV_BLOOD,))


def _paint_papillary(canvas: Canvas, heart: HeartSubject, cavity: float, height: float) -> None:
    """Two papillary muscles in the middle third, ridges along the wall below them."""
    middle = np.radians(heart.septum_deg)
    fullness = np.exp(-(((height - 0.45) / 0.2) ** 2))
    detach = float(np.clip((height - 0.3) / 0.3, 0, 1))
    for u, size in ((np.pi - 0.95, 6.2), (np.pi + 1.15, 5.4)):
        size = size * fullness * (1 - 0.10 * heart.systole)
        if size < 1.2:
            continue
        radius = cavity - size * (0.5 + 0.8 * detach)
        x, y = _toward(middle + u, max(radius, cavity * 0.4))
        muscle = ellipse((x, y), (size, size * 0.75), -np.degrees(middle + u), n=20)
        canvas.paint(muscle, Tissue.PAPILLARY, over=(Tissue.LV_BLOOD,))
    rough = float(np.clip(1.25 - height * 1.1, 0.15, 1.0))
    for turn, depth, size in heart.trabeculae:
        if depth > rough:
            continue
        x, y = _toward(turn, cavity - 0.5 * size)
        ridge = ellipse((x, y), (size * 1.3, size * 0.8), -np.degrees(turn), n=12)
        canvas.paint(ridge, Tissue.PAPILLARY, over=(Tissue.LV_BLOOD,))


def _paint_atria(canvas: Canvas, heart: HeartSubject, beyond: float) -> None:
    """Above the valves: left atrium, right atrium and outflow tract, aortic root."""
    shrink = 1 - 0.5 * beyond
    _, whole = heart.radii(1.0)
    middle = np.radians(heart.septum_deg)
    left = ellipse(_toward(middle - 2.4, 5), (whole * 1.02 * shrink, whole * 0.86 * shrink), 25)
    right = right_ventricle(heart, 1.0, whole * 0.9)
    assert right is not None
    right = scaled(right, shrink, (0, 0))
    _paint_mantle(canvas, heart, left, right)
    for room in (right, left):
        size = np.ptp(room, axis=0).max()
        canvas.paint(scaled(room, 1 + 3.0 / size, room.mean(axis=0)), Tissue.RV_WALL)
        canvas.paint(room, Tissue.VEIN)
    # The wall between the right atrium and the outflow tract.
    ends = (0.55 * whole, whole + 32 * heart.right)
    wall = tube([_toward(middle - 0.15, radius) for radius in ends], [2.2, 1.6])
    canvas.paint(wall, Tissue.RV_WALL, over=(Tissue.VEIN,))
    aorta = _toward(middle + 0.05, 0.72 * whole)
    canvas.paint(ellipse(aorta, (15.5, 15.0)), Tissue.RV_WALL)
    canvas.paint(ellipse(aorta, (13.5, 13.0)), Tissue.ARTERY)
