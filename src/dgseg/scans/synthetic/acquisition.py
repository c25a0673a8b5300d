"""From painted anatomy to the image that a scanner would store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import fft

from dgseg.scans.synthetic.scanner import Scanner, fat_fractions, signals
from dgseg.scans.synthetic.shapes import Canvas
from dgseg.scans.synthetic.tissues import Tissue, column

_FINE = 2
"""Fine pixels for each stored pixel along rows and columns: partial volume."""

_SUBSLICES = 2
"""Thin slices averaged into one thick slice."""

Painter = Callable[[Canvas, float], None]
"""Paints the slice at a height in millimetres on a cleared canvas."""


def acquire(
    paint: Painter,
    scanner: Scanner,
    shape: tuple[int, int, int],
    centre_mm: tuple[float, float],
    label_values: Mapping[Tissue, int],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Image some anatomy.

    Parameters
    ----------
    paint : callable
        Paints one slice of the anatomy.
    scanner : Scanner
    shape : tuple of int
        Slices, rows and columns.
    centre_mm : tuple of float
        Anatomical position (y, x) at the middle of the image.
    label_values : mapping from Tissue to int
        Which tissues are labelled, and how.
    rng : numpy.random.Generator

    Returns
    -------
    image : ndarray of int16, shape (slices, rows, columns)
        Stored numbers, from 0.
    labels : ndarray of uint8, same shape
        The structure that fills most of each voxel.
    """
    n_slices, rows, cols = shape
    fine_shape = (rows * _FINE, cols * _FINE)
    pixel = (scanner.spacing_mm[0] / _FINE, scanner.spacing_mm[1] / _FINE)
    canvas = Canvas(fine_shape, pixel, centre_mm)
    film = _Film(scanner, fine_shape, pixel, label_values, rng)
    image = np.empty(shape, dtype=np.complex64)
    labels = np.empty(shape, dtype=np.uint8)
    for i in range(n_slices):
        drift = rng.normal(0, scanner.motion_mm, 2)
        canvas.look_at((centre_mm[0] + drift[0], centre_mm[1] + drift[1]))
        middle = (i - (n_slices - 1) / 2) * scanner.slice_spacing_mm
        for part in (np.arange(_SUBSLICES) + 0.5) / _SUBSLICES - 0.5:
            z_mm = float(middle + part * scanner.thickness_mm)
            paint(canvas, z_mm)
            film.expose(canvas.ids, z_mm)
        image[i], labels[i] = film.develop()
    image *= _shading(scanner, shape, centre_mm, rng)
    return _stored(image, scanner, rng), labels


def _stored(image: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """The whole numbers that the scanner keeps of a complex image, which it changes."""
    _ghost(image, scanner, rng)
    magnitude = _k_space(image, scanner, rng) * np.float32(scanner.intensity)
    result: np.ndarray = np.clip(np.rint(magnitude), 0, 32767).astype(np.int16)
    return result


def _binned(fine: np.ndarray) -> np.ndarray:
    """Sums over the fine pixels of each stored pixel."""
    parts = [fine[r::_FINE, c::_FINE] for r in range(_FINE) for c in range(_FINE)]
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


class _Film:
    """Collects the thin slices of one thick slice: signal of water and fat, labels."""

    def __init__(
        self,
        scanner: Scanner,
        fine_shape: tuple[int, int],
        pixel_mm: tuple[float, float],
        label_values: Mapping[Tissue, int],
        rng: np.random.Generator,
    ) -> None:
        signal, fat = signals(scanner), fat_fractions()
        self._water = signal * (1 - fat)
        self._fat = signal * fat * scanner.fat
        self._texture = column("texture") * scanner.texture
        self._label = np.zeros(len(Tissue), dtype=np.uint8)
        for tissue, value in label_values.items():
            self._label[tissue] = value
        self._n_labels = int(self._label.max())
        self._coarse = [_noise(fine_shape, pixel_mm, 1.0, rng) for _ in range(2)]
        self._grain = [_noise(fine_shape, pixel_mm, 0.45, rng) for _ in range(2)]
        self._phase = np.exp(1j * np.radians(scanner.fat_phase_deg)).astype(np.complex64)
        self._shift = round(scanner.fat_shift_mm / scanner.spacing_mm[1])
        self._clear()

    def _clear(self) -> None:
        self._sums: np.ndarray | float = 0.0
        self._votes: np.ndarray | int = 0

    def expose(self, ids: np.ndarray, z_mm: float) -> None:
        """Add one thin slice."""
        c, s = np.float32(np.cos(z_mm / 3.0)), np.float32(np.sin(z_mm / 3.0))
        coarse = c * self._coarse[0] + s * self._coarse[1]
        # Fat between the fascicles of a muscle: thin sheets along the noise's zero.
        streak = (np.abs(coarse) < 0.022) & (ids == Tissue.MUSCLE)
        ids = np.where(streak, np.uint8(Tissue.FAT), ids)
        coarse += c * self._grain[1] + s * self._grain[0]
        unevenness = 1 + np.float32(0.7) * self._texture[ids] * coarse
        np.maximum(unevenness, np.float32(0.1), out=unevenness)
        water = _binned(self._water[ids] * unevenness)
        fat = _binned(self._fat[ids] * unevenness)
        self._sums = self._sums + np.stack([water, fat])
        values = self._label[ids]
        votes = [_binned((values == k).astype(np.uint8)) for k in range(1, self._n_labels + 1)]
        self._votes = self._votes + np.stack(votes)

    def develop(self) -> tuple[np.ndarray, np.ndarray]:
        """The complex signal and the labels of the thick slice; starts the next one."""
        n = _FINE * _FINE * _SUBSLICES
        water, fat = np.asarray(self._sums) / np.float32(n)
        if self._shift:
            fat = np.roll(fat, self._shift, axis=1)
        votes = np.asarray(self._votes).astype(np.int16)
        background = n - votes.sum(axis=0, keepdims=True)
        labels = np.argmax(np.concatenate([background, votes]), axis=0).astype(np.uint8)
        self._clear()
        return water + self._phase * fat, labels


def _noise(
    shape: tuple[int, int],
    pixel_mm: tuple[float, float],
    scale_mm: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Smooth Gaussian noise of unit variance with the given correlation length."""
    white = rng.standard_normal(shape, dtype=np.float32)
    fy = fft.fftfreq(shape[0], pixel_mm[0]).astype(np.float32)[:, None]
    fx = fft.rfftfreq(shape[1], pixel_mm[1]).astype(np.float32)[None]
    smooth = np.exp(-2 * (np.pi * scale_mm) ** 2 * (fy * fy + fx * fx))
    field = fft.irfft2(fft.rfft2(white) * smooth, s=shape)
    result: np.ndarray = (field / field.std()).astype(np.float32)
    return result


_COILS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "behind": ((-0.45, 0.75, 1.0), (0.45, 0.75, 1.0), (0.0, 0.8, 1.0), (0.0, -0.9, 0.12)),
    "front": ((-0.5, -0.7, 1.0), (0.1, -0.75, 1.0), (0.6, -0.5, 0.6), (0.2, 0.9, 0.35)),
    "around": (
        (-0.8, 0.4, 1.0), (0.8, 0.4, 1.0), (-0.75, -0.5, 0.9), (0.75, -0.5, 0.9),
        (0.0, 0.95, 1.0), (0.0, -0.95, 0.8),
    ),
}  # fmt: skip
"""Elements of the receive coils: x and y in units of 75 mm, and strength."""


def _shading(
    scanner: Scanner,
    shape: tuple[int, int, int],
    centre_mm: tuple[float, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """Sensitivity of the coil, saturation and off-resonance bands, (slices, rows, cols)."""
    n_slices, rows, cols = shape
    unit = 75.0 if scanner.anatomy == "cord" else 140.0
    y = (np.arange(rows) - (rows - 1) / 2) * scanner.spacing_mm[0] + centre_mm[0]
    x = (np.arange(cols) - (cols - 1) / 2) * scanner.spacing_mm[1] + centre_mm[1]
    yy = (y / unit).astype(np.float32)[:, None]
    xx = (x / unit).astype(np.float32)[None]
    field = np.zeros((rows, cols), dtype=np.float32)
    for cx, cy, strength in _COILS[scanner.coil]:
        cx, cy = cx + rng.normal(0, 0.08), cy + rng.normal(0, 0.08)
        distance = (xx - np.float32(cx)) ** 2 + (yy - np.float32(cy)) ** 2
        field += np.float32(strength * rng.uniform(0.8, 1.2)) / (1 + 4.5 * distance)
    # Relative to the structure of interest at the origin, so that the stored
    # numbers stay comparable between coils.
    origin = field[np.argmin(np.abs(y)), np.argmin(np.abs(x))]
    field = np.minimum((field / origin) ** np.float32(scanner.bias), 2.6)
    if scanner.front_saturation:
        edge = rng.uniform(-0.62, -0.5)
        field *= 1 - np.float32(scanner.front_saturation) / (1 + np.exp((yy - edge) / 0.04))
    if scanner.banding:
        field *= _bands(scanner.banding, xx, yy, rng)
    z = np.linspace(-1, 1, n_slices)
    along = 1 - 0.10 * scanner.bias * (z - rng.normal(0, 0.3)) ** 2
    result: np.ndarray = np.clip(along, 0.5, None).astype(np.float32)[:, None, None] * field
    return result


def _bands(
    depth: float, xx: np.ndarray, yy: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Dark bands of balanced steady state where the field is off by 1 / (2 TR)."""
    angle = rng.uniform(0, 2 * np.pi)
    tilted = xx * np.float32(np.cos(angle)) + yy * np.float32(np.sin(angle))
    radius = xx * xx + yy * yy
    turns = np.float32(rng.uniform(0.25, 0.40)) * tilted + np.float32(0.42) * radius**2
    off = np.abs((turns + 0.5) % 1.0 - 0.5)
    result: np.ndarray = 1 - np.float32(depth) * np.exp(-(((off - 0.5) / 0.07) ** 2))
    return result


def _ghost(image: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> None:
    """Add the ghost of what pulsates, half a field of view away along the rows."""
    if not scanner.ghosting:
        return
    strength = scanner.ghosting * rng.uniform(0.6, 1.4)
    offset = image.shape[1] // 2 + int(rng.integers(-3, 4))
    image += np.float32(strength) * np.roll(np.abs(image), offset, axis=1)


def _k_space(image: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """Magnitude after noise and the cut of k-space that sets the true resolution."""
    parts = rng.standard_normal((2, *image.shape), dtype=np.float32)
    image = image + np.float32(scanner.noise) * (parts[0] + 1j * parts[1])
    spectrum = fft.fft2(image, axes=(1, 2), overwrite_x=True)
    for axis in (1, 2):
        n = image.shape[axis]
        frequency = np.abs(fft.fftfreq(n)) * 2
        reach = min(1.0, scanner.spacing_mm[axis - 1] / scanner.acquired_mm[axis - 1])
        ramp = np.clip((reach - frequency) / (0.25 * reach) + 0.5, 0, 1)
        window = 0.5 - 0.5 * np.cos(np.pi * ramp)
        spectrum *= window.astype(np.float32).reshape((-1, 1) if axis == 1 else (1, -1))
    result: np.ndarray = np.abs(fft.ifft2(spectrum, axes=(1, 2), overwrite_x=True))
    return result
