"""Whether labels that come from outside fit their scan and their schema."""

from __future__ import annotations

import numpy as np

from dgseg.errors import LabelsError
from dgseg.scans.schema import LabelSchema


def checked_labels(labels: np.ndarray, n_axes: int, schema: LabelSchema) -> np.ndarray:
    """A private copy of labels, as uint8.

    Parameters
    ----------
    labels : ndarray of integers
        With `n_axes` axes.
    n_axes : int
        3 for a volume, 2 for a slice.
    schema : LabelSchema
        The values that may occur.

    Raises
    ------
    LabelsError
        If they are not that.
    """
    if labels.ndim != n_axes or not np.issubdtype(labels.dtype, np.integer):
        raise LabelsError(
            f"Labels of {n_axes} axes of integers are needed, not {labels.ndim} of "
            f"{labels.dtype}."
        )
    if not schema.accepts(labels):
        raise LabelsError(
            f"The labels hold values outside 0 to {schema.n_classes - 1}.",
            remedy="Draw with " + ", ".join(schema.names) + " only.",
        )
    return np.array(labels, dtype=np.uint8, order="C")


def wrong_shape(found: tuple[int, ...], expected: tuple[int, ...]) -> LabelsError:
    """The error for labels of another shape than their scan."""
    return LabelsError(
        f"The labels have shape {found}, the scan {expected}.",
        remedy="Labels must be drawn on the grid of their scan.",
    )
