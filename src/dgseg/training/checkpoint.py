"""A training on disk, from which it goes on exactly: tensors and plain values only."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dgseg.errors import TrainingError
from dgseg.files import atomic_write
from dgseg.methods.base import Method
from dgseg.training.selection import Selection

_FORMAT = 1


@dataclass(frozen=True)
class Progress:
    """How far a training came.

    Attributes
    ----------
    step : int
        Steps done.
    total_steps, seed : int
        As it was started with.
    elapsed_s : float
        Seconds of training, over all parts.
    """

    step: int
    total_steps: int
    seed: int
    elapsed_s: float


def save_checkpoint(
    path: Path, method: Method, progress: Progress, selection: Selection | None = None
) -> None:
    """Replace the checkpoint by the method's present state, atomically.

    Parameters
    ----------
    path : Path
    method : Method
    progress : Progress
    selection : Selection, optional
        Kept in it, too.

    Raises
    ------
    TrainingError
        If a weight is not a finite number (the old checkpoint stays), or the disk
        refuses.
    """
    state = method.state_dict()
    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise not_finite(f"the weights of {name}", progress.step)
    content: dict[str, object] = {
        "format": _FORMAT,
        "progress": dict(vars(progress)),
        "model": state,
        "training": method.training_state(),
    }
    if selection is not None:
        content["selection"] = selection.state()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            torch.save(content, file)
    except OSError as error:
        raise TrainingError(
            "The training's checkpoint could not be written.",
            remedy="Check the free space and your right to write there.",
            path=path,
        ) from error


def read_progress(path: Path) -> Progress | None:
    """How far the training of a checkpoint came; None where there is no checkpoint.

    Raises
    ------
    TrainingError
        If the checkpoint is damaged.
    """
    return _progress(_read(path), path) if path.exists() else None


def load_checkpoint(path: Path, method: Method, selection: Selection | None = None) -> Progress:
    """Bring a method, and what was selected so far, to the state of a checkpoint.

    Raises
    ------
    TrainingError
        If the checkpoint is damaged, or that of another method or network, or of a
        training without a selection where there is one now.
    """
    content = _read(path)
    progress = _progress(content, path)
    try:
        method.load_state_dict(content["model"])
        method.load_training_state(content["training"])
        if selection is not None:
            selection.load_state(content["selection"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise TrainingError(
            "The checkpoint belongs to another training.",
            remedy="Continue with the settings it was started with, or delete it to start anew.",
            path=path,
        ) from error
    return progress


def not_finite(what: str, step: int) -> TrainingError:
    """The error of a training whose numbers ran away."""
    return TrainingError(
        f"The training went astray: {what} is not a finite number at step {step}.",
        remedy="Use a lower learning rate, or precision fp32. "
        "The last good checkpoint was kept.",
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise _damaged(path) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise _damaged(path)
    return content


def _progress(content: dict[str, Any], path: Path) -> Progress:
    try:
        return Progress(**content["progress"])
    except (KeyError, TypeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> TrainingError:
    return TrainingError(
        "The checkpoint is damaged, or was written by another version.",
        remedy="Delete it to start the training anew.",
        path=path,
    )
