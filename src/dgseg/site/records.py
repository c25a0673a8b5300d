"""What a site workspace knows of its scans and its models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dgseg.scans.scan import ScanSource
from dgseg.scans.schema import LabelSchema

SCHEMA_VERSION = 1
"""Version of the workspace's files that this version of dgseg writes."""

DECISION_NAME = "decision.json"
"""In the folder of an adaptation, once a person has decided on its candidate."""

ScanId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Group = Annotated[str, Field(pattern=r"^([0-9a-f]{6})?$")]
BundleId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


def utc_now() -> str:
    """The time: UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class ScanState:
    """How far the work on one scan has come.

    Attributes
    ----------
    kind : {'new', 'segmented', 'corrected', 'reviewed'}
        ``'segmented'``: the accepted bundle has proposed labels;
        ``'corrected'``: a person changed or confirmed slices;
        ``'reviewed'``: a person said that the scan is done.
    n_corrected : int
        Slices that a person changed or confirmed.
    """

    kind: Literal["new", "segmented", "corrected", "reviewed"]
    n_corrected: int = 0


@dataclass(frozen=True)
class ScanRecord:
    """One scan of a site.

    Attributes
    ----------
    scan_id : str
        Twelve hexadecimal digits over its content.
    source : ScanSource
        Where it is read from; private, for it holds a path.
    added : str
        ISO 8601, UTC.
    state : ScanState
        How far the work has come.
    shape : tuple of int
        Slices, rows and columns.
    group : str
        Of scans of the same scanner and sequence, see `dgseg.scans.appearance`; empty
        where that is not known, as of scans that older versions added.
    """

    scan_id: str
    source: ScanSource
    added: str
    state: ScanState
    shape: tuple[int, int, int]
    group: str = ""


class HistoryEntry(BaseModel):
    """One decision on the accepted bundle.

    Attributes
    ----------
    bundle_id : str
        The bundle that became the accepted one, or stayed it.
    parent_id : str or None
        The bundle that it was fine-tuned from; None where it stayed.
    time : str
        ISO 8601, UTC.
    action : {'initial', 'accepted', 'refused', 'rolled-back'}
        What happened; a ``'refused'`` candidate left everything as it was.
    note : str
        The gate's sentence, or which bundle was left.
    numbers : dict
        The gate's numbers, and as ``n_corrected`` the slices that were corrected when
        the adaptation began, which older versions did not write.
    """

    model_config = ConfigDict(frozen=True)

    bundle_id: BundleId
    parent_id: str | None = None
    time: str = Field(default_factory=utc_now)
    action: Literal["initial", "accepted", "refused", "rolled-back"]
    note: str = ""
    numbers: dict[str, Any] = {}

    @property
    def n_corrected(self) -> int | None:
        """Slices that were corrected when the adaptation began; None where not noted."""
        n = self.numbers.get("n_corrected")
        return n if isinstance(n, int) else None

    @property
    def dice(self) -> tuple[float, float] | None:
        """Mean Dice before and after; None where there was nothing to judge by."""
        before, after = self.numbers.get("dice_before"), self.numbers.get("dice_after")
        if isinstance(before, int | float) and isinstance(after, int | float):
            return float(before), float(after)
        return None


class SiteFile(BaseModel):
    """Content of ``site.json``.

    The secret, hexadecimal digits, keeps what leaves the site from telling what is typed
    in the headers of its scans, also to those who guess; older sites have none.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA_VERSION
    name: str
    labels: LabelSchema
    accepted: BundleId
    created: str = Field(default_factory=utc_now)
    secret: str = ""


class IndexEntry(BaseModel):
    """One scan in ``scans.json``."""

    model_config = ConfigDict(frozen=True)

    scan_id: ScanId
    source: ScanSource
    shape: tuple[int, int, int]
    added: str = Field(default_factory=utc_now)
    reviewed: bool = False
    group: Group = ""


class IndexFile(BaseModel):
    """Content of ``scans.json``, the only file of a workspace that holds paths."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA_VERSION
    scans: tuple[IndexEntry, ...] = ()
