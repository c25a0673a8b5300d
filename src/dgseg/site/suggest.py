"""Which slice is worth a person's time next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Suggestion:
    """A slice to look at.

    Attributes
    ----------
    slice : int
        Its index from 0, as the viewer shows it.
    reason : str
        Why this one, as a sentence.
    """

    slice: int
    reason: str


def least_certain_slice(
    slice_uncertainty: np.ndarray, done: Collection[int]
) -> Suggestion | None:
    """The slice that the model is least certain of, among those nobody has looked at.

    Parameters
    ----------
    slice_uncertainty : ndarray of float, shape (slices,)
        0 (certain) to 1; what is not a number is never suggested.
    done : collection of int
        Slices that a person has changed or confirmed.

    Returns
    -------
    Suggestion or None
        None when no slice is left.
    """
    values = np.array(slice_uncertainty, dtype=np.float64)
    values[[index for index in done if 0 <= index < values.size]] = np.nan
    left = np.flatnonzero(np.isfinite(values))
    if not left.size:
        return None
    best = int(left[np.argmax(values[left])])
    return Suggestion(best, _reason(best, values[left], float(values[best])))


def _reason(index: int, left: np.ndarray, value: float) -> str:
    if left.size == 1:
        return f"Slice {index} is the last one that nobody has looked at."
    typical = float(np.median(left))
    return (
        f"The model is least certain of slice {index}: its uncertainty is "
        f"{value:.0%}, that of a typical slice {typical:.0%}."
    )
