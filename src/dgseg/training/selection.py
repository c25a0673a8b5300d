"""Which of a training's weights are kept: those that segment people best who were kept back."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dgseg.datasets.registry import Entry
from dgseg.errors import TrainingError
from dgseg.methods.base import Method
from dgseg.nets.resample import resize, resize_labels
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.preprocessing import Preprocessing, grid_size, normalise

_AT_ONCE = 16
"""Slices that are segmented together."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ValidationScan:
    """The annotated slices of one scan, on the model's grid.

    Attributes
    ----------
    images : Tensor of float16, shape (slices, 1, H, W)
    labels : Tensor of uint8, shape (slices, H, W)
    """

    images: Tensor
    labels: Tensor


def prepare_scans(
    entries: Iterable[Entry], preprocessing: Preprocessing, device: torch.device
) -> tuple[ValidationScan, ...]:
    """Read the labelled scans among some, one after the other, and put them on the device.

    Raises
    ------
    TrainingError
        If none of them is labelled.
    ScanError, LabelsError
        As a scan raises it.
    """
    items = (entry.load() for entry in entries if entry.labelled)
    scans = tuple(
        _prepare(item, preprocessing, device) for item in items if item.annotated.any()
    )
    if not scans:
        raise TrainingError(
            "None of the scans for validation is labelled.",
            remedy="Name labelled scans, or train without validation.",
        )
    return scans


class Selection:
    """Segments the validation scans now and then, and remembers the best weights.

    Parameters
    ----------
    scans : sequence of ValidationScan
    every : int
        Steps between two looks; there is one more after the last step.

    Attributes
    ----------
    step : int
        Steps that had been done when the weights were best; 0 before the first look.
    score : float
        How well these did, see `mean_dice`.
    weights : dict of str to Tensor
        They themselves: the state of the method's deployable network, on the CPU.
    history : list of (int, float)
        Step and score of every look.
    """

    def __init__(self, scans: Sequence[ValidationScan], every: int) -> None:
        self._scans = scans
        self._every = every
        self.step = 0
        self.score = -1.0
        self.weights: dict[str, Tensor] = {}
        self.history: list[tuple[int, float]] = []

    def due(self, step: int, last: bool) -> bool:
        """Whether it is time for a look after so many steps, perhaps the last."""
        if self.history and self.history[-1][0] == step:
            return False
        return last or step % self._every == 0

    def look(self, method: Method, step: int) -> None:
        """Score a method as it is now; of equally good weights the first are kept."""
        score = mean_dice(method, self._scans)
        self.history.append((step, score))
        _log.info("Dice of the validation scans after step %d: %.4f", step, score)
        if score > self.score:
            self.step, self.score = step, score
            state = method.deployable().state_dict()
            self.weights = {
                name: value.detach().to("cpu", copy=True) for name, value in state.items()
            }

    def measure_look_s(self, method: Method) -> float:
        """Seconds that a look takes; nothing is remembered of it."""
        begin = time.perf_counter()
        mean_dice(method, self._scans)
        return time.perf_counter() - begin

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint: tensors and plain values."""
        return {
            "step": self.step,
            "score": self.score,
            "weights": self.weights,
            "history": [list(look) for look in self.history],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Undo `state`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        self.step, self.score = int(state["step"]), float(state["score"])
        self.weights = dict(state["weights"])
        self.history = [(int(step), float(score)) for step, score in state["history"]]

    def record(self) -> dict[str, Any]:
        """What a bundle says of it."""
        return {
            "step": self.step,
            "score": self.score,
            "scans": len(self._scans),
            "history": self.history,
        }


def mean_dice(method: Method, scans: Sequence[ValidationScan]) -> float:
    """Mean over scans and structures of the Dice coefficient, in 3-D on the model's grid.

    Dice = 2 |A and B| / (|A| + |B|) over all annotated slices of a scan together; 1
    for a structure that is in neither.
    """
    tables = [_confusion(method, scan) for scan in scans]
    # Waits for the device once, not for every scan.
    counts = torch.stack(tables).double().cpu()
    both = counts.diagonal(dim1=1, dim2=2)
    sizes = counts.sum(dim=1) + counts.sum(dim=2)
    dice = torch.where(sizes > 0, 2 * both / sizes.clamp_min(1), 1.0)
    return float(dice[:, 1:].mean())


def _confusion(method: Method, scan: ValidationScan) -> Tensor:
    """How many pixels (C, C) of each true class are found as each class."""
    total: Tensor | None = None
    for images, labels in zip(
        scan.images.split(_AT_ONCE), scan.labels.split(_AT_ONCE), strict=True
    ):
        with torch.no_grad():
            probabilities = method.predict(images.float())
        n = probabilities.shape[1]
        # On a CPU much faster than argmax, with the same answer for ties.
        pairs = labels.long() * n + probabilities.max(dim=1).indices
        table = torch.bincount(pairs.flatten(), minlength=n * n).view(n, n)
        total = table if total is None else total + table
    assert total is not None
    return total


def _prepare(
    item: AnnotatedScan, preprocessing: Preprocessing, device: torch.device
) -> ValidationScan:
    assert item.labels is not None
    grid = grid_size(item.scan.geometry, preprocessing)
    array = normalise(item.scan.array, preprocessing)[item.annotated]
    images = resize(torch.from_numpy(array)[:, None], grid).half()
    raw = np.ascontiguousarray(item.labels[item.annotated])
    labels = resize_labels(torch.from_numpy(raw), grid, int(raw.max()) + 1)
    return ValidationScan(images.to(device), labels.to(device))
