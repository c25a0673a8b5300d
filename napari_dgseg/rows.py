"""The lines of the table of scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dgseg.errors import DgsegError
from dgseg.scans.scan import ScanSource
from dgseg.site.records import ScanRecord

RowKind = Literal["reading", "new", "segmented", "corrected", "reviewed", "bad"]


@dataclass(frozen=True)
class Row:
    """A line of the table of scans.

    Attributes
    ----------
    key : str
        The scan id, or for what is no scan (yet) its path.
    scan_id : str
        Empty for what is no scan (yet).
    title, place, detail : str
        Name; folder or series; size.
    kind : str
        Where the scan stands.
    n_corrected : int
        Slices that a person made right.
    error : DgsegError or None
        Why it cannot be opened or segmented.
    """

    key: str
    title: str
    scan_id: str = ""
    place: str = ""
    detail: str = ""
    kind: RowKind = "new"
    n_corrected: int = 0
    error: DgsegError | None = None

    @property
    def state_text(self) -> str:
        """The state in words."""
        if self.kind == "corrected":
            return f"{self.n_corrected} slice{'' if self.n_corrected == 1 else 's'} corrected"
        return {"bad": "problem", "reading": "reading …"}.get(self.kind, self.kind)


def row_of(record: ScanRecord, error: DgsegError | None = None) -> Row:
    """The line of a scan of the site."""
    source = record.source
    return Row(
        key=record.scan_id,
        scan_id=record.scan_id,
        title=source.title or source.path.name,
        place=_place(source),
        detail=source.detail,
        kind="bad" if error is not None else record.state.kind,
        n_corrected=record.state.n_corrected,
        error=error,
    )


def _place(source: ScanSource) -> str:
    if source.kind == "memory":
        return "layer in the viewer"
    return source.path.name if source.kind == "dicom" else source.path.parent.name
