"""The neck around the spinal canal: vertebrae, muscles, fat, airway, vessels, jaw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dgseg.scans.synthetic.cord import CordSubject, sac_outline
from dgseg.scans.synthetic.shapes import (
    Canvas,
    Points,
    ellipse,
    scaled,
    smooth,
    symmetric,
    tube,
)
from dgseg.scans.synthetic.tissues import Tissue

_LOW_OUTLINE = np.array(
    [(0, -66), (20, -65), (40, -52), (54, -28), (59, 0), (54, 28), (37, 47), (16, 56), (0, 57)],
    dtype=float,
)
_HIGH_OUTLINE = np.array(
    [
        (0, -104),
        (26, -97),
        (46, -74),
        (57, -44),
        (61, -8),
        (57, 24),
        (38, 46),
        (16, 56),
        (0, 56),
    ],
    dtype=float,
)
"""Half outlines of the skin at C6 and at the height of the jaw."""

_MUSCLES: tuple[tuple[tuple[float, float], ...], ...] = (
    # trapezius
    ((1.6, 44.5), (1.8, 49), (18, 48), (34, 38.5), (43, 28), (40, 26.5), (29, 36), (14, 43.5)),
    # splenius
    (
        (1.8, 36),
        (2.2, 42.5),
        (14, 41.5),
        (27, 34.5),
        (38, 24),
        (36.5, 18.5),
        (28, 25.5),
        (15, 34),
    ),
    # semispinalis capitis
    ((1.8, 26.5), (2, 34.5), (13, 32.5), (25, 24.5), (31, 17.5), (27, 14), (17, 20), (8, 24.5)),
    # semispinalis cervicis and multifidus
    ((3.6, 14.5), (2.4, 25), (8, 23), (16, 18), (24, 12.5), (21, 7), (13.5, 8), (7.5, 11.5)),
    # longissimus
    ((27, 8), (29, 14), (33.5, 17.5), (37.5, 14), (36, 7.5), (31, 5)),
    # levator scapulae
    ((38, 1), (38.5, 14), (42.5, 21), (50, 12), (51, 1), (44.5, -4.5)),
    # scalenes
    ((25, -14), (24.5, -4), (30, 3), (36.5, -2), (38.5, -12), (32, -18)),
    # longus colli
    ((2.5, -29.5), (5, -27.2), (11, -25), (15, -26.5), (13, -31), (7, -32.5)),
)
"""Bellies behind and beside the spine, right half of the image."""

_FAT_PADS: tuple[tuple[tuple[float, float], ...], ...] = (
    # posterior triangle of the neck
    ((38, -4), (40, -11), (49, -6), (54, 4), (51, 17), (46, 21), (46, 4)),
    # around the great vessels
    ((20, -36), (24, -41), (34, -39), (38, -30), (37, -19), (30, -21), (21, -28)),
    # between the deep and the middle layer behind the spine
    ((9, 21), (10, 24.5), (20, 20.5), (27, 15), (26, 12), (17, 17)),
)
"""Fat between the muscles, right half of the image."""

_STERNOMASTOID = ((37, -36), (36, -26), (42, -15), (50, -9), (54, -17), (51, -29), (45, -38))
_STRAPS = ((4, -60), (6, -56.5), (16, -54), (24, -49), (25, -53), (17, -59))
_MASSETER = ((47, -70), (45, -58), (49, -42), (55, -40), (55.5, -52), (52, -66))
_PTERYGOID = ((27, -58), (30, -48), (38, -42), (40, -52), (36, -63), (30, -65))


@dataclass(frozen=True)
class NeckSubject:
    """What is particular to one person's neck.

    Attributes
    ----------
    width, depth : float
        Size of the neck relative to the mean.
    fat_mm : float
        Thickness of the fat under the skin at the side; more at the back.
    muscle : float
        Size of the muscle bellies within their beds, near 1.
    vessels : ndarray, shape (n, 3)
        Small vessels: x, y and radius in millimetres.
    plexus : ndarray, shape (n, 3)
        Veins behind and beside the spine: x, y, radius in millimetres.
    body_tone : float
        0 to 1: how much of a vertebral body reads as marrow rather than dense bone.
    """

    width: float
    depth: float
    fat_mm: float
    muscle: float
    vessels: np.ndarray
    plexus: np.ndarray
    body_tone: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> NeckSubject:
        """A person at random."""
        n = 44
        angle = rng.uniform(0, 2 * np.pi, n)
        reach = rng.uniform(24, 52, n)
        vessels = np.stack(
            [reach * np.cos(angle), reach * np.sin(angle), rng.gamma(3.0, 0.3, n) + 0.35],
            axis=1,
        )
        sides = rng.choice([-1, 1], 22)
        behind = rng.uniform(8, 27, 9)
        beside = rng.uniform(18, 46, 13)
        plexus = np.stack(
            [
                np.concatenate([behind, beside]) * sides,
                np.concatenate([29.5 - 0.58 * behind, rng.uniform(-36, -10, 13)])
                + rng.normal(0, 1.2, 22),
                rng.uniform(0.5, 1.3, 22),
            ],
            axis=1,
        )
        return cls(
            width=rng.uniform(0.86, 1.10),
            depth=rng.uniform(0.90, 1.08),
            fat_mm=rng.uniform(2.0, 6.0),
            muscle=rng.uniform(0.92, 0.97),
            vessels=vessels,
            plexus=plexus,
            body_tone=rng.uniform(0.7, 0.95),
        )


def render_neck(canvas: Canvas, cord: CordSubject, neck: NeckSubject, z_mm: float) -> None:
    """Paint everything around the dural sac.

    Parameters
    ----------
    canvas : Canvas
        An empty slice.
    cord, neck : CordSubject, NeckSubject
    z_mm : float
        Height of the slice, upwards from the middle of the scan.
    """
    level = cord.level_at(z_mm)
    jaw = float(np.clip((3.9 - level) / 1.3, 0.0, 1.0))
    stretch = np.array([neck.width, neck.depth])
    _paint_soft_tissue(canvas, neck, jaw, stretch)
    if jaw > 0.15:
        _paint_jaw(canvas, jaw, stretch)
    _paint_airway(canvas, level, jaw)
    _paint_vessels(canvas, neck, level, jaw)
    _paint_vertebra(canvas, cord, neck, level)


def _paint_soft_tissue(
    canvas: Canvas, neck: NeckSubject, jaw: float, stretch: np.ndarray
) -> None:
    outline = symmetric(_LOW_OUTLINE + jaw * (_HIGH_OUTLINE - _LOW_OUTLINE)) * stretch
    skin = smooth(outline)
    canvas.paint(skin, Tissue.SKIN)
    reach = np.linalg.norm(skin, axis=1, keepdims=True)
    canvas.paint(skin * (1 - 1.7 / reach), Tissue.FAT)
    under = neck.fat_mm + 2.0 + 2.0 * np.clip(skin[:, 1:] / 55, 0, 1)
    canvas.paint(skin * (1 - under / reach), Tissue.MUSCLE)
    for pad in _FAT_PADS:
        canvas.paint_pair(smooth(pad) * stretch, Tissue.FAT)
    bellies = [*_MUSCLES, _STERNOMASTOID] + ([_STRAPS] if jaw < 0.6 else [])
    for muscle in bellies:
        belly = smooth(muscle) * stretch
        centre = belly.mean(axis=0)
        canvas.paint_pair(scaled(belly, (1.03, 1.06), centre), Tissue.FAT)
        canvas.paint_pair(scaled(belly, neck.muscle, centre), Tissue.MUSCLE)
    for x, y, radius in neck.plexus:
        spot = np.array([(x, y)]) * stretch + ellipse(
            (0, 0), (1.7 * radius, radius), 35 * x, 14
        )
        canvas.paint(spot, Tissue.VEIN)
    canvas.paint(tube([(0, 24), (0, 36), (0, 49)], [1.6, 0.9, 1.4]), Tissue.FAT)
    canvas.paint(tube([(0, 22), (0.3, 36), (0, 49)], [0.9, 0.35, 0.5]), Tissue.LIGAMENT)


def _paint_jaw(canvas: Canvas, jaw: float, stretch: np.ndarray) -> None:
    lift = np.array([1.0, 0.72 + 0.28 * jaw]) * stretch
    front = smooth(symmetric([(0, -97), (20, -91), (36, -72), (36, -58), (20, -48), (0, -47)]))
    canvas.paint(front * lift, Tissue.FAT)
    tongue = symmetric(
        [(0, -88), (13, -86), (24, -73), (28, -59), (19, -49.5), (7, -47.5), (0, -47.5)]
    )
    canvas.paint(smooth(tongue) * lift, Tissue.MUSCLE)
    canvas.paint(tube([(0, -84), (0, -66), (0, -52)], [0.8, 0.5, 0.3]) * lift, Tissue.FAT)
    for muscle in (_MASSETER, _PTERYGOID):
        belly = smooth(muscle) * lift
        canvas.paint_pair(scaled(belly, 1.06, belly.mean(axis=0)), Tissue.FAT)
        canvas.paint_pair(belly, Tissue.MUSCLE)
    gland = smooth([(47, -38), (44, -26), (49, -20), (54, -26), (54, -36), (51, -41)])
    canvas.paint_pair(gland * stretch, Tissue.GLAND)
    if jaw > 0.5:
        ramus = smooth([(41.5, -40), (39, -50), (36, -63), (38.5, -68), (42.5, -57), (44, -43)])
        canvas.paint_pair(ramus * lift, Tissue.CORTEX)
        inner = scaled(ramus, (0.5, 0.82), ramus.mean(axis=0))
        canvas.paint_pair(inner * lift, Tissue.GLAND)
    bone = np.array([(37, -66), (34, -76), (26, -87), (14, -95), (0, -98)])
    path = np.vstack([bone, (bone * np.array([-1, 1]))[-2::-1]]) * lift
    canvas.paint(tube(path, np.full(len(path), 2.6)), Tissue.CORTEX)
    canvas.paint(tube(path, np.full(len(path), 1.3)), Tissue.GLAND)
    if jaw > 0.7:
        for a in np.radians(np.linspace(8, 172, 14)):
            tooth = ellipse((31.5 * np.cos(a), -68 - 25 * np.sin(a)), (3.3, 3.0), n=14)
            canvas.paint(tooth * lift, Tissue.CORTEX)
            pulp = ellipse((31.5 * np.cos(a), -68 - 25 * np.sin(a)), (0.9, 0.9), n=10)
            canvas.paint(pulp * lift, Tissue.MARROW)


def _paint_airway(canvas: Canvas, level: float, jaw: float) -> None:
    if level < 4.3:
        width = 13.0 + 2.0 * np.sin(level * 5)
        crescent = np.array(
            [(0, -44.5), (0.6, -44.5), (1.0, -41), (0.62, -37.2), (0, -36)]
        ) * np.array([width, 1.0])
        air = smooth(symmetric(crescent))
        centre = (0.0, -40.5)
        canvas.paint(scaled(air, (1.25, 1.55), centre), Tissue.MUCOSA)
        canvas.paint(air, Tissue.AIR)
        if jaw < 0.5:
            hyoid = [
                (20, -44),
                (17, -54),
                (8, -60),
                (0, -61),
                (-8, -60),
                (-17, -54),
                (-20, -44),
            ]
            canvas.paint(tube(hyoid, [0.7, 1.0, 1.2, 1.4, 1.2, 1.0, 0.7]), Tissue.CORTEX)
        return
    growth = float(np.clip((level - 4.3) / 0.8, 0, 1))
    radii = (5.5 + 3 * growth, 8.5)
    canvas.paint_pair(ellipse((14.5, -42), (6.5, 8.5 * growth + 1), 12), Tissue.GLAND)
    canvas.paint(ellipse((0, -47), (radii[0] + 5.0, radii[1] + 4.0)), Tissue.MUCOSA)
    canvas.paint(ellipse((0, -47), (radii[0] + 2.2, radii[1] + 2.2)), Tissue.CARTILAGE)
    canvas.paint(ellipse((0, -47), radii), Tissue.AIR)
    canvas.paint(ellipse((3.0 * growth, -35.2), (5.5, 2.6)), Tissue.MUSCLE)
    canvas.paint(ellipse((3.0 * growth, -35.2), (2.5, 0.7)), Tissue.MUCOSA)


def _paint_vessels(canvas: Canvas, neck: NeckSubject, level: float, jaw: float) -> None:
    canvas.paint_spots(neck.vessels, Tissue.VEIN, over=(Tissue.FAT,))
    spread = 25 + 3 * jaw
    for side in (1.0, -1.0):
        vein = 4.8 if side > 0 else 3.9
        canvas.paint(ellipse((side * (spread + 7), -30), (vein, vein - 1.1), 20), Tissue.VEIN)
        canvas.paint(ellipse((side * spread, -33), (3.2, 3.2)), Tissue.ARTERY)
        if level < 4.0:
            canvas.paint(ellipse((side * (spread - 3), -39), (2.1, 2.1)), Tissue.ARTERY)
        node = ellipse((side * (spread + 12), -20), (3.0, 1.8), 30 * side, n=16)
        canvas.paint(node, Tissue.GLAND, over=(Tissue.FAT,))


def _paint_vertebra(canvas: Canvas, cord: CordSubject, neck: NeckSubject, level: float) -> None:
    """The canal's walls: which part of a vertebra depends on the height within it."""
    phase = level - np.floor(level + 0.5)
    bony = float(np.clip(1.6 - 4.2 * abs(phase), 0.0, 1.0))
    sac = sac_outline(cord, level)
    if level < 1.75:
        _paint_atlas(canvas)
    else:
        _paint_body(canvas, neck, bony)
    front, back = float(sac[:, 1].min()), float(sac[:, 1].max())
    side = float(sac[:, 0].max())
    _paint_arch(canvas, side, back, bony, level)
    for left in (1.0, -1.0):
        _paint_foramen(canvas, left, side, front, bony)
    loose = 1.15 - 0.09 * bony
    canvas.paint(scaled(sac, (loose, 0.5 + 0.5 * loose), (0, -0.4)), Tissue.EPIDURAL)
    fat = ellipse((0, back + 0.7), (2.2 - bony, 1.1), n=16)
    canvas.paint(fat, Tissue.EPIDURAL)


def _paint_body(canvas: Canvas, neck: NeckSubject, bony: float) -> None:
    half = ((0, -25.5), (7, -25.2), (10.5, -21), (10.8, -14.5), (8, -10), (0, -8.6))
    body = smooth(symmetric(half))
    centre = (0.0, -17.0)
    canvas.paint(scaled(body, 1.06, centre), Tissue.CORTEX)
    if bony > 0.25:
        canvas.paint(body, Tissue.CORTEX)
        canvas.paint(scaled(body, 0.86 * neck.body_tone + 0.08, centre), Tissue.MARROW)
    else:
        canvas.paint(body, Tissue.LIGAMENT)
        canvas.paint(scaled(body, 0.86, centre), Tissue.DISC)


def _paint_atlas(canvas: Canvas) -> None:
    """The dens behind the arch of C1, and the lateral masses."""
    for side in (1.0, -1.0):
        mass = smooth([(8, -22), (8.5, -12), (13, -6), (22, -7), (25, -14), (18, -22)])
        mass = mass * np.array([side, 1.0])
        canvas.paint(mass, Tissue.CORTEX)
        canvas.paint(scaled(mass, 0.8, mass.mean(axis=0)), Tissue.MARROW)
    arch = [(12, -20), (7, -25), (0, -27), (-7, -25), (-12, -20)]
    canvas.paint(tube(arch, [2.0, 2.4, 2.8, 2.4, 2.0]), Tissue.CORTEX)
    canvas.paint(ellipse((0, -18.0), (6.3, 6.0)), Tissue.EPIDURAL)
    canvas.paint(ellipse((0, -18.0), (5.2, 5.0)), Tissue.CORTEX)
    canvas.paint(ellipse((0, -18.0), (3.6, 3.4)), Tissue.MARROW)


def _paint_arch(canvas: Canvas, side: float, back: float, bony: float, level: float) -> None:
    """Articular pillars, laminae and the spinous process; between them the ligaments."""
    pillar = smooth(
        [(side + 1, -8), (side + 0.5, 2), (side + 4.5, 6), (side + 10, 2.5), (side + 10, -5),
         (side + 5.5, -10)]
    )  # fmt: skip
    canvas.paint_pair(pillar, Tissue.CORTEX)
    marrow = scaled(pillar, 0.55 + 0.2 * bony, pillar.mean(axis=0))
    canvas.paint_pair(marrow, Tissue.MARROW)
    thickness = 1.6 + 1.5 * bony
    path: list[tuple[float, float]] = [
        (side + 3, 0.5), (side * 0.86 + 1.5, back * 0.55), (side * 0.5, back * 0.98 + 1),
        (0.0, back + 3.2),
    ]  # fmt: skip
    widths = np.array([1.25, 1.0, 0.9, 0.95]) * thickness
    canvas.paint(_interspinous(back, bony), Tissue.LIGAMENT)
    lamina = Tissue.CORTEX if bony > 0.3 else Tissue.LIGAMENT
    canvas.paint_pair(tube(path, widths), lamina)
    if bony > 0.55:
        canvas.paint_pair(tube(path, widths * 0.3), Tissue.MARROW)
    length = (7.0 + 2.0 * (level > 5.5) * (level - 5.5)) * (0.5 + 0.5 * bony)
    spine = [(0.0, back + 2.0), (0.0, back + 2 + length * 0.6), (0.0, back + 2 + length)]
    canvas.paint(tube(spine, [2.5, 1.6, 2.1]), lamina)
    if bony > 0.7:
        fork = tube([(0.6, back + length + 1), (2.6, back + length + 4)], [1.5, 1.1])
        canvas.paint_pair(fork, lamina)


def _interspinous(back: float, bony: float) -> Points:
    """The ligaments between the spinous processes, a dark wedge behind the arch."""
    reach = 9.0 + 7.0 * bony
    half = [
        (0.0, back + 0.5),
        (5.5, back + 2.0),
        (3.6, back + 0.5 * reach),
        (1.4, back + reach),
        (0.0, back + reach + 2.5),
    ]
    return smooth(symmetric(half))


def _paint_foramen(canvas: Canvas, left: float, side: float, front: float, bony: float) -> None:
    """The transverse process around the vertebral artery, or the nerve on its way out."""

    def mirror(points: Points) -> Points:
        return points * np.array([left, 1.0])

    centre = (side + 4.5, front - 5.5)
    if bony > 0.45:
        front_tubercle = tube([(side - 2, front - 8), (side + 3.5, front - 10)], [2.2, 1.5])
        canvas.paint(mirror(front_tubercle), Tissue.CORTEX)
        back_tubercle = tube(
            [(side - 3, front - 1), (side + 3, front + 0.5), (side + 9.5, front - 3.5)],
            [2.4, 2.4, 1.6],
        )
        canvas.paint(mirror(back_tubercle), Tissue.CORTEX)
        canvas.paint(mirror(ellipse(centre, (3.7, 3.4))), Tissue.EPIDURAL)
    else:
        path = [(side - 2.5, front + 4.0), (side + 2.5, front + 0.5), (side + 9, front - 4)]
        canvas.paint(mirror(tube(path, [2.0, 2.8, 2.2])), Tissue.EPIDURAL)
        canvas.paint(mirror(tube(path, [1.0, 1.9, 1.5])), Tissue.NERVE)
    radius = 2.2 if left > 0 else 1.9
    canvas.paint(mirror(ellipse(centre, (radius, radius), n=20)), Tissue.ARTERY)
