"""Opening a site workspace: the lock, the layout, and a new site's first files."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from dgseg.bundles.bundle import default_bundle, read_info
from dgseg.errors import WorkspaceError, WorkspaceLockedError, write_error
from dgseg.scans.schema import LabelSchema
from dgseg.site.index import INDEX_NAME
from dgseg.site.lineage import HISTORY_NAME, Lineage
from dgseg.site.records import SCHEMA_VERSION, SiteFile
from dgseg.site.state import backup_of, read_state, write_state

SITE_NAME = "site.json"
_LOCK_NAME = "lock"
_FOLDERS = ("bundles", "scans", "jobs")
_OURS = {_LOCK_NAME, HISTORY_NAME, "archive", *_FOLDERS}
_STATE_FILES = (SITE_NAME, INDEX_NAME, HISTORY_NAME)


def lock(path: Path) -> BaseFileLock:
    """Create the folder if need be, and keep other programs from writing to it.

    The operating system frees the lock of a program that is killed.

    Raises
    ------
    WorkspaceLockedError
        If another program holds it.
    WorkspaceWriteError
        If the folder cannot be written.
    WorkspaceError
        If it is a file, or a folder with other things in it.
    """
    held = FileLock(path / _LOCK_NAME, timeout=0, thread_local=False)
    try:
        _require_ours(path)
        path.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except Timeout as error:
        raise WorkspaceLockedError(
            "This site is open in another window or program.",
            remedy="Close it there first. If it was opened on another computer, close it there.",
            path=path,
        ) from error
    except OSError as error:
        raise write_error("The site cannot be opened for work", path, error) from error
    return held


def load(path: Path) -> SiteFile | None:
    """What ``site.json`` says, or None where there is no site yet.

    Raises
    ------
    WorkspaceError
        If it is damaged beyond its second copy, newer than this program, or gone
        from a site that has scans.
    """
    site = read_state(path / SITE_NAME, SiteFile, SCHEMA_VERSION)
    if site is None and (path / INDEX_NAME).exists():
        raise WorkspaceError(
            f"The site has lost its {SITE_NAME} and the second copy of it.",
            remedy=f"Restore {SITE_NAME} from a backup; the corrections are intact.",
            path=path,
        )
    return site


def create(path: Path, name: str, schema: LabelSchema | None, bundle: Path | None) -> SiteFile:
    """Write the first files of a new site; ``site.json`` last, for it makes it one.

    Raises
    ------
    BundleError
        If the bundle cannot be used, or segments other structures than `schema`.
    WorkspaceWriteError
        If the disk refuses.
    """
    bundle = default_bundle() if bundle is None else Path(bundle)
    labels = read_info(bundle).labels if schema is None else schema
    _make_folders(path)
    info = Lineage(path, labels).begin(bundle)
    site = SiteFile(
        name=name or path.name,
        labels=labels,
        accepted=info.bundle_id,
        secret=secrets.token_hex(16),
    )
    write_state(path / SITE_NAME, site)
    return site


def require_same(site: SiteFile, schema: LabelSchema | None, path: Path) -> None:
    """Refuse a site that is about other structures than those asked for.

    Raises
    ------
    WorkspaceError
        If it is.
    """
    if schema is not None and schema.names != site.labels.names:
        raise WorkspaceError(
            f"This site is about {', '.join(site.labels.names)}, not "
            f"{', '.join(schema.names)}.",
            remedy="Choose another folder for these structures.",
            path=path,
        )


def tidy(path: Path) -> None:
    """Clear away what a killed program had half written, which nothing refers to."""
    _make_folders(path)
    for name in _STATE_FILES:
        for file in path.glob(f".{name}.*"):
            file.unlink(missing_ok=True)
    for file in path.glob("scans/*/.corrections.journal.*"):
        file.unlink(missing_ok=True)
    for folder in path.glob("bundles/.*"):
        shutil.rmtree(folder, ignore_errors=True)


def _make_folders(path: Path) -> None:
    try:
        for name in _FOLDERS:
            (path / name).mkdir(exist_ok=True)
    except OSError as error:
        raise write_error("The site's folders cannot be created", path, error) from error


def _require_ours(path: Path) -> None:
    """A person's folder of scans, chosen by mistake, is not to be filled with files."""
    if path.exists() and not path.is_dir():
        raise WorkspaceError(
            "This is a file, not a folder.", remedy="Choose a folder for the site.", path=path
        )
    site = path / SITE_NAME
    if not path.exists() or site.exists() or backup_of(site).exists():
        return
    names = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}
    if names - _OURS - {INDEX_NAME, backup_of(path / INDEX_NAME).name}:
        raise WorkspaceError(
            "This folder holds other things, so no site can be started in it.",
            remedy="Choose a new or an empty folder.",
            path=path,
        )
