"""Synthetic scanners: what a centre's protocol and machine make of the same anatomy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dgseg.scans.synthetic.tissues import BLOOD, Tissue, column

Anatomy = Literal["cord", "heart"]


@dataclass(frozen=True)
class Scanner:
    """One centre's protocol and machine.

    Attributes
    ----------
    name : str
        Short name; the domain of its scans is ``synthetic-<name>``.
    anatomy : {'cord', 'heart'}
    description : str
        One line, such as a DICOM series description.
    sequence : {'gradient-echo', 'spin-echo', 'bssfp'}
        Which signal equation gives the contrast.
    tr_ms, te_ms, flip_deg : float
        Repetition time, echo time, flip angle.
    inversion_ms : float
        Time from an inversion pulse to the excitation, reconstructed with its
        sign and cut off at zero (PSIR); 0 for none.
    mt : float
        Strength of a magnetisation-transfer pulse, 0 to 1.
    inflow : float
        How much brighter fresh blood is than the equation says, relative.
    fat : float
        Share of the fat's signal that is left, 0 (suppressed) to 1.
    fat_phase_deg : float
        Phase of fat against water at the echo: 180 draws dark rims around fat.
    fat_shift_mm : float
        Chemical shift of fat along the columns.
    spacing_mm : tuple of float
        Height and width of a stored pixel.
    acquired_mm : tuple of float
        Height and width that k-space covers; coarser than `spacing_mm` where
        the scanner interpolates.
    thickness_mm, gap_mm : float
        Slice thickness and the gap between slices.
    n_slices : int
        Slices of a scan unless asked otherwise.
    fov_mm : tuple of float
        Height and width of the image unless asked otherwise.
    coil : {'behind', 'front', 'around'}
        Where the receive coil lies.
    bias : float
        Strength of the coil's shading, 0 to about 1.5.
    front_saturation : float
        Share of the signal that a saturation band takes from the front of the
        neck, 0 to 1.
    noise : float
        Standard deviation of the complex noise, relative to the brightest
        common tissue.
    ghosting : float
        Strength of the ghost at half the field of view along the rows.
    motion_mm : float
        Standard deviation of the displacement between slices.
    banding : float
        Depth of off-resonance bands (bSSFP), 0 to 1.
    texture : float
        Multiplies every tissue's own unevenness.
    intensity : float
        Stored number of the brightest common tissue.
    axes : str
        Directions of the three stored axes as letters of LRAPIS.
    tilt_deg : tuple of float
        Rotation of the slices about the patient's left-right, front-back and
        head-foot axes.
    """

    name: str
    anatomy: Anatomy
    description: str
    sequence: Literal["gradient-echo", "spin-echo", "bssfp"]
    tr_ms: float
    te_ms: float
    flip_deg: float = 90.0
    inversion_ms: float = 0.0
    mt: float = 0.0
    inflow: float = 0.0
    fat: float = 1.0
    fat_phase_deg: float = 0.0
    fat_shift_mm: float = 0.0
    spacing_mm: tuple[float, float] = (0.5, 0.5)
    acquired_mm: tuple[float, float] = (0.6, 0.6)
    thickness_mm: float = 3.0
    gap_mm: float = 0.0
    n_slices: int = 16
    fov_mm: tuple[float, float] = (150.0, 150.0)
    coil: Literal["behind", "front", "around"] = "around"
    bias: float = 0.6
    front_saturation: float = 0.0
    noise: float = 0.02
    ghosting: float = 0.0
    motion_mm: float = 0.1
    banding: float = 0.0
    texture: float = 1.0
    intensity: float = 1000.0
    axes: str = "LAS"
    tilt_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def domain(self) -> str:
        """The name of the centre as training sees it."""
        return f"synthetic-{self.name}"

    @property
    def slice_spacing_mm(self) -> float:
        """From the middle of a slice to the middle of the next."""
        return self.thickness_mm + self.gap_mm


def signals(scanner: Scanner) -> np.ndarray:
    """The signal of every tissue under a scanner's sequence.

    Spoiled gradient echo (Ernst), spin echo, and balanced steady state at
    resonance, as in Bernstein et al., Handbook of MRI Pulse Sequences, 2004.

    Parameters
    ----------
    scanner : Scanner

    Returns
    -------
    ndarray of float32, shape (len(Tissue),)
        Relative to the brightest tissue that is not blood or air; indexed by
        the tissue's value. Fat suppression is not in it, see `fat_fractions`.
    """
    density, t1 = column("proton_density"), column("t1_ms")
    flip = np.radians(scanner.flip_deg)
    e1 = np.exp(-scanner.tr_ms / t1)
    if scanner.sequence == "gradient-echo":
        signal = density * np.sin(flip) * (1 - e1) / (1 - np.cos(flip) * e1)
        signal = signal * np.exp(-scanner.te_ms / column("t2_star_ms"))
    elif scanner.sequence == "spin-echo":
        signal = density * (1 - e1) * np.exp(-scanner.te_ms / column("t2_ms"))
    else:
        e2 = np.exp(-scanner.tr_ms / column("t2_ms"))
        signal = density * np.sin(flip) * (1 - e1)
        signal = signal / (1 - (e1 - e2) * np.cos(flip) - e1 * e2)
        signal = signal * np.exp(-scanner.te_ms / column("t2_ms"))
    if scanner.inversion_ms:
        signal = signal * np.clip(1 - 2 * np.exp(-scanner.inversion_ms / t1), 0, None)
    signal = signal * (1 - scanner.mt * column("mt"))
    brightest = float(np.delete(signal, [int(t) for t in BLOOD]).max())
    signal[[int(t) for t in BLOOD]] *= 1 + scanner.inflow
    return (signal / brightest).astype(np.float32)


def fat_fractions() -> np.ndarray:
    """Share of fat in every tissue: float32, indexed by the tissue's value."""
    shares = np.zeros(len(Tissue), dtype=np.float32)
    shares[Tissue.FAT] = 0.95
    shares[Tissue.MARROW] = 0.40
    shares[Tissue.EPIDURAL] = 0.45
    shares[Tissue.SKIN] = 0.2
    return shares
