"""The chest around the heart in short axis: lungs, wall and ribs, liver, stomach, aorta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dgseg.scans.synthetic.heart import HeartSubject
from dgseg.scans.synthetic.shapes import Canvas, Points, Warp, ellipse, smooth, tube
from dgseg.scans.synthetic.tissues import Tissue

_SKIN = np.array(
    [(-86, -42), (-62, -90), (-12, -112), (52, -106), (108, -66), (136, 0), (136, 70),
     (112, 136), (20, 166), (-60, 156), (-98, 84), (-100, 10)], dtype=float,
)  # fmt: skip
_CAVITY = np.array(
    [(-58, -38), (-40, -64), (-4, -80), (46, -74), (84, -42), (104, 8), (104, 72),
     (80, 120), (18, 136), (-44, 124), (-72, 66), (-70, 4)], dtype=float,
)  # fmt: skip
"""The skin and the inner wall of the chest, image right is the patient's left."""


@dataclass(frozen=True)
class ChestSubject:
    """What is particular to one person's chest.

    Attributes
    ----------
    size : float
        Relative to the mean.
    fat_mm : float
        Thickness of the fat under the skin.
    diaphragm_mm : float
        Height at which the liver's dome begins below the heart.
    vessels : ndarray, shape (n, 3)
        Vessels of the lungs: x, y, radius in millimetres.
    folds : ndarray, shape (n, 4)
        Bowel and stomach: x, y, radius in millimetres, and brightness class.
    turn_deg : float
        Rotation of the whole image plane.
    warp : Warp
    """

    size: float
    fat_mm: float
    diaphragm_mm: float
    vessels: np.ndarray
    folds: np.ndarray
    turn_deg: float
    warp: Warp

    @classmethod
    def draw(cls, rng: np.random.Generator) -> ChestSubject:
        """A person at random."""
        n = 110
        vessels = np.stack(
            [rng.uniform(-80, 110, n), rng.uniform(-90, 120, n), rng.gamma(2.2, 0.45, n) + 0.5],
            axis=1,
        )
        m = 26
        folds = np.stack(
            [rng.uniform(-25, 75, m), rng.uniform(62, 135, m), rng.uniform(6, 15, m),
             rng.integers(0, 3, m)], axis=1,
        )  # fmt: skip
        return cls(
            size=rng.uniform(0.92, 1.08),
            fat_mm=rng.uniform(6.0, 20.0),
            diaphragm_mm=rng.uniform(33.0, 41.0),
            vessels=vessels,
            folds=folds,
            turn_deg=rng.normal(0, 9),
            warp=Warp(rng, 5.0, calm_mm=80.0, wavelength_mm=(130.0, 260.0)),
        )

    def move(self, points: Points, z_mm: float, heart: HeartSubject) -> Points:
        """From the anatomy's own plane to the image's, in millimetres."""
        c, s = np.cos(np.radians(self.turn_deg)), np.sin(np.radians(self.turn_deg))
        moved = self.warp(heart.warp(points, z_mm), z_mm)
        result: Points = moved @ np.array([[c, s], [-s, c]])
        return result


def render_chest(canvas: Canvas, chest: ChestSubject, heart: HeartSubject, z_mm: float) -> None:
    """Paint everything around the heart.

    Parameters
    ----------
    canvas : Canvas
        An empty slice.
    chest, heart : ChestSubject, HeartSubject
    z_mm : float
        Height towards the base of the heart, from the middle of the scan.
    """
    height = heart.height(z_mm)
    # Towards the apex the plane comes nearer to the chest wall and the belly.
    drop = float(np.clip(0.5 - height, -0.6, 0.9))
    shift = np.array([-10.0, 10.0]) * drop
    skin = smooth(_SKIN * chest.size + shift)
    reach = np.linalg.norm(skin, axis=1, keepdims=True)
    canvas.paint(skin, Tissue.SKIN)
    canvas.paint(skin * (1 - 2.0 / reach), Tissue.FAT)
    wall = skin * (1 - (chest.fat_mm + 3.0) / reach)
    canvas.paint(wall, Tissue.MUSCLE)
    cavity = smooth(_CAVITY * chest.size + shift)
    _paint_ribs(canvas, skin, cavity, z_mm)
    canvas.paint(cavity * 1.035, Tissue.FAT)
    canvas.paint(cavity, Tissue.LUNG)
    _paint_mediastinum(canvas, height)
    vessels = chest.vessels + np.array([0.0, 0.25 * z_mm, 0.0])
    canvas.paint_spots(vessels, Tissue.VEIN, over=(Tissue.LUNG,))
    _paint_belly(canvas, chest, drop)
    _paint_spine(canvas)


def _paint_ribs(canvas: Canvas, skin: Points, cavity: Points, z_mm: float) -> None:
    """Ribs cut slantwise, with muscle and fat between them."""
    middle = 0.72 * cavity + 0.28 * skin
    n = len(middle)
    for i in range(8):
        start = int((i * n / 8 + z_mm * 0.12) % n)
        index = (start + np.arange(5)) % n
        widths = np.array([0.6, 3.2, 3.8, 3.2, 0.6])
        canvas.paint(tube(middle[index], widths + 1.6), Tissue.FAT, (Tissue.MUSCLE,))
        canvas.paint(tube(middle[index], widths), Tissue.CORTEX)
        canvas.paint(tube(middle[index], widths * 0.62), Tissue.MARROW)


def _paint_mediastinum(canvas: Canvas, height: float) -> None:
    """The fat that joins the heart to the breast bone and to the diaphragm."""
    near = float(np.clip(height, 0.0, 1.0))
    full = np.array(
        [(-70, -44), (-44, -66), (-14, -52), (-6, 0), (-30, 44), (-60, 52), (-82, 20)],
        dtype=float,
    )
    corner = np.array([-66.0, 30.0])
    front = smooth(corner + (full - corner) * (0.4 + 0.6 * near))
    canvas.paint(front, Tissue.FAT, over=(Tissue.LUNG,))
    foot = smooth([(-60, 20), (0, 24), (28 + 8 * near, 36), (20, 60), (-60, 60)])
    canvas.paint(foot, Tissue.FAT, over=(Tissue.LUNG,))


def _paint_spine(canvas: Canvas) -> None:
    """A vertebra and the descending aorta beside it, at the back."""
    canvas.paint(ellipse((28, 112), (30, 26)), Tissue.MUSCLE)
    canvas.paint(ellipse((26, 104), (19, 16)), Tissue.CORTEX)
    canvas.paint(ellipse((26, 104), (17.5, 14.5)), Tissue.MARROW)
    canvas.paint(ellipse((27, 126), (8, 7)), Tissue.CSF)
    canvas.paint(ellipse((27, 126), (4.5, 3.5)), Tissue.WHITE_MATTER)
    canvas.paint(ellipse((44, 82), (12.5, 12.5)), Tissue.FAT)
    canvas.paint(ellipse((44, 82), (10.5, 10.5)), Tissue.RV_WALL)
    canvas.paint(ellipse((44, 82), (9.5, 9.5)), Tissue.ARTERY)


def _paint_belly(canvas: Canvas, chest: ChestSubject, drop: float) -> None:
    """Below the diaphragm: liver on the patient's right, stomach and spleen on the left."""
    dome = chest.diaphragm_mm - 14 * drop
    inside = (Tissue.LUNG, Tissue.VEIN, Tissue.FAT, Tissue.ARTERY, Tissue.RV_WALL)
    lung = (Tissue.LUNG, Tissue.VEIN)
    low = np.array(
        [(-78, dome - 6), (-45, dome - 8), (-10, dome + 1), (30, dome + 6), (62, dome + 20),
         (72, dome + 60), (40, dome + 96), (-20, dome + 100), (-70, dome + 70),
         (-84, dome + 30)]
    )  # fmt: skip
    belly = smooth(low)
    canvas.paint(belly + np.array([0.0, -1.8]), Tissue.MUSCLE, over=lung)
    canvas.paint(belly, Tissue.FAT, over=(*lung, Tissue.MUSCLE))
    liver = smooth(
        [(-80, dome), (-46, dome - 5), (-14, dome + 4), (10, dome + 12), (2, dome + 26),
         (-14, dome + 48), (-40, dome + 62), (-72, dome + 52), (-84, dome + 24)]
    )  # fmt: skip
    for x, y, radius, kind in chest.folds:
        spot = (x, max(y, dome + 12 + radius) - 8 * drop)
        rim = ellipse(spot, (radius, radius * 0.8), x)
        canvas.paint(rim, Tissue.BOWEL, over=(Tissue.FAT,))
        core = (Tissue.GLAND, Tissue.AIR, Tissue.SPLEEN)[int(kind)]
        canvas.paint(ellipse(spot, (radius * 0.7, radius * 0.5), x), core, (Tissue.BOWEL,))
    canvas.paint(liver, Tissue.LIVER, over=(*inside, Tissue.BOWEL, Tissue.GLAND, Tissue.AIR))
    for x, y, radius in chest.vessels[:16]:
        spot = (0.42 * x - 45, dome + 26 + 0.22 * y)
        vein = ellipse(spot, (1.6 * radius, radius), 3 * x, n=12)
        canvas.paint(vein, Tissue.VEIN, over=(Tissue.LIVER,))
