"""Small state files: replaced in one step, with a second copy to fall back on."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from dgseg.errors import WorkspaceError, write_error
from dgseg.files import write_json

_Model = TypeVar("_Model", bound=BaseModel)


def sync_folder(folder: Path) -> None:
    """Force new and replaced names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):  # Windows has no such thing; some shares neither
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def backup_of(path: Path) -> Path:
    """Where the second copy of a state file is."""
    return path.with_name(path.name + ".bak")


def write_state(path: Path, model: BaseModel) -> None:
    """Replace a state file, then its second copy.

    Raises
    ------
    WorkspaceWriteError
        If the disk refuses; the old file is then still there.
    """
    content = model.model_dump(mode="json")
    try:
        write_json(path, content)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error("The state of the site could not be saved", path, error) from error
    with contextlib.suppress(OSError):  # the first copy is sound: nothing is lost
        write_json(backup_of(path), content)


def read_state(path: Path, kind: type[_Model], version: int) -> _Model | None:
    """Read a state file, or its second copy where the first is damaged or gone.

    Parameters
    ----------
    path : Path
        The file.
    kind : type of BaseModel
        What it holds; it has a field ``schema_version``.
    version : int
        The newest version that this program knows.

    Returns
    -------
    BaseModel or None
        None where neither copy exists.

    Raises
    ------
    WorkspaceError
        If a newer program wrote it, or both copies are damaged.
    """
    found = False
    for copy in (path, backup_of(path)):
        try:
            content = json.loads(copy.read_text(encoding="utf-8"))
            _refuse_newer(content, version, copy)
            return kind.model_validate(content)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, ValidationError):
            found = True
    if not found:
        return None
    raise WorkspaceError(
        f"The site's {path.name} cannot be read, nor can its second copy.",
        remedy="Restore it from a backup; the corrections in the folder `scans` are intact.",
        path=path,
    )


def _refuse_newer(content: object, version: int, path: Path) -> None:
    found = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(found, int) and found > version:
        raise WorkspaceError(
            f"The site was written by a newer dgseg (format {found}; this one reads "
            f"up to {version}).",
            remedy="Update dgseg.",
            path=path,
        )
