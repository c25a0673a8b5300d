"""From the wish for the next slice to its being on display. No Qt, no viewer."""

from __future__ import annotations

from psygnal import Signal

from dgseg.site.pool import Pool, ScanSlices, pool_of
from dgseg.site.suggest import Suggestion, suggest_slice
from dgseg.site.survey import previous_bundle, survey_scan, survey_stamp
from dgseg.site.workspace import Workspace
from napari_dgseg.correcting import Correcting
from napari_dgseg.session import OpenScan, SiteSession, as_known


class Suggesting:
    """Finds the slice of the whole site that is worth most, and goes to its scan.

    Make it after what shows scans: it goes on where they have been shown.

    Parameters
    ----------
    session : SiteSession
        The site.
    correcting : Correcting
        Goes on in the other scan, where the one before was being corrected.
    """

    arrived = Signal(Suggestion)
    """The scan of a suggestion is open: show its slice."""
    refused = Signal(str)
    """There is nothing to go to; why, as a sentence."""
    busy_changed = Signal()

    def __init__(self, session: SiteSession, correcting: Correcting) -> None:
        self._session = session
        self._correcting = correcting
        self._survey = _Survey()
        self._goal: Suggestion | None = None
        self._is_asking = self._goes_on = False
        session.scan_opened.connect(self._on_opened)
        session.rows_changed.connect(self._on_rows)
        session.workspace_changed.connect(self._forget)

    @property
    def is_busy(self) -> bool:
        """Whether a slice is being looked for, or its scan is being opened."""
        return self._is_asking or self._goal is not None

    def go(self) -> None:
        """Look for the next slice, and open its scan; hand every stroke on before."""
        session, workspace = self._session, self._session.workspace
        if workspace is None or session.info is None or self.is_busy:
            return
        rows = [row for row in session.rows if row.scan_id and row.error is None]
        scan_ids = tuple(row.scan_id for row in rows)
        closed = {row.scan_id for row in rows if row.kind == "reviewed"}
        bundle_id = session.info.bundle_id
        self._goes_on = self._correcting.is_started
        self._is_asking = True
        self.busy_changed.emit()
        session.runner.submit(
            lambda _: self._survey.suggest(workspace, bundle_id, scan_ids, closed),
            on_result=lambda found: self._take(workspace, found),
            on_error=self._failed,
        )

    # --- answers ------------------------------------------------------------------

    def _take(self, workspace: Workspace, found: Suggestion | None) -> None:
        if not self._is_asking or self._session.workspace is not workspace:
            return
        self._is_asking = False
        current = self._session.current
        if found is None:
            self._end("Every slice of the segmented scans has been looked at.")
        elif current is not None and current.scan_id == found.scan_id:
            self._goal = found
            self._arrive()
        else:
            self._goal = found
            self._session.open_scan(found.scan_id)

    def _failed(self, error: BaseException) -> None:
        self._forget()
        self._session.failed.emit(as_known(error))

    def _on_opened(self, opened: OpenScan) -> None:
        if self._goal is not None and opened.scan_id == self._goal.scan_id:
            # It is opened from a scan that was being corrected, and so goes on.
            if self._goes_on and not self._correcting.is_started:
                self._correcting.start()
            self._arrive()

    def _on_rows(self) -> None:
        """Give up where the scan cannot be opened, or the person opens another one."""
        goal, current = self._goal, self._session.current
        if goal is None or self._session.opening == goal.scan_id:
            return
        if current is None or current.scan_id != goal.scan_id:
            row = self._session.row(goal.scan_id)
            failed = row is None or row.error is not None
            self._end("The suggested scan could not be opened: see step 1." if failed else "")

    def _arrive(self) -> None:
        goal, self._goal = self._goal, None
        self.busy_changed.emit()
        if goal is not None:
            self.arrived.emit(goal)

    def _end(self, why: str) -> None:
        self._forget()
        self.refused.emit(why)

    def _forget(self) -> None:
        self._goal, self._is_asking = None, False
        self.busy_changed.emit()


class _Survey:
    """What is known of a site's slices; what did not change is not read again.

    It is used by the runner's thread alone.
    """

    def __init__(self) -> None:
        self._scans: dict[str, tuple[object, ScanSlices | None]] = {}
        self._pool: Pool | None = None

    def suggest(
        self, workspace: Workspace, bundle_id: str, scan_ids: tuple[str, ...], closed: set[str]
    ) -> Suggestion | None:
        """The next slice of these scans."""
        previous_id = previous_bundle(workspace)
        scans: dict[str, tuple[object, ScanSlices | None]] = {}
        for scan_id in scan_ids:
            now = survey_stamp(workspace, scan_id, bundle_id, previous_id)
            known = self._scans.get(scan_id)
            if known is None or known[0] != now:
                known = now, survey_scan(workspace, scan_id, bundle_id, previous_id)
            scans[scan_id] = known
        if self._pool is None or scans != self._scans:
            found = (slices for _, slices in scans.values())
            self._pool = pool_of([slices for slices in found if slices is not None])
        self._scans = scans
        done = {scan_id: workspace.corrections(scan_id).slices for scan_id in scan_ids}
        return suggest_slice(self._pool, done, workspace.schema.names, closed)
