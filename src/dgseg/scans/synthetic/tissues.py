"""Tissues of the synthetic anatomy: what they are, and how they answer to a scanner."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Tissue(IntEnum):
    """What fills a point of the synthetic body: the values of a `Canvas`."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    CORTEX = 4
    MARROW = 5
    DISC = 6
    LIGAMENT = 7
    ARTERY = 8
    VEIN = 9
    GLAND = 10
    CARTILAGE = 11
    MUCOSA = 12
    CSF = 13
    DURA = 14
    NERVE = 15
    EPIDURAL = 16
    WHITE_MATTER = 17
    GREY_MATTER = 18
    LV_BLOOD = 19
    PAPILLARY = 20
    MYOCARDIUM = 21
    RV_BLOOD = 22
    TRABECULA = 23
    RV_WALL = 24
    LUNG = 25
    LIVER = 26
    SPLEEN = 27
    BOWEL = 28


@dataclass(frozen=True)
class Properties:
    """Magnetic properties of one tissue at 3 T.

    Attributes
    ----------
    proton_density : float
        Relative to water, 0 to 1.
    t1_ms, t2_ms, t2_star_ms : float
        Relaxation times.
    mt : float
        Fraction of the signal that a full magnetisation-transfer pulse takes.
    texture : float
        Standard deviation of the tissue's own unevenness, relative to its mean.
    """

    proton_density: float
    t1_ms: float
    t2_ms: float
    t2_star_ms: float
    mt: float = 0.0
    texture: float = 0.05


PROPERTIES: dict[Tissue, Properties] = {
    Tissue.AIR: Properties(0.0, 1000, 1, 1, 0, 0),
    Tissue.SKIN: Properties(0.75, 900, 30, 14, 0.2, 0.12),
    Tissue.FAT: Properties(0.90, 380, 68, 32, 0.0, 0.10),
    Tissue.MUSCLE: Properties(0.76, 1400, 33, 21, 0.45, 0.09),
    Tissue.CORTEX: Properties(0.12, 400, 2, 0.8, 0, 0.2),
    Tissue.MARROW: Properties(0.62, 580, 50, 7.0, 0.1, 0.18),
    Tissue.DISC: Properties(0.70, 1000, 60, 16, 0.3, 0.15),
    Tissue.LIGAMENT: Properties(0.45, 900, 12, 7, 0.3, 0.15),
    Tissue.ARTERY: Properties(0.90, 1900, 180, 55, 0.05, 0.04),
    Tissue.VEIN: Properties(0.90, 1900, 150, 32, 0.05, 0.06),
    Tissue.GLAND: Properties(0.82, 1300, 70, 36, 0.25, 0.10),
    Tissue.CARTILAGE: Properties(0.50, 1000, 30, 9, 0.25, 0.15),
    Tissue.MUCOSA: Properties(0.80, 1500, 60, 26, 0.2, 0.12),
    Tissue.CSF: Properties(1.00, 4000, 1800, 300, 0.0, 0.03),
    Tissue.DURA: Properties(0.40, 900, 15, 6, 0.3, 0.10),
    Tissue.NERVE: Properties(0.80, 1100, 78, 32, 0.25, 0.05),
    Tissue.EPIDURAL: Properties(0.88, 600, 75, 28, 0.1, 0.20),
    Tissue.WHITE_MATTER: Properties(0.70, 950, 70, 37, 0.36, 0.025),
    Tissue.GREY_MATTER: Properties(0.80, 1250, 76, 45, 0.24, 0.025),
    Tissue.LV_BLOOD: Properties(0.95, 1700, 190, 60, 0.0, 0.035),
    Tissue.PAPILLARY: Properties(0.78, 1150, 46, 28, 0.3, 0.06),
    Tissue.MYOCARDIUM: Properties(0.78, 1150, 46, 28, 0.3, 0.06),
    Tissue.RV_BLOOD: Properties(0.95, 1700, 180, 52, 0.0, 0.05),
    Tissue.TRABECULA: Properties(0.80, 1150, 60, 28, 0.3, 0.06),
    Tissue.RV_WALL: Properties(0.78, 1150, 48, 28, 0.3, 0.08),
    Tissue.LUNG: Properties(0.16, 1200, 30, 1.5, 0, 0.35),
    Tissue.LIVER: Properties(0.76, 800, 34, 20, 0.35, 0.08),
    Tissue.SPLEEN: Properties(0.80, 1300, 60, 25, 0.3, 0.06),
    Tissue.BOWEL: Properties(0.70, 1100, 60, 20, 0.2, 0.25),
}
"""Rounded from published 3 T values (de Bazelaire et al., Radiology 2004; Stanisz et
al., MRM 2005; Smith et al., MRM 2008, for the cervical cord), bone marrow and lung
with the short T2* that trabeculae and air-tissue borders give them."""

BLOOD = (Tissue.ARTERY, Tissue.VEIN, Tissue.LV_BLOOD, Tissue.RV_BLOOD)
"""Tissues that flow in fresh and so are brighter in gradient-echo images."""

CORD_LABELS = {Tissue.GREY_MATTER: 1, Tissue.WHITE_MATTER: 2}
"""Values of `dgseg.scans.schema.SPINAL_GM`."""

HEART_LABELS = {
    Tissue.LV_BLOOD: 1,
    Tissue.PAPILLARY: 1,
    Tissue.MYOCARDIUM: 2,
    Tissue.RV_BLOOD: 3,
    Tissue.TRABECULA: 3,
}
"""Values of `dgseg.scans.schema.CARDIAC`: papillary muscles and trabeculae count as
cavity, as in the M&Ms and ACDC challenges."""


def column(name: str) -> np.ndarray:
    """One property of all tissues, indexed by the tissue's value.

    Parameters
    ----------
    name : str
        A field of `Properties`.

    Returns
    -------
    ndarray of float32, shape (len(Tissue),)
    """
    values = [getattr(PROPERTIES[tissue], name) for tissue in Tissue]
    return np.array(values, dtype=np.float32)
