"""What happens to corrections between the layer and the disk. No Qt, no viewer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import numpy as np
from psygnal import Signal

from dgseg.errors import DgsegError
from dgseg.site.corrections import Corrections, SliceState
from dgseg.site.suggest import least_certain
from napari_dgseg.session import OpenScan, SiteSession

SavedState = Literal["nothing", "saving", "saved", "failed"]


class Correcting:
    """The corrections of the open scan.

    Parameters
    ----------
    session : SiteSession
        Says which scan is open.
    """

    started = Signal(OpenScan)
    """The scan has a corrections layer to be shown."""
    slices_changed = Signal()
    saved_changed = Signal()

    def __init__(self, session: SiteSession) -> None:
        self._session = session
        self._corrections: Corrections | None = None
        self._base: np.ndarray | None = None
        self._confirmed: dict[int, np.ndarray] = {}
        self._failing: dict[str, DgsegError] = {}
        self.saved_at: datetime | None = None
        session.scan_opened.connect(self._on_opened)
        session.scan_closed.connect(self._let_go)

    # --- what there is ------------------------------------------------------------

    @property
    def is_started(self) -> bool:
        """Whether the open scan has corrections."""
        return self._corrections is not None and self._corrections.started

    @property
    def slices(self) -> dict[int, SliceState]:
        """The slices of the open scan that a person changed or confirmed."""
        return self._corrections.slices if self.is_started and self._corrections else {}

    @property
    def labels(self) -> np.ndarray | None:
        """The corrections layer's content: the base with all corrections, a copy."""
        return self._corrections.labels if self.is_started and self._corrections else None

    @property
    def error(self) -> DgsegError | None:
        """Why the disk takes no more corrections, of this scan or one before."""
        return next(iter(self._failing.values()), None)

    @property
    def saved(self) -> SavedState:
        """Whether every stroke is on disk."""
        if self._failing:
            return "failed"
        if not self.is_started or self._corrections is None:
            return "nothing"
        return "saving" if self._corrections.unsaved else "saved"

    @property
    def is_outdated(self) -> bool:
        """Whether the accepted model proposes something newer for the untouched slices."""
        current = self._session.current
        if not self.is_started or self._corrections is None or current is None:
            return False
        proposal = current.proposal
        return proposal is not None and proposal.bundle_id != self._corrections.bundle_id

    def why_not_start(self) -> str:
        """Why correcting cannot start; empty when it can."""
        if self._session.workspace is None:
            return "No site is open."
        if self._session.current is None:
            return "Open a scan in step 1 first."
        if self._session.current.proposal is None:
            return "Segment this scan in step 2 first: corrections start from its labels."
        return ""

    def least_certain(self) -> int | None:
        """The slice of the open scan that is least certain, among those nobody looked at."""
        current = self._session.current
        if current is None or current.proposal is None:
            return None
        return least_certain(current.proposal.slice_uncertainty, self.slices)

    # --- what a person does -------------------------------------------------------

    def start(self) -> None:
        """Copy the proposal into the corrections; again, for the untouched slices only."""
        current = self._session.current
        if current is None or current.proposal is None or self._corrections is None:
            return
        try:
            self._corrections.start(current.proposal.labels, current.proposal.bundle_id)
        except DgsegError as error:
            self._session.failed.emit(error)
            return
        self._base = current.proposal.labels
        self.started.emit(current)
        self._after_change()

    def record(self, index: int, labels: np.ndarray) -> None:
        """Take a slice as the layer has it now; one that is the proposal's again is none."""
        if self._corrections is None:
            return
        confirmed = self._confirmed.get(index)
        if confirmed is not None and np.array_equal(labels, confirmed):
            self._put(index, labels, "confirmed")
        elif self._base is not None and np.array_equal(labels, self._base[index]):
            self._take_back(index)
        else:
            self._put(index, labels, "changed")

    def confirm(self, index: int, labels: np.ndarray) -> None:
        """Say that a slice is right as it is."""
        if self.slices.get(index) != "changed":
            self._confirmed[index] = labels.copy()
            self._put(index, labels, "confirmed")

    def withdraw(self, index: int) -> np.ndarray | None:
        """Take back what was done to a slice; its labels as they then are."""
        if self._corrections is None or index not in self.slices:
            return None
        self._confirmed.pop(index, None)
        self._take_back(index)
        return self._corrections.slice_labels(index)

    # --- between the threads ------------------------------------------------------

    def _on_opened(self, opened: OpenScan) -> None:
        self._corrections = corrections = opened.corrections
        self._base, self.saved_at = opened.base, None
        runner, scan_id = self._session.runner, opened.scan_id
        # They stay connected when another scan is opened: a disk that is full then is
        # no less a reason to warn.
        corrections.on_saved = lambda: runner.post(lambda: self._take_saved(scan_id))
        corrections.on_error = lambda error: runner.post(
            lambda: self._take_error(scan_id, error)
        )
        if corrections.error is not None:
            self._failing[scan_id] = corrections.error
        if corrections.started:
            self._confirmed = {
                index: corrections.slice_labels(index)
                for index, state in corrections.slices.items()
                if state == "confirmed"
            }
            self.started.emit(opened)
        self.slices_changed.emit()
        self.saved_changed.emit()

    def _let_go(self) -> None:
        self._corrections, self._base = None, None
        self._confirmed.clear()
        self.slices_changed.emit()
        self.saved_changed.emit()

    def _put(self, index: int, labels: np.ndarray, state: SliceState) -> None:
        if self._corrections is None:
            return
        try:
            is_new = self._corrections.record(index, labels, state)
        except DgsegError as error:
            self._session.failed.emit(error)
        else:
            if is_new:
                self._after_change()

    def _take_back(self, index: int) -> None:
        if self._corrections is not None and index in self._corrections.slices:
            self._corrections.withdraw(index)
            self._after_change()

    def _after_change(self) -> None:
        self.slices_changed.emit()
        self.saved_changed.emit()
        if self._session.current is not None:
            self._session.refresh_row(self._session.current.scan_id)

    def _take_saved(self, scan_id: str) -> None:
        self._failing.pop(scan_id, None)
        self.saved_at = datetime.now()
        self.saved_changed.emit()

    def _take_error(self, scan_id: str, error: DgsegError) -> None:
        self._failing[scan_id] = error
        self.saved_changed.emit()
