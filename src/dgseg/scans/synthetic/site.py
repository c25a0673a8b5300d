"""Whole synthetic sites: scans of several people under one scanner, and their files."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.synthetic.acquisition import Painter, acquire
from dgseg.scans.synthetic.catalogue import NEW_CENTRE, SCANNERS, TRAINING_SCANNERS
from dgseg.scans.synthetic.chest import ChestSubject, render_chest
from dgseg.scans.synthetic.cord import CordSubject, render_cord
from dgseg.scans.synthetic.heart import HeartSubject, render_heart
from dgseg.scans.synthetic.neck import NeckSubject, render_neck
from dgseg.scans.synthetic.scanner import Anatomy, Scanner
from dgseg.scans.synthetic.shapes import Canvas
from dgseg.scans.synthetic.tissues import CORD_LABELS, HEART_LABELS

__all__ = ["NEW_CENTRE", "SCANNERS", "TRAINING_SCANNERS", "make_site", "write_site"]


def make_site(
    anatomy: Anatomy,
    scanner: str | Scanner,
    n_scans: int,
    seed: int,
    *,
    n_slices: int | None = None,
    shape: tuple[int, int] | None = None,
) -> list[AnnotatedScan]:
    """Scan several synthetic people at one centre.

    Parameters
    ----------
    anatomy : {'cord', 'heart'}
    scanner : str or Scanner
        A name out of `SCANNERS`, or a scanner of your own.
    n_scans : int
        Number of people, one scan of each.
    seed : int
        The same arguments give the same scans, to the last bit.
    n_slices : int, optional
        Instead of the scanner's own number.
    shape : tuple of int, optional
        Rows and columns in pixels instead of the scanner's field of view; the
        pixels keep their size, so that a small image is a cut-out around the
        structure of interest.

    Returns
    -------
    list of AnnotatedScan
        Wholly labelled, in memory, on the scanner's own oblique and flipped grid.

    Raises
    ------
    ValueError
        If the scanner is unknown or images another anatomy.
    """
    machine = _scanner(anatomy, scanner)
    name = zlib.crc32(machine.domain.encode())
    rngs = [np.random.default_rng([seed, name, i]) for i in range(n_scans)]
    return [_scan_one(machine, i, rng, n_slices, shape) for i, rng in enumerate(rngs)]


def _scanner(anatomy: Anatomy, scanner: str | Scanner) -> Scanner:
    if isinstance(scanner, str):
        if scanner not in SCANNERS:
            raise ValueError(f"unknown scanner {scanner!r}; there are {', '.join(SCANNERS)}")
        scanner = SCANNERS[scanner]
    if scanner.anatomy != anatomy:
        raise ValueError(f"scanner {scanner.name!r} images the {scanner.anatomy}")
    return scanner


def _scan_one(
    scanner: Scanner,
    index: int,
    rng: np.random.Generator,
    n_slices: int | None,
    shape: tuple[int, int] | None,
) -> AnnotatedScan:
    rows, cols = shape or (
        2 * round(scanner.fov_mm[0] / scanner.spacing_mm[0] / 2),
        2 * round(scanner.fov_mm[1] / scanner.spacing_mm[1] / 2),
    )
    grid = (n_slices or scanner.n_slices, rows, cols)
    if scanner.anatomy == "cord":
        (painter, centre), values = _cord(rng, shape is None), CORD_LABELS
    else:
        (painter, centre), values = _heart(rng, shape is None), HEART_LABELS
    image, labels = acquire(painter, scanner, grid, centre, values, rng)
    geometry = _geometry(scanner, grid, rng)
    source = ScanSource(
        kind="memory",
        path=Path(f"{scanner.domain}-{index}"),
        title=f"{scanner.domain}-{index}",
        detail=f"{rows} x {cols} x {grid[0]}, {scanner.spacing_mm[0]:g} x "
        f"{scanner.spacing_mm[1]:g} x {scanner.slice_spacing_mm:g} mm",
    )
    scan = Scan(array=image, geometry=geometry, source=source)
    return AnnotatedScan(
        scan=scan,
        labels=labels,
        annotated_slices=None,
        domain=scanner.domain,
        subject=f"{scanner.name}-{index:02d}",
    )


def _cord(rng: np.random.Generator, whole: bool) -> tuple[Painter, tuple[float, float]]:
    """A painter of one person's neck, and where the image is centred (y, x)."""
    cord, neck = CordSubject.draw(rng), NeckSubject.draw(rng)
    centre = rng.normal(0, 3.0, 2) if whole else rng.normal(0, 1.0, 2)

    def paint(canvas: Canvas, z_mm: float) -> None:
        canvas.clear(lambda points: cord.move(points, z_mm))
        render_neck(canvas, cord, neck, z_mm)
        render_cord(canvas, cord, z_mm)

    return paint, (float(centre[0]) - (4.0 if whole else 0.0), float(centre[1]))


def _heart(rng: np.random.Generator, whole: bool) -> tuple[Painter, tuple[float, float]]:
    """A painter of one person's chest, and where the image is centred (y, x)."""
    heart, chest = HeartSubject.draw(rng), ChestSubject.draw(rng)
    centre = rng.normal(0, 8.0, 2) if whole else rng.normal(0, 3.0, 2)

    def paint(canvas: Canvas, z_mm: float) -> None:
        canvas.clear(lambda points: chest.move(points, z_mm, heart))
        render_chest(canvas, chest, heart, z_mm)
        render_heart(canvas, heart, z_mm)

    return paint, (float(centre[0]) + (10.0 if whole else 0.0), float(centre[1]))


def _geometry(
    scanner: Scanner, grid: tuple[int, int, int], rng: np.random.Generator
) -> Geometry:
    """The scanner's stored grid, whose canonical orientation is `grid`."""
    steps = (scanner.slice_spacing_mm, *scanner.spacing_mm)
    # Canonical slices run to the head, rows to the back, columns to the left.
    directions = np.zeros((3, 3))
    directions[2, 0], directions[1, 1], directions[0, 2] = 1, -1, -1
    tilt = np.array(scanner.tilt_deg) + rng.normal(0, 1.0, 3)
    linear = _rotation(tilt) @ directions * np.array(steps)
    middle = rng.normal(0, 12.0, 3)
    affine = np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = middle - linear @ ((np.array(grid) - 1) / 2)
    letters = ["SI", "PA", "LR"]
    order = [next(i for i, pair in enumerate(letters) if a in pair) for a in scanner.axes]
    stored = np.zeros((4, 4))
    stored[3, 3] = 1
    for axis, canonical in enumerate(order):
        forward = scanner.axes[axis] == letters[canonical][0]
        stored[canonical, axis] = 1 if forward else -1
        stored[canonical, 3] = 0 if forward else grid[canonical] - 1
    shape = tuple(grid[canonical] for canonical in order)
    return Geometry(shape, affine @ stored, order.index(0))  # type: ignore[arg-type]


def _rotation(angles_deg: np.ndarray) -> np.ndarray:
    """Rotation about the x, then the y, then the z axis."""
    result = np.eye(3)
    for axis, angle in enumerate(np.radians(angles_deg)):
        c, s = np.cos(angle), np.sin(angle)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        result = turn @ result
    return result


def write_site(
    folder: str | Path, scans: Sequence[AnnotatedScan], *, with_labels: bool = False
) -> list[Path]:
    """Write scans as NIfTI files with neutral names.

    Parameters
    ----------
    folder : path-like
        Created where it is absent; ``scan-01.nii.gz`` and so on go into it.
    scans : sequence of AnnotatedScan
    with_labels : bool
        Write ``derivatives/labels/scan-01_dseg.nii.gz`` too.

    Returns
    -------
    list of Path
        The image files, in the order of `scans`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, item in enumerate(scans, start=1):
        path = folder / f"scan-{number:02d}.nii.gz"
        _write_nifti(path, item.scan.array, item.scan.geometry)
        paths.append(path)
        if with_labels and item.labels is not None:
            labels = folder / "derivatives" / "labels" / f"scan-{number:02d}_dseg.nii.gz"
            labels.parent.mkdir(parents=True, exist_ok=True)
            _write_nifti(labels, item.labels, item.scan.geometry)
    return paths


def _write_nifti(path: Path, canonical: np.ndarray, geometry: Geometry) -> None:
    stored = np.ascontiguousarray(geometry.to_original(canonical))
    image = nib.Nifti1Image(stored, geometry.affine)
    image.set_sform(geometry.affine, code=1)
    image.set_qform(geometry.affine, code=1)
    image.header.set_dim_info(slice=geometry.slice_axis)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
