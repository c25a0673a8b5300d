"""The latent factors of all scans of the site, one after the other. No Qt, no viewer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from psygnal import Signal

from dgseg.errors import DgsegError
from dgseg.factors.record import ScanFactors, read_factors
from dgseg.site.proposals import has_proposal, read_proposal
from dgseg.worker.protocol import Inspect, InspectResult
from napari_dgseg.inspector.models import SeenModel
from napari_dgseg.segmenting import Worker, another_image
from napari_dgseg.session import SiteSession, as_known
from napari_dgseg.tasks import Report

Key = tuple[str, str]
"""Identifiers of a bundle and of a scan."""


@dataclass(frozen=True)
class _Place:
    """Where a record and the proposal that goes with it are."""

    key: Key
    factors: Path
    proposal: Path


class Gathering:
    """Fetches records from the workspace, and has the worker make those that lack.

    The worker is asked for one scan at a time, so that a person's own question waits
    for one scan at most; `hold` gives up even that one.

    Parameters
    ----------
    session : SiteSession
        Whose scans.
    worker : Worker
        Computes.
    """

    changed = Signal()
    """How far it is."""
    found = Signal(str, str)
    """A record is there: identifiers of bundle and scan."""

    def __init__(self, session: SiteSession, worker: Worker) -> None:
        self._session, self._worker = session, worker
        self._models: dict[str, SeenModel] = {}
        self._records: dict[Key, ScanFactors] = {}
        self._waiting: deque[Key] = deque()
        self._reading: set[Key] = set()
        self._running: Key | None = None
        self._request = 0
        self.holds: set[str] = set()  # why it waits
        self._segmented: frozenset[str] = frozenset()
        self._scan_ids: list[str] = []
        self.fraction = 0.0
        self.errors: dict[Key, DgsegError] = {}
        session.rows_changed.connect(self._on_rows)

    def close(self) -> None:
        """Stop for good."""
        self._session.rows_changed.disconnect(self._on_rows)
        self.want([])

    # --- what is known ------------------------------------------------------------

    def factors(self, bundle_id: str, scan_id: str) -> ScanFactors | None:
        """What a bundle sees in a scan, where that is known by now."""
        return self._records.get((bundle_id, scan_id))

    def all_of(self, bundle_id: str) -> list[ScanFactors]:
        """All that is known of a bundle's view of the site, in the order of its scans."""
        found = (self.factors(bundle_id, scan_id) for scan_id in self._session.scan_ids)
        return [factors for factors in found if factors is not None]

    @property
    def n_total(self) -> int:
        """How many records are wanted."""
        return len(self._models) * len(self._scan_ids)

    @property
    def n_done(self) -> int:
        """How many there are."""
        return len(self._records)

    @property
    def is_busy(self) -> bool:
        """Whether records are still to come."""
        return bool(self._waiting or self._reading) or self._running is not None

    @property
    def is_running(self) -> bool:
        """Whether the worker looks into a scan."""
        return self._running is not None

    # --- what is wanted -----------------------------------------------------------

    def want(self, models: Iterable[SeenModel], first: str = "") -> None:
        """Gather for these bundles, the scan `first` before all others; forget the rest."""
        self._models = {model.bundle_id: model for model in models}
        self._scan_ids = self._session.scan_ids
        self._segmented = self._segmented_now()
        wanted = [(bundle_id, scan) for bundle_id in self._models for scan in self._scan_ids]
        for kept in (self._records, self.errors):
            for key in set(kept).difference(wanted):
                del kept[key]
        self._reading.intersection_update(wanted)
        self._waiting = deque(key for key in self._waiting if key in wanted)
        if self._running is not None and self._running not in wanted:
            self._give_up()
        fresh = [key for key in wanted if not self._is_known(key)]
        self._fetch(sorted(fresh, key=lambda key: key[1] != first))
        self.put_first(first)
        self._go_on()

    def put_first(self, scan_id: str) -> None:
        """Make a scan the next one, without stopping the one that runs."""
        ahead = [key for key in self._waiting if key[1] == scan_id]
        self._waiting = deque([*ahead, *(key for key in self._waiting if key[1] != scan_id)])

    def hold(self, why: str) -> None:
        """Ask for nothing more until `go_on` with the same reason; stop the scan that runs."""
        self.holds.add(why)
        if self._running is not None:
            again = self._running
            self._give_up()
            self._waiting.appendleft(again)
        self.changed.emit()

    def go_on(self, why: str) -> None:
        """Take a reason to wait back."""
        if why in self.holds:
            self.holds.remove(why)
            self._go_on()

    def try_again(self) -> None:
        """Compute anew what failed."""
        failed, self.errors = list(self.errors), {}
        self._waiting.extend(key for key in failed if key not in self._waiting)
        self._go_on()

    def _is_known(self, key: Key) -> bool:
        known = key in self._records or key in self.errors or key == self._running
        return known or key in self._waiting or key in self._reading

    # --- records on disk ----------------------------------------------------------

    def _fetch(self, keys: list[Key]) -> None:
        """Read records on the runner; those that are not there go to the worker."""
        if not keys:
            return
        places = [place for key in keys if (place := self._place(key)) is not None]
        self._reading.update(keys)
        self._session.runner.submit(
            lambda report: _read_all(places, report),
            on_item=lambda item: self._take(*item),
            on_result=lambda _: self._go_on(),
            on_error=lambda error: self._session.failed.emit(as_known(error)),
        )

    def _place(self, key: Key) -> _Place | None:
        workspace, model = self._session.workspace, self._models.get(key[0])
        if workspace is None or model is None:
            return None
        folder = workspace.factors_folder(key[1], key[0])
        return _Place(key, folder, model.proposal_folder(workspace, key[1]))

    def _take(self, key: Key, factors: ScanFactors | None) -> None:
        if key not in self._reading:
            return  # nobody wants it any more
        self._reading.remove(key)
        if factors is not None:
            self._records[key] = factors
            self.found.emit(*key)
        elif key not in self._waiting:
            current = self._session.current
            is_open = current is not None and current.scan_id == key[1]
            (self._waiting.appendleft if is_open else self._waiting.append)(key)
        self.changed.emit()

    # --- the worker ---------------------------------------------------------------

    def _go_on(self) -> None:
        workspace = self._session.workspace
        if self._running is not None or self.holds or not self._waiting or workspace is None:
            self.changed.emit()
            return
        self._running = key = self._waiting.popleft()
        bundle_id, scan_id = key
        self.fraction = 0.0
        model = self._models[bundle_id]
        try:
            source = self._session.source(scan_id)
        except DgsegError as error:
            self._failed(key, error)
            return
        proposal = model.proposal_folder(workspace, scan_id)
        self._request = self._worker.request(
            Inspect,
            source=source,
            bundle=model.path,
            out=workspace.factors_folder(scan_id, bundle_id),
            labels=proposal if has_proposal(proposal) else None,
            on_result=lambda result: self._done(key, result),
            on_error=lambda error: self._failed(key, error),
            on_progress=self._progress,
            on_cancelled=lambda: None,
        )
        self.changed.emit()

    def _give_up(self) -> None:
        self._worker.cancel(self._request)
        self._running, self._request = None, 0

    def _progress(self, progress: object) -> None:
        self.fraction = float(getattr(progress, "fraction", 0.0))
        self.changed.emit()

    def _done(self, key: Key, result: InspectResult) -> None:
        if key != self._running:
            return
        self._running = None
        if result.scan_id != key[1]:
            self._note(key, another_image())
        elif result.bundle_id != key[0]:
            self._note(key, _replaced())
            self._session.refresh_model()
        else:
            self._reading.add(key)
            place = self._place(key)
            self._session.runner.submit(
                lambda _: None if place is None else _read(place),
                on_result=lambda factors: self._take_made(key, factors),
                on_error=lambda error: self._note(key, as_known(error)),
            )
            self._go_on()

    def _take_made(self, key: Key, factors: ScanFactors | None) -> None:
        if factors is not None:
            self._take(key, factors)
        elif key in self._reading:
            self._reading.remove(key)
            self._note(key, _unreadable())

    def _failed(self, key: Key, error: DgsegError) -> None:
        if key == self._running:
            self._running = None
            self._note(key, error)

    def _note(self, key: Key, error: DgsegError) -> None:
        self.errors[key] = error
        self._go_on()

    # --- what the session says ----------------------------------------------------

    def _segmented_now(self) -> frozenset[str]:
        kinds = ("segmented", "corrected", "reviewed")
        return frozenset(row.scan_id for row in self._session.rows if row.kind in kinds)

    def _on_rows(self) -> None:
        """Gather for new scans, forget those that are gone, read uncertainties anew."""
        if not self._models:
            return
        proposed = self._segmented_now() - self._segmented
        if proposed:
            self._segmented |= proposed
            self._fetch([key for key in self._records if key[1] in proposed])
        if self._session.scan_ids != self._scan_ids:
            self.want(list(self._models.values()))


def _read_all(places: list[_Place], report: Report) -> None:
    for place in places:
        report((place.key, _read(place)))


def _read(place: _Place) -> ScanFactors | None:
    """A record with its thumbnails in memory and the uncertainty as it is by now."""
    factors = read_factors(place.factors)
    if factors is None or (factors.bundle_id, factors.scan_id) != place.key:
        return None
    proposal = read_proposal(place.proposal)
    uncertainty = factors.uncertainty
    if proposal is not None and len(proposal.slice_uncertainty) == factors.n_slices:
        uncertainty = proposal.slice_uncertainty
    # A file that is mapped cannot be replaced on Windows.
    thumbnails = np.array(factors.thumbnails)
    return replace(factors, uncertainty=uncertainty, thumbnails=thumbnails)


def _replaced() -> DgsegError:
    return DgsegError("The model was replaced meanwhile.", remedy="Open the site again.")


def _unreadable() -> DgsegError:
    return DgsegError(
        "What was computed cannot be read again.",
        remedy="See that the disk of the site is not full, and try again.",
    )
