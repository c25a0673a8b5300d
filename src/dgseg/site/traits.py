"""What each slice of a scan is like, as a few numbers: kept beside a proposal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dgseg.scans.boxes import bounding_box

_REACH = 3
"""How far around a structure's border its uncertainty is looked at, in pixels."""

_SHAPE_VALUES = 3
"""Of each structure: the root of its share of the slice, and its centre."""


@dataclass(frozen=True, eq=False)
class SliceTraits:
    """What each slice of a scan is like.

    Attributes
    ----------
    by_structure : ndarray of float32, shape (slices, structures)
        Mean uncertainty around each structure, 0 (certain) to 1; not a number where
        the structure is nowhere near.
    shape : ndarray of float32, shape (slices, 3 * structures)
        For each structure the root of its share of the slice, and the row and the
        column of its centre as shares of the slice.
    look : ndarray of float32, shape (slices, n)
        What the slice looks like to the model; n is 0 where that is not known.
    """

    by_structure: np.ndarray
    shape: np.ndarray
    look: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """How long all borders in a slice are, about; shape (slices,), 0 without any."""
        total: np.ndarray = self.shape[:, ::_SHAPE_VALUES].sum(axis=1, dtype=np.float64)
        return total

    def packed(self) -> np.ndarray:
        """All of it as one array of float32, shape (slices, values)."""
        parts = (self.by_structure, self.shape, self.look)
        return np.concatenate(parts, axis=1).astype(np.float32)

    @classmethod
    def unpack(cls, packed: np.ndarray, n_structures: int) -> SliceTraits:
        """The inverse of `packed`.

        Raises
        ------
        ValueError
            If the array is too narrow for so many structures, or not two-dimensional.
        """
        first, second = n_structures, n_structures * (1 + _SHAPE_VALUES)
        if packed.ndim != 2 or packed.shape[1] < second or n_structures < 1:
            raise ValueError(f"{packed.shape} holds no traits of {n_structures} structures")
        return cls(packed[:, :first], packed[:, first:second], packed[:, second:])


def measure_traits(
    labels: np.ndarray,
    uncertainty: np.ndarray,
    n_structures: int,
    look: np.ndarray | None = None,
) -> SliceTraits:
    """The traits of a proposal's slices.

    The uncertainty of a structure is the mean within three pixels of its border, in
    the plane, inside and outside: so a thin structure and a large one can be compared,
    for deep inside a large one every model is certain. Where a neighbouring slice has
    the structure and this one has not, all of the place where it should be counts.

    Parameters
    ----------
    labels : ndarray of uint8, shape (slices, rows, columns)
    uncertainty : ndarray of uint8, same shape
        0 (certain) to 255.
    n_structures : int
        Labels run from 1 to this.
    look : ndarray, shape (slices, n), optional
        See `SliceTraits`.
    """
    n_slices = len(labels)
    by_structure = np.full((n_slices, n_structures), np.nan, np.float32)
    shape = np.zeros((n_slices, n_structures, _SHAPE_VALUES), np.float32)
    shape[:, :, 1:] = 0.5
    rows, columns = _box(labels)
    inside, unsure = labels[:, rows, columns], uncertainty[:, rows, columns]
    for at in range(n_structures if inside.size else 0):
        mask = inside == at + 1
        if mask.any():
            by_structure[:, at] = _around(mask, unsure)
            shape[:, at] = _place(mask, (rows.start, columns.start), labels.shape[1:])
    if look is None:
        look = np.empty((n_slices, 0))
    return SliceTraits(by_structure, shape.reshape(n_slices, -1), look.astype(np.float32))


def disagreement(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of the structures in which two proposals differ, slice by slice.

    The pixels with different labels, over the pixels that are foreground in either;
    in a slice with less foreground than the scan's typical slice, over that of the
    latter: a few pixels at the end of a structure are no great difference.

    Parameters
    ----------
    labels, others : ndarray of uint8, shape (slices, rows, columns)

    Returns
    -------
    ndarray of float32, shape (slices,)
        0 (the same) to 1.
    """
    different = np.count_nonzero(labels != others, axis=(1, 2))
    either = np.count_nonzero(labels | others, axis=(1, 2))
    filled = either[either > 0]
    least = float(np.median(filled)) if filled.size else 1.0
    return np.minimum(different / np.maximum(either, least), 1.0).astype(np.float32)


def _box(labels: np.ndarray) -> tuple[slice, slice]:
    """Where the foreground of all slices is, and so far around as is looked at."""
    found = bounding_box(np.asarray(labels.any(axis=0)))
    if found is None:
        return slice(0, 0), slice(0, 0)
    rows, columns = (slice(max(0, part.start - _REACH), part.stop + _REACH) for part in found)
    return rows, columns


def _around(mask: np.ndarray, uncertainty: np.ndarray) -> np.ndarray:
    """Mean uncertainty (slices,) around a structure; not a number where it is not."""
    joined = mask.copy()
    joined[1:] |= mask[:-1]
    joined[:-1] |= mask[1:]
    deep_inside = ~_grown(~mask)
    band = _grown(joined) & ~deep_inside
    counts = np.count_nonzero(band, axis=(1, 2))
    totals = np.where(band, uncertainty, 0).sum(axis=(1, 2), dtype=np.int64)
    return np.where(counts > 0, totals / np.maximum(counts, 1) / 255, np.nan)


def _grown(mask: np.ndarray) -> np.ndarray:
    """A mask (slices, h, w) with all pixels up to three rows and columns away."""
    from scipy.ndimage import maximum_filter  # not to open a dock: it takes 0.1 s

    side = 2 * _REACH + 1
    grown: np.ndarray = maximum_filter(mask, size=(1, side, side), mode="constant", cval=0)
    return grown


def _place(mask: np.ndarray, start: tuple[int, int], size: tuple[int, ...]) -> np.ndarray:
    """Root of the share of the slice, and centre: (slices, 3).

    Where the structure is not, its centre is the mean of the other slices' centres:
    nothing is known of it, and it must not make the slice an unusual one.
    """
    area = np.count_nonzero(mask, axis=(1, 2))
    values = [np.sqrt(area / (size[0] * size[1]))]
    for axis in (1, 2):
        profile = np.count_nonzero(mask, axis=3 - axis)
        at = start[axis - 1] + np.arange(mask.shape[axis]) + 0.5
        centre = profile @ at / np.maximum(area, 1) / size[axis - 1]
        values.append(np.where(area > 0, centre, centre[area > 0].mean()))
    return np.stack(values, axis=1)
