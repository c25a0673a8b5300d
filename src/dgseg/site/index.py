"""The list of a site's scans on disk: the one place where paths are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dgseg.errors import WorkspaceError
from dgseg.scans.memory import ARRAY_NAME
from dgseg.scans.scan import ScanSource
from dgseg.site.records import SCHEMA_VERSION, IndexEntry, IndexFile
from dgseg.site.state import read_state, write_state

INDEX_NAME = "scans.json"


class ScanIndex:
    """``scans.json`` in memory and on disk; what is in memory is on disk too.

    Parameters
    ----------
    path : Path
        The workspace.

    Raises
    ------
    WorkspaceError
        If it is damaged beyond its second copy, or newer than this program.
    """

    def __init__(self, path: Path) -> None:
        self._path = path / INDEX_NAME
        found = read_state(self._path, IndexFile, SCHEMA_VERSION) or IndexFile()
        entries = (_at_home(entry, path) for entry in found.scans)
        self._entries = {entry.scan_id: entry for entry in entries}

    def __iter__(self) -> Iterator[IndexEntry]:
        return iter(list(self._entries.values()))

    def __contains__(self, scan_id: str) -> bool:
        return scan_id in self._entries

    def __getitem__(self, scan_id: str) -> IndexEntry:
        try:
            return self._entries[scan_id]
        except KeyError:
            raise WorkspaceError(
                f"The site has no scan {scan_id}.", remedy="Add the scan first."
            ) from None

    def put(self, entry: IndexEntry) -> None:
        """Add or replace a scan; on return it is on disk.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses; the list is then as it was.
        """
        self._replace({**self._entries, entry.scan_id: entry})

    def drop(self, scan_id: str) -> None:
        """Take a scan out; on return that is on disk.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses; the list is then as it was.
        """
        self._replace({key: value for key, value in self._entries.items() if key != scan_id})

    def _replace(self, entries: dict[str, IndexEntry]) -> None:
        write_state(self._path, IndexFile(scans=tuple(entries.values())))
        self._entries = entries


def absolute(source: ScanSource) -> ScanSource:
    """The same source, whatever the current folder will be when it is read again."""
    return source.model_copy(update={"path": source.path.absolute()})


def _at_home(entry: IndexEntry, workspace: Path) -> IndexEntry:
    """An image without a file lies in the workspace, wherever that was moved to."""
    if entry.source.kind != "memory":
        return entry
    path = workspace / "scans" / entry.scan_id / ARRAY_NAME
    return entry.model_copy(update={"source": entry.source.model_copy(update={"path": path})})
