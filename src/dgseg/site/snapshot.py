"""A site's scans and corrections as they are now, for a job that runs while work goes on.

A snapshot is a folder with ``scans.json``, written last, and a copy of the
journal of each corrected scan: later strokes do not reach it. It holds paths of
scans, so it stays in the inputs of its job.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from dgseg.errors import WorkspaceError, write_error
from dgseg.files import write_json
from dgseg.scans.scan import ScanSource
from dgseg.scans.schema import LabelSchema
from dgseg.site.corrections import Corrections
from dgseg.site.domains import domain_names, veiled
from dgseg.site.records import SCHEMA_VERSION, Group, ScanId
from dgseg.site.state import read_state, sync_folder
from dgseg.site.workspace import Workspace

_INDEX = "scans.json"


@dataclass(frozen=True, eq=False)
class SnapshotScan:
    """One scan of a snapshot.

    Attributes
    ----------
    scan_id : str
        Its identifier.
    source : ScanSource
        Where it is read from; private.
    domain : str
        The site as training sees it; where it has several scanners or sequences, the one
        that the scan is of (`dgseg.site.domains`).
    labels : ndarray of uint8, shape (slices, rows, columns), or None
        The corrected slices, and the proposal elsewhere; None for a scan
        without corrections.
    annotated : ndarray of bool, shape (slices,), or None
        The slices that a person changed or confirmed.
    site : str
        The site's name; empty where `domain` is that.
    """

    scan_id: str
    source: ScanSource
    domain: str
    labels: np.ndarray | None
    annotated: np.ndarray | None
    site: str = ""

    def domain_as(self, *, parted: bool) -> str:
        """Its domain, for those to whom a site has parts and for those to whom it is one."""
        return self.domain if parted else self.site or self.domain


class _ScanEntry(BaseModel):
    model_config = ConfigDict(frozen=True)

    scan_id: ScanId
    source: ScanSource
    shape: tuple[int, int, int]
    corrected: bool
    group: Group = ""


class _SnapshotFile(BaseModel):
    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA_VERSION
    domain: str
    labels: LabelSchema
    scans: tuple[_ScanEntry, ...]


def write_snapshot(workspace: Workspace, folder: str | Path) -> Path:
    """Write a site's scans and corrections into a folder.

    Parameters
    ----------
    workspace : Workspace
        Open for work, or a view: then without what another program has not
        put on disk yet.
    folder : path-like
        Created if need be.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    WorkspaceWriteError
        If corrections could not be put on disk first, or the disk refuses now.
    """
    folder = Path(folder)
    workspace.flush()
    entries = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _INDEX).unlink(missing_ok=True)
        for record in workspace.records:
            corrections = workspace.corrections(record.scan_id)
            corrected = bool(corrections.slices)
            if corrected:
                shutil.copyfile(corrections.path, _journal(folder, record.scan_id))
            entries.append(
                _ScanEntry(
                    scan_id=record.scan_id,
                    source=record.source,
                    shape=record.shape,
                    corrected=corrected,
                    group=veiled(record.group, workspace.secret),
                )
            )
        content = _SnapshotFile(
            domain=workspace.name, labels=workspace.schema, scans=tuple(entries)
        )
        write_json(folder / _INDEX, content.model_dump(mode="json"))
        sync_folder(folder)
    except OSError as error:
        raise write_error("The corrections could not be copied", folder, error) from error
    return folder


def read_snapshot(folder: str | Path) -> list[SnapshotScan]:
    """Read a snapshot: every scan of the site, the corrected ones with their labels.

    Raises
    ------
    WorkspaceError
        If the folder holds no whole snapshot.
    """
    folder = Path(folder)
    content = read_state(folder / _INDEX, _SnapshotFile, SCHEMA_VERSION)
    if content is None:
        raise WorkspaceError(
            "This folder holds no corrections for a job, or unfinished ones.",
            remedy="Start the job again from the site.",
            path=folder,
        )
    names = domain_names(content.domain, (entry.group for entry in content.scans))
    return [_read_scan(folder, content, entry, names[entry.group]) for entry in content.scans]


def _read_scan(
    folder: Path, content: _SnapshotFile, entry: _ScanEntry, domain: str
) -> SnapshotScan:
    unlabelled = SnapshotScan(entry.scan_id, entry.source, domain, None, None, content.domain)
    if not entry.corrected:
        return unlabelled
    path = _journal(folder, entry.scan_id)
    corrections = Corrections(path, content.labels, shape=entry.shape)
    if not corrections.slices:
        raise WorkspaceError(
            f"The corrections of scan {entry.scan_id} are missing from the job's inputs.",
            remedy="Start the job again from the site.",
            path=path,
        )
    return replace(unlabelled, labels=corrections.labels, annotated=corrections.annotated)


def _journal(folder: Path, scan_id: str) -> Path:
    return folder / f"{scan_id}.journal"
