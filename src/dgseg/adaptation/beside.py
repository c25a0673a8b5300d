"""Labelled source data beside a site's scans: unsupervised adaptation as it was published."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dgseg.adaptation.watcher import Watcher
from dgseg.datasets.labelled_folder import labelled_entries
from dgseg.datasets.registry import DATASETS, Entry, load
from dgseg.errors import AdaptationError, DatasetError, DgsegError
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.schema import LabelSchema


def find_sources(names: Sequence[str], schema: LabelSchema) -> tuple[Entry, ...]:
    """The labelled scans of source data, none of which is read yet.

    Parameters
    ----------
    names : sequence of str
        Registered data sets, or folders as
        `dgseg.datasets.labelled_folder.labelled_entries` takes them.
    schema : LabelSchema
        Of the bundle that is adapted.

    Raises
    ------
    DatasetError
        If one is neither, or not there, or has no labels.
    AdaptationError
        If one labels other structures.
    """
    entries: list[Entry] = []
    for name in names:
        if name not in DATASETS:
            entries += labelled_entries(_folder(name), schema)
            continue
        data = load(name)
        if data.schema.names != schema.names:
            raise AdaptationError(
                f"The data set {name} labels {', '.join(data.schema.names)}, and the model "
                f"segments {', '.join(schema.names)}.",
                remedy="Choose source data of the same structures.",
            )
        entries += [entry for entry in data.entries if entry.labelled]
    return tuple(entries)


class SourceReader:
    """Reads labelled source scans and passes over those that are damaged.

    Parameters
    ----------
    entries : sequence of Entry
        With labels.
    watcher : Watcher
        Warned once of every scan that is passed over.
    site : collection of str
        Domains of the site: a source of the same name gets another.
    """

    def __init__(
        self, entries: Sequence[Entry], watcher: Watcher, site: Collection[str] = ()
    ) -> None:
        self._entries = tuple(entries)
        self._watcher = watcher
        self._site = frozenset(site)
        self._unusable: set[int] = set()

    def __len__(self) -> int:
        return len(self._entries) - len(self._unusable)

    def items(self) -> Iterator[AnnotatedScan]:
        """The scans with their labels, read one after the other.

        Raises
        ------
        AdaptationError
            If there are some, and not one of them is usable.
        """
        for number, entry in enumerate(self._entries):
            item = None if number in self._unusable else self._read(number, entry)
            if item is not None:
                yield item
        if self._entries and not len(self):
            raise AdaptationError(
                f"Not one of the {len(self._entries)} labelled source scans can be used.",
                remedy="See what is said of each of them, or adapt without source data.",
            )

    def _read(self, number: int, entry: Entry) -> AnnotatedScan | None:
        try:
            item = entry.load()
        except DgsegError as error:
            self._unusable.add(number)
            self._watcher.warn(error)
            return None
        if item.domain in self._site:
            return replace(item, domain=f"{item.domain} (source)")
        return item


def _folder(name: str) -> Path:
    folder = Path(name)
    if not folder.is_dir():
        raise DatasetError(
            "Source data are neither a known data set nor a folder.",
            remedy=f"Name a folder of labelled scans, or one of {', '.join(DATASETS)}.",
            path=folder,
        )
    return folder
