"""What unlabelled scans gained over the sources alone, and how far centres lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dgseg.errors import TrainingError
from dgseg.evaluation.benchmark.bootstrap import Difference
from dgseg.evaluation.benchmark.claims import folder_of
from dgseg.evaluation.benchmark.summaries import difference
from dgseg.evaluation.centres.cells import FEATURES_NAME
from dgseg.evaluation.centres.plan import BASELINE, CentresCell, Row
from dgseg.evaluation.centres.results import CentresGroup

BASE = Row(BASELINE)
"""The line that all others are compared with."""


def gain(group: CentresGroup, row: Row, centres: Sequence[str]) -> Difference | None:
    """How much higher the 3-D Dice (0 to 1) is than the baseline's, mean over centres.

    See `dgseg.evaluation.benchmark.summaries.difference`. None for the baseline itself,
    and where nothing can be compared.
    """
    if row == BASE or not centres:
        return None
    return difference(replace(group, targets=tuple(centres)), row, BASE)


@dataclass(frozen=True, eq=False)
class Features:
    """What scored slices look like to a network.

    Attributes
    ----------
    values : ndarray of float32, shape (N, n)
        The coarsest features of its U-Net, averaged over the slice.
    centres : ndarray of str, shape (N,)
    """

    values: np.ndarray
    centres: np.ndarray

    @property
    def apart(self) -> float | None:
        """Mean silhouette of the slices by centre, -1 to 1; near 0 where centres mix.

        Rousseeuw, J Comput Appl Math 1987, on features scaled to the same variance.
        None for a single centre.
        """
        # A second to import, for whoever reports alone.
        from sklearn.metrics import silhouette_score

        n = len(np.unique(self.centres))
        if not 1 < n < len(self.centres):
            return None
        return float(silhouette_score(self.scaled, self.centres))

    @property
    def scaled(self) -> np.ndarray:
        """Every feature with mean 0 and variance 1; those that never change are 0."""
        spread = self.values.std(axis=0)
        return (self.values - self.values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def read_features(out: Path, cell: CentresCell) -> Features | None:
    """The features that a finished cell has left; None where it has left none.

    Raises
    ------
    TrainingError
        If the file is damaged.
    """
    path = folder_of(out, cell) / FEATURES_NAME
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            values, centres = arrays["features"], arrays["centres"]
            if values.ndim != 2 or centres.shape != values.shape[:1]:
                raise ValueError(f"{values.shape} and {centres.shape} do not fit together")
            return Features(values, centres)
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise TrainingError(
            f"The features of a cell of the benchmark cannot be read: {error!r}.",
            remedy="Delete the cell's folder and run the benchmark again.",
            path=path,
        ) from error
