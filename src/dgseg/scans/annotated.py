"""`AnnotatedScan`: a scan with the labels a person gave it, or none yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dgseg.errors import LabelsError
from dgseg.scans.scan import Scan


@dataclass(frozen=True, eq=False)
class AnnotatedScan:
    """A scan as training and evaluation see it.

    Attributes
    ----------
    scan : Scan
        The image.
    labels : ndarray of uint8, shape (slices, rows, columns), or None
        Labels on the scan's canonical grid; None for a scan without any.
    annotated_slices : ndarray of bool, shape (slices,), or None
        Which slices a person has labelled: an empty slice among them holds
        truly nothing, one outside of them is unknown. None means all slices
        where there are labels, and no slice where there are none.
    domain : str
        The centre or scanner as training sees it.
    subject : str
        Who was scanned, so that the scans of one person are never divided
        between training and test.
    hidden_slices : ndarray of bool, shape (slices,), or None
        Slices that training must not see in any form, neither labelled nor
        unlabelled; None for none.

    Raises
    ------
    LabelsError
        If the labels or the marks of annotated slices do not fit the scan.
    """

    scan: Scan
    labels: np.ndarray | None
    annotated_slices: np.ndarray | None
    domain: str
    subject: str = ""
    hidden_slices: np.ndarray | None = None

    def __post_init__(self) -> None:
        labels, marks = self.labels, self.annotated_slices
        if labels is not None and labels.dtype != np.uint8:
            raise LabelsError(
                f"Labels must be 8-bit unsigned integers, not {labels.dtype}.",
                path=self.scan.source.path,
            )
        if labels is not None and labels.shape != self.scan.array.shape:
            raise LabelsError(
                f"The labels have shape {labels.shape}, the scan {self.scan.array.shape}.",
                remedy="Labels must be drawn on the grid of their scan.",
                path=self.scan.source.path,
            )
        for flags in (marks, self.hidden_slices):
            if flags is not None and (
                flags.dtype != bool or flags.shape != (self.scan.n_slices,)
            ):
                raise LabelsError(
                    f"The marks of slices must be {self.scan.n_slices} truth values.",
                    path=self.scan.source.path,
                )
        if labels is None and marks is not None and marks.any():
            raise LabelsError(
                "Slices are marked as annotated, but there are no labels.",
                path=self.scan.source.path,
            )

    @property
    def annotated(self) -> np.ndarray:
        """Which slices a person has labelled, with ``None`` resolved: bool, (slices,)."""
        if self.annotated_slices is not None:
            return self.annotated_slices
        return np.full(self.scan.n_slices, self.labels is not None)

    @property
    def hidden(self) -> np.ndarray:
        """Which slices training must not see, with ``None`` resolved: bool, (slices,)."""
        if self.hidden_slices is not None:
            return self.hidden_slices
        return np.zeros(self.scan.n_slices, dtype=bool)


def labelled_range(labels: np.ndarray) -> np.ndarray:
    """From the first to the last slice that holds any label.

    Parameters
    ----------
    labels : ndarray, shape (slices, rows, columns)

    Returns
    -------
    ndarray of bool, shape (slices,)
        An empty slice inside the range counts as annotated, for there the
        annotator saw nothing; outside of it nobody looked.
    """
    filled = np.flatnonzero(labels.any(axis=(1, 2)))
    marks = np.zeros(labels.shape[0], dtype=bool)
    if filled.size:
        marks[filled[0] : filled[-1] + 1] = True
    return marks
