"""The synthetic scanners that come with the package."""

from __future__ import annotations

from dgseg.scans.synthetic.scanner import Anatomy, Scanner

_CORD = (
    Scanner(
        "alder", "cord", "T2star multi-echo, neck coil, sharp", "gradient-echo",
        tr_ms=600, te_ms=17, flip_deg=30, mt=0.35, inflow=0.6, fat=0.75, fat_phase_deg=70,
        spacing_mm=(0.5, 0.5), acquired_mm=(0.7, 0.7), thickness_mm=3.0,
        fov_mm=(160, 150), coil="behind", bias=0.8, front_saturation=0.85, noise=0.022,
        ghosting=0.02, intensity=900, axes="LAS", tilt_deg=(8, 0, 1),
    ),
    Scanner(
        "birch", "cord", "T2star, interpolated, flat shading", "gradient-echo",
        tr_ms=750, te_ms=14, flip_deg=35, mt=0.15, inflow=0.3, fat=0.6, fat_phase_deg=115,
        spacing_mm=(0.6, 0.6), acquired_mm=(0.7, 0.8), thickness_mm=3.0,
        fov_mm=(173, 173), coil="around", bias=0.35, noise=0.018, ghosting=0.03,
        intensity=2400, axes="LPS", tilt_deg=(-5, 0, 0),
    ),
    Scanner(
        "cedar", "cord", "T2star, small field, noisy", "gradient-echo",
        tr_ms=520, te_ms=20, flip_deg=25, mt=0.5, inflow=0.3, fat=0.35, fat_phase_deg=180,
        spacing_mm=(0.42, 0.42), acquired_mm=(0.6, 0.7), thickness_mm=3.0,
        fov_mm=(100, 150), coil="behind", bias=1.2, front_saturation=0.5, noise=0.030,
        intensity=380, axes="LAS", tilt_deg=(12, 0, -2),
    ),
    Scanner(
        "elm", "cord", "T2star, thick slices, low grey-white contrast", "gradient-echo",
        tr_ms=480, te_ms=11, flip_deg=28, mt=0.1, inflow=0.2, fat=0.8, fat_phase_deg=40,
        spacing_mm=(0.5, 0.5), acquired_mm=(0.65, 0.75), thickness_mm=5.0, n_slices=14,
        fov_mm=(180, 170), coil="around", bias=0.7, noise=0.014, ghosting=0.02,
        intensity=750, axes="RAS", tilt_deg=(3, 2, 0),
    ),
    Scanner(
        "fir", "cord", "PD-like gradient echo, coarse", "gradient-echo",
        tr_ms=900, te_ms=9, flip_deg=22, mt=0.85, inflow=0.05, fat=0.5, fat_phase_deg=140,
        spacing_mm=(0.7, 0.7), acquired_mm=(0.85, 0.9), thickness_mm=2.5, n_slices=20,
        fov_mm=(180, 180), coil="behind", bias=1.0, noise=0.022, motion_mm=0.2,
        intensity=14000, axes="LAS", tilt_deg=(0, 0, 3),
    ),
    Scanner(
        "maple", "cord", "T1 inversion recovery, old coil, oblique", "gradient-echo",
        tr_ms=4000, te_ms=4.0, flip_deg=90, inversion_ms=1500, inflow=0.5, fat=0.45, fat_phase_deg=150,
        fat_shift_mm=0.9, spacing_mm=(0.55, 0.75), acquired_mm=(0.7, 0.85), thickness_mm=4.0,
        gap_mm=0.4, n_slices=16, fov_mm=(150, 160), coil="behind", bias=1.1, noise=0.024,
        ghosting=0.05, motion_mm=0.3, intensity=190, axes="SPR", tilt_deg=(17, 5, 4),
    ),
)  # fmt: skip

_HEART = (
    Scanner(
        "agate", "heart", "Cine bSSFP 1.5 T", "bssfp", tr_ms=3.0, te_ms=1.5, flip_deg=60, inflow=0.5,
        fat_phase_deg=180, spacing_mm=(1.4, 1.4), acquired_mm=(1.7, 1.9), thickness_mm=8,
        gap_mm=2, n_slices=11, fov_mm=(290, 290), coil="front", bias=0.8, noise=0.012,
        ghosting=0.01, motion_mm=0.8, intensity=600, axes="LPS", tilt_deg=(18, 14, 0),
    ),
    Scanner(
        "basalt", "heart", "Cine bSSFP 3 T, banding", "bssfp", tr_ms=3.4, te_ms=1.6,
        flip_deg=42, inflow=0.9, fat_phase_deg=180, spacing_mm=(1.25, 1.25), acquired_mm=(1.6, 1.7),
        thickness_mm=8, gap_mm=0, n_slices=12, fov_mm=(270, 290), coil="around", bias=0.7,
        noise=0.022, banding=0.8, motion_mm=1.0, intensity=1900, axes="RAS",
        tilt_deg=(20, -10, 5),
    ),
    Scanner(
        "flint", "heart", "Cine bSSFP, thick and soft", "bssfp", tr_ms=3.8, te_ms=1.9,
        flip_deg=50, inflow=0.6, fat_phase_deg=180, spacing_mm=(1.6, 1.6), acquired_mm=(2.2, 2.4),
        thickness_mm=10, gap_mm=0, n_slices=9, fov_mm=(320, 350), coil="front", bias=1.1,
        noise=0.016, ghosting=0.02, motion_mm=1.5, intensity=280, axes="LAS",
        tilt_deg=(12, 16, 0),
    ),
    Scanner(
        "granite", "heart", "Cine bSSFP, bright fat, flat", "bssfp", tr_ms=2.8, te_ms=1.3,
        flip_deg=75, inflow=0.35, fat_phase_deg=180, spacing_mm=(1.5, 1.5), acquired_mm=(1.8, 2.1),
        thickness_mm=8, gap_mm=2, n_slices=10, fov_mm=(300, 330), coil="around", bias=0.35,
        noise=0.02, banding=0.3, motion_mm=0.8, intensity=230, axes="LPS",
        tilt_deg=(22, 8, -4),
    ),
    Scanner(
        "quartz", "heart", "Cine spoiled gradient echo, old coil", "gradient-echo",
        tr_ms=7.5, te_ms=3.2, flip_deg=18, inflow=0.8, fat_phase_deg=180, fat_shift_mm=1.5,
        spacing_mm=(1.5, 1.9), acquired_mm=(2.0, 2.5), thickness_mm=9, gap_mm=1,
        n_slices=10, fov_mm=(300, 320), coil="front", bias=1.5, noise=0.05,
        ghosting=0.07, motion_mm=2.0, intensity=5200, axes="SPR", tilt_deg=(20, 14, 6),
    ),
)  # fmt: skip

SCANNERS: dict[str, Scanner] = {scanner.name: scanner for scanner in _CORD + _HEART}
"""All scanners by name."""

NEW_CENTRE: dict[Anatomy, str] = {"cord": "maple", "heart": "quartz"}
"""For each anatomy the scanner of a centre that no model was trained on: its contrast
and shading differ from those of all others."""

TRAINING_SCANNERS: dict[Anatomy, tuple[str, ...]] = {
    "cord": tuple(s.name for s in _CORD if s.name != NEW_CENTRE["cord"]),
    "heart": tuple(s.name for s in _HEART if s.name != NEW_CENTRE["heart"]),
}
"""For each anatomy the scanners that a general model may be trained on."""
