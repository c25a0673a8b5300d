"""Reading a site's scans, whatever became of them since they were corrected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from dgseg.adaptation.beside import SourceReader
from dgseg.adaptation.watcher import Watcher
from dgseg.errors import AdaptationError, DgsegError, ScanChangedError, ScanError
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.scan import Scan
from dgseg.scans.sources import read
from dgseg.site.snapshot import SnapshotScan


class SiteReader:
    """Reads scans and passes over those that are gone, changed or empty.

    Parameters
    ----------
    scans : sequence of SnapshotScan
    watcher : Watcher
        Warned once of every scan that is passed over.
    sources : SourceReader, optional
        Labelled scans of other centres that are learnt from beside the site's.

    Attributes
    ----------
    unusable : set of str
        Ids of the site's scans that were passed over.
    sources : SourceReader or None
    """

    def __init__(
        self,
        scans: Sequence[SnapshotScan],
        watcher: Watcher,
        sources: SourceReader | None = None,
    ) -> None:
        self.unusable: set[str] = set()
        self.sources = sources
        self._scans = tuple(scans)
        self._watcher = watcher

    def check(self) -> None:
        """Read every scan once.

        Raises
        ------
        AdaptationError
            If not one of them is usable.
        """
        usable = 0
        for index, item in enumerate(self._scans):
            usable += self.read(item) is not None
            self._watcher.progress(index + 1, len(self._scans))
        if not usable:
            raise AdaptationError(
                f"Not one of the site's {len(self._scans)} scans can be read.",
                remedy="Bring the files back to where they were, or add them again.",
            )

    @property
    def left_out(self) -> str:
        """What was passed over, in a sentence; empty where nothing was."""
        if not self.unusable:
            return ""
        passed_over = [item for item in self._scans if item.scan_id in self.unusable]
        n, n_slices = len(passed_over), _count_corrected(passed_over)
        corrected = f", with {n_slices} corrected slices," if n_slices > 1 else ""
        corrected = ", with one corrected slice," if n_slices == 1 else corrected
        verb = "was" if n == 1 else "were"
        return (
            f"{n} of {len(self._scans)} scans{corrected} {verb} left out: "
            "missing, changed or not readable."
        )

    @property
    def usable(self) -> tuple[SnapshotScan, ...]:
        """The scans that were not passed over so far."""
        return tuple(item for item in self._scans if item.scan_id not in self.unusable)

    @property
    def n_corrected(self) -> int:
        """Corrected slices of the scans that were not passed over so far."""
        return _count_corrected(self.usable)

    @property
    def unlabelled(self) -> frozenset[str] | None:
        """Domains that are learnt from without labels too; None for all there are."""
        if self.sources is None:
            return None
        return site_domains(self._scans)

    def read(self, item: SnapshotScan) -> Scan | None:
        """The scan; None, after one warning, if it will not do."""
        if item.scan_id in self.unusable:
            return None
        try:
            return _read(item)
        except DgsegError as error:
            self.unusable.add(item.scan_id)
            self._watcher.warn(error, scan_id=item.scan_id)
            return None


def _count_corrected(scans: Iterable[SnapshotScan]) -> int:
    return sum(int(item.annotated.sum()) for item in scans if item.annotated is not None)


def site_domains(scans: Iterable[SnapshotScan]) -> frozenset[str]:
    """The names of a site and of its parts, whichever of them a method looks at."""
    return frozenset(
        item.domain_as(parted=parted) for item in scans for parted in (True, False)
    )


def items_without(
    reader: SiteReader, heldout: Mapping[str, Sequence[int]], *, parted: bool = False
) -> Iterator[AnnotatedScan]:
    """The scans to learn from, one after the other, with some slices of the site's hidden.

    Parameters
    ----------
    reader : SiteReader
        Source data that it has come after the site's scans.
    heldout : mapping of str to sequence of int
        Slices by scan.
    parted : bool
        Whether the site's scanners and sequences are domains of their own.

    Raises
    ------
    AdaptationError
        If there are source data, and not one scan of them is usable.
    """
    for item in reader.usable:
        scan = reader.read(item)
        if scan is None:
            continue
        hidden = np.zeros(scan.n_slices, dtype=bool)
        hidden[list(heldout.get(item.scan_id, ()))] = True
        yield AnnotatedScan(
            scan=scan,
            labels=item.labels,
            annotated_slices=None if item.annotated is None else item.annotated & ~hidden,
            domain=item.domain_as(parted=parted),
            hidden_slices=hidden,
        )
    if reader.sources is not None:
        yield from reader.sources.items()


def _read(item: SnapshotScan) -> Scan:
    scan = read(item.source)
    if scan.scan_id != item.scan_id:
        raise ScanChangedError(
            "The scan is not the one that was added to the site: its file has changed.",
            remedy="Put the old file back, or add the new one as a scan of its own.",
            path=item.source.path,
        )
    if scan.array.min() == scan.array.max():
        raise ScanError(
            "All voxels of the scan have the same value.",
            remedy="Export the scan again.",
            path=item.source.path,
        )
    return scan
