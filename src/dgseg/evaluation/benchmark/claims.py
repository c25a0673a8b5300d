"""The folder of a cell: whose settings it was begun with, how it ended, what stays."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from filelock import FileLock, Timeout

from dgseg.errors import TrainingError
from dgseg.files import write_json

SCORES_NAME = "scores.json"
FAILED_NAME = "failed.json"
SETTINGS_NAME = "cell.json"

# Settings whose fields are named where they differ, and those that are named themselves.
_PARTS = ("config", "preset", "network")
_WHOLES = ("split", "bundle_id", "halves", "corrected", "kept")

_log = logging.getLogger(__name__)


class Named(Protocol):
    """A cell of any benchmark."""

    @property
    def name(self) -> str:
        """Name of its folder."""
        ...


@dataclass(frozen=True)
class CellResult:
    """How a cell ended.

    Attributes
    ----------
    cell : Named
    status : {'finished', 'kept', 'stopped', 'busy', 'failed'}
        Trained and scored now; so before; asked to stop; in the hands of another
        program; failed.
    seconds : float
        Spent on it now.
    problem : str
        Why it failed; empty where it did not.
    """

    cell: Named
    status: Literal["finished", "kept", "stopped", "busy", "failed"]
    seconds: float = 0.0
    problem: str = ""


def folder_of(out: Path, cell: Named) -> Path:
    """Where everything of a cell is."""
    return out / "cells" / cell.name


def work_in_folder(
    cell: Named,
    out: Path,
    settings: dict[str, Any],
    work: Callable[[Path], bool],
    *,
    began: float,
    kept: Collection[str] = (),
) -> CellResult:
    """Do the work of a cell in its folder; never twice, never two programs at a time.

    Parameters
    ----------
    cell : Named
    out : Path
        Folder of the benchmark; the cell's own is made below it.
    settings : dict
        As JSON has them; all that the result depends on.
    work : callable
        Given the cell's folder, writes `SCORES_NAME` there last. False: asked to stop
        before that, it left there what it goes on from.
    began : float
        The clock (`time.monotonic`) at which the seconds of the cell begin.
    kept : collection of str
        What stays in the folder beside the scores and the settings.

    Raises
    ------
    TrainingError
        If the folder was begun with other settings; and what `work` raises.
    """
    folder = folder_of(out, cell)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            if not check_claim(folder, settings):
                write_json(folder / SETTINGS_NAME, settings)
            if (folder / SCORES_NAME).exists():
                return CellResult(cell, "kept")
            if not work(folder):
                return CellResult(cell, "stopped", time.monotonic() - began)
            _tidy(folder, {SCORES_NAME, SETTINGS_NAME, *kept})
    except Timeout:
        return CellResult(cell, "busy")
    _log.info("Finished the cell %s.", cell.name)
    return CellResult(cell, "finished", time.monotonic() - began)


def check_claim(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether a cell's folder was begun; refuse one that was begun with other settings.

    Parameters
    ----------
    folder : Path
    settings : dict
        As JSON has them.

    Raises
    ------
    TrainingError
        If its settings are others, with the names of what differs.
    """
    path = folder / SETTINGS_NAME
    if not path.exists():
        return False
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = {}
    found = found if isinstance(found, dict) else {}
    if _fingerprint(found) != _fingerprint(settings):
        differing = ", ".join(_differences(found, settings)) or "all of them"
        raise TrainingError(
            f"A cell was begun with other settings than now ({differing}).",
            remedy="Choose another folder, go back to those settings, or delete the cell's "
            "folder.",
            path=folder,
        )
    return True


def _tidy(folder: Path, kept: Collection[str]) -> None:
    """Delete what served the training alone, and notes of earlier failures."""
    for path in folder.iterdir():
        if path.name in kept or path.name == ".lock":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _fingerprint(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what is not the same in two settings, by their last part."""
    names = []
    for part in _PARTS:
        first, second = one.get(part) or {}, other.get(part) or {}
        names += [
            key for key in {**first, **second} if first.get(key, ...) != second.get(key, ...)
        ]
    names += [whole for whole in _WHOLES if one.get(whole) != other.get(whole)]
    return list(dict.fromkeys(names))
