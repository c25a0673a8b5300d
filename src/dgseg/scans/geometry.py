"""Where a scan lies in the patient, and the exact way to the display grid and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dgseg.errors import GeometryError

_ENDS = (("L", "R"), ("P", "A"), ("I", "S"))
"""Letters at the low and the high end of the RAS+ axes."""

_PLANES = ("sagittal", "coronal", "axial")

_DISPLAY = (
    ((0, -1), (2, -1), (1, -1)),
    ((1, -1), (2, -1), (0, -1)),
    ((2, +1), (1, -1), (0, -1)),
)
"""For each anatomical slice axis: (anatomical axis, direction) of the canonical
slices, rows and columns. Radiological convention: in transverse slices the front of
the patient is on top and the patient's right on the viewer's left."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """A scan's own grid, and its canonical orientation.

    The canonical array is the original array with its axes permuted and
    flipped, never resampled: axis 0 runs along the slices as they were
    acquired, axes 1 and 2 are the rows and columns of a slice as a
    radiologist expects to see them. So the way back is exact.

    Parameters
    ----------
    shape : tuple of int
        Shape of the original array (three axes).
    affine : ndarray, shape (4, 4)
        From original voxel indices to millimetres, RAS+.
    slice_axis : int
        The original axis along which the slices are stacked.

    Raises
    ------
    GeometryError
        If the affine is not finite or not invertible, or an axis is empty.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    slice_axis: int

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GeometryError(
                f"A scan needs three axes with content; this one has shape {self.shape}.",
                remedy="Export the series again as a 3-D volume.",
            )
        sound = affine.shape == (4, 4) and np.isfinite(affine).all()
        if not sound or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise GeometryError(
                "The header's affine is not invertible, so the position of the "
                "scan in the patient is unknown.",
                remedy="Convert the scan again from DICOM, or repair its header.",
            )
        if not 0 <= self.slice_axis < 3:
            raise GeometryError(f"The slice axis must be 0, 1 or 2, not {self.slice_axis}.")

    @classmethod
    def guess(cls, shape: tuple[int, ...], affine: np.ndarray) -> Geometry:
        """The geometry of an array whose slice axis the header does not tell.

        Slices are stacked along the axis with clearly the largest voxels, else
        along the clearly shortest axis, else along the one nearest to
        inferior-superior.
        """
        first = cls(tuple(shape), affine, 0)  # type: ignore[arg-type]
        sizes = _voxel_sizes(first.affine)
        order = np.argsort(sizes)
        if sizes[order[2]] > 1.1 * sizes[order[1]]:
            return cls(first.shape, affine, int(order[2]))
        lengths = np.argsort(first.shape)
        if first.shape[lengths[0]] * 3 <= first.shape[lengths[1]]:
            return cls(first.shape, affine, int(lengths[0]))
        return cls(first.shape, affine, int(np.argmax(first._orientation[:, 0] == 2)))

    @cached_property
    def _orientation(self) -> np.ndarray:
        """(3, 2): for each original axis the nearest RAS+ axis and the direction."""
        # nibabel takes longer to import than all of the dock: not before a scan is there.
        from nibabel.orientations import io_orientation

        return io_orientation(self.affine).astype(int)

    @cached_property
    def _steps(self) -> tuple[tuple[int, bool, int, int], ...]:
        """For each canonical axis: original axis, flipped?, RAS+ axis, direction."""
        slice_anatomy = int(self._orientation[self.slice_axis, 0])
        steps = []
        for anatomy, direction in _DISPLAY[slice_anatomy]:
            axis = int(np.argmax(self._orientation[:, 0] == anatomy))
            flipped = int(self._orientation[axis, 1]) != direction
            steps.append((axis, flipped, anatomy, direction))
        return tuple(steps)

    @property
    def permutation(self) -> tuple[int, int, int]:
        """The original axis behind each canonical axis."""
        a, b, c = (step[0] for step in self._steps)
        return a, b, c

    @property
    def flipped_axes(self) -> tuple[int, ...]:
        """Canonical axes that run against their original axis."""
        return tuple(i for i, step in enumerate(self._steps) if step[1])

    def to_canonical(self, array: np.ndarray) -> np.ndarray:
        """A view of an array on the original grid, in canonical orientation."""
        self._expect(array, self.shape, "original")
        return np.flip(np.transpose(array, self.permutation), self.flipped_axes)

    def to_original(self, array: np.ndarray) -> np.ndarray:
        """A view of a canonical array, back on the original grid, exactly."""
        self._expect(array, self.canonical_shape, "canonical")
        unflipped = np.flip(array, self.flipped_axes)
        return np.transpose(unflipped, np.argsort(self.permutation))

    @property
    def canonical_shape(self) -> tuple[int, int, int]:
        """Number of slices, rows and columns."""
        a, b, c = (self.shape[axis] for axis in self.permutation)
        return a, b, c

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between slices, rows and columns (canonical order)."""
        sizes = _voxel_sizes(self.affine)
        a, b, c = (float(sizes[axis]) for axis in self.permutation)
        return a, b, c

    @cached_property
    def canonical_affine(self) -> np.ndarray:
        """From canonical voxel indices to millimetres, RAS+."""
        move = np.zeros((4, 4))
        move[3, 3] = 1
        for i, (axis, flipped, _, _) in enumerate(self._steps):
            move[axis, i] = -1 if flipped else 1
            move[axis, 3] = self.shape[axis] - 1 if flipped else 0
        return self.affine @ move

    @property
    def translate(self) -> tuple[float, float, float]:
        """Millimetres of the first canonical voxel along the canonical axes.

        Exact for scans that are not oblique; two scans of one study in the
        same plane lie over each other in a viewer that knows only scale and
        translation.
        """
        origin = self.canonical_affine[:3, 3]
        a, b, c = (float(step[3] * origin[step[2]]) for step in self._steps)
        return a, b, c

    @property
    def end_letters(self) -> tuple[tuple[str, str], ...]:
        """For slices, rows and columns: the letters at their low and high end."""
        pairs = []
        for _, _, anatomy, direction in self._steps:
            low, high = _ENDS[anatomy]
            pairs.append((low, high) if direction > 0 else (high, low))
        return tuple(pairs)

    @property
    def plane(self) -> str:
        """``'axial'``, ``'coronal'`` or ``'sagittal'``: the nearest plane of a slice."""
        return _PLANES[self._steps[0][2]]

    @property
    def obliquity_deg(self) -> float:
        """Largest angle between an array axis and its nearest anatomical axis, degrees."""
        directions = self.affine[:3, :3] / _voxel_sizes(self.affine)
        rows = self._orientation[:, 0]
        cosines = [abs(directions[row, axis]) for axis, row in enumerate(rows)]
        return float(np.degrees(np.arccos(np.clip(min(cosines), -1, 1))))

    def same_grid(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether two geometries put every voxel at the same place."""
        return self.shape == other.shape and bool(
            np.allclose(self.affine, other.affine, rtol=0, atol=tolerance_mm)
        )

    def _expect(self, array: np.ndarray, shape: tuple[int, ...], grid: str) -> None:
        if array.shape != shape:
            raise GeometryError(
                f"An array on the {grid} grid must have shape {shape}, not {array.shape}."
            )


def _voxel_sizes(affine: np.ndarray) -> np.ndarray:
    """Lengths of the affine's columns: millimetres along the array's axes."""
    sizes: np.ndarray = np.linalg.norm(affine[:3, :3], axis=0)
    return sizes
