"""What a data set is: its description, and its scans by name, read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.scan import ScanSource
from dgseg.scans.schema import LabelSchema


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set without having it.

    Attributes
    ----------
    name, title : str
        Name in the registry; one line for people.
    url : str
        Where its files can be downloaded; empty where they cannot.
    sha256 : mapping of str to str
        For what can be downloaded: path below `url` -> SHA-256, 64 hex digits.
    licence, citation : str
    schema : LabelSchema
    spacing_known : bool
        Whether the headers tell the true size of a voxel; where not, work in
        pixels and never report millimetres.
    """

    name: str
    title: str
    url: str
    licence: str
    schema: LabelSchema
    citation: str
    sha256: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    spacing_known: bool = True


@dataclass(frozen=True)
class Entry:
    """One scan of a data set; `load` reads it, nothing is read before.

    Attributes
    ----------
    domain, subject : str
        As in `AnnotatedScan`.
    source : ScanSource
        Where the image is.
    labelled : bool
        Whether labels come with it.
    loader : callable
        What `load` calls.
    """

    domain: str
    subject: str
    source: ScanSource
    labelled: bool
    loader: Callable[[], AnnotatedScan] = field(repr=False)

    def load(self) -> AnnotatedScan:
        """Read the scan and its labels.

        Raises
        ------
        ScanError, LabelsError
            If a file is damaged, or the labels are not on the scan's grid.
        """
        return self.loader()


@dataclass(frozen=True)
class Dataset:
    """The scans of one data set.

    Attributes
    ----------
    info : DatasetInfo
    schema : LabelSchema
    entries : tuple of Entry
    """

    info: DatasetInfo
    schema: LabelSchema
    entries: tuple[Entry, ...]

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, in the order of the entries."""
        return tuple(dict.fromkeys(entry.domain for entry in self.entries))
