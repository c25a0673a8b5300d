"""The folder of a cell: whose settings it was begun with, how it ended, what stays."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from dgseg.errors import TrainingError

SCORES_NAME = "scores.json"
FAILED_NAME = "failed.json"
SETTINGS_NAME = "cell.json"


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


def check_claim(
    folder: Path,
    settings: dict[str, Any],
    parts: Sequence[str] = ("config", "preset", "network"),
    wholes: Sequence[str] = ("split",),
) -> bool:
    """Whether a cell's folder was begun; refuse one that was begun with other settings.

    Parameters
    ----------
    folder : Path
    settings : dict
        As JSON has them.
    parts, wholes : sequence of str
        Settings whose fields are named where they differ, and those that are named
        themselves.

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
        differing = ", ".join(_differences(found, settings, parts, wholes)) or "all of them"
        raise TrainingError(
            f"A cell was begun with other settings than now ({differing}).",
            remedy="Choose another folder, go back to those settings, or delete the cell's "
            "folder.",
            path=folder,
        )
    return True


def tidy(folder: Path, kept: Collection[str]) -> None:
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


def _differences(
    one: dict[str, Any], other: dict[str, Any], parts: Sequence[str], wholes: Sequence[str]
) -> list[str]:
    """Names of what is not the same in two settings, by their last part."""
    names = []
    for part in parts:
        first, second = one.get(part) or {}, other.get(part) or {}
        names += [
            key for key in {**first, **second} if first.get(key, ...) != second.get(key, ...)
        ]
    names += [whole for whole in wholes if one.get(whole) != other.get(whole)]
    return list(dict.fromkeys(names))
