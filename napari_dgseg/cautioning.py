"""What a person should know before adapting, found as the work goes on. No Qt, no viewer."""

from __future__ import annotations

from psygnal import Signal

from dgseg.site.concerns import Concern, concerns
from dgseg.site.known import KnownScan, know_scan, stamp_of
from dgseg.site.workspace import Workspace
from napari_dgseg.session import SiteSession, as_known


class Cautioning:
    """Keeps the concerns about a site, as of its proposals and corrections.

    Parameters
    ----------
    session : SiteSession
        The site.

    Attributes
    ----------
    concerns : tuple of Concern
        The gravest first.
    """

    changed = Signal()

    def __init__(self, session: SiteSession) -> None:
        self._session = session
        self._known = _Known()
        self._is_asking = self._is_stale = False
        self.concerns: tuple[Concern, ...] = ()
        session.rows_changed.connect(self.refresh)
        session.proposal_changed.connect(self.refresh)
        session.workspace_changed.connect(self.refresh)

    def refresh(self, *_: object) -> None:
        """Look again, in the background; once more where that is going on."""
        session, workspace = self._session, self._session.workspace
        if workspace is None or not session.scan_ids:
            self._show(())
            return
        self._is_stale = self._is_asking
        if self._is_asking:
            return
        self._is_asking = True
        titles = {row.scan_id: row.title for row in session.rows if row.scan_id}
        bundle_id = session.info.bundle_id if session.info is not None else ""
        session.runner.submit(
            lambda _: self._known.concerns(workspace, titles, bundle_id),
            on_result=lambda found: self._take(workspace, found),
            on_error=lambda error: self._failed(workspace, error),
        )

    def _take(self, workspace: Workspace, found: tuple[Concern, ...]) -> None:
        self._is_asking = False
        if self._is_stale or self._session.workspace is not workspace:
            self.refresh()
        else:
            self._show(found)

    def _failed(self, workspace: Workspace, error: BaseException) -> None:
        self._is_asking = False
        if self._is_stale or self._session.workspace is not workspace:
            self.refresh()  # a scan may have been taken out meanwhile
        else:
            self._session.failed.emit(as_known(error))

    def _show(self, found: tuple[Concern, ...]) -> None:
        if found != self.concerns:
            self.concerns = found
            self.changed.emit()


class _Known:
    """What is known of a site's scans; what did not change is not read again.

    It is used by the runner's thread alone.
    """

    def __init__(self) -> None:
        self._scans: dict[str, tuple[object, KnownScan]] = {}

    def concerns(
        self, workspace: Workspace, titles: dict[str, str], bundle_id: str
    ) -> tuple[Concern, ...]:
        """The concerns about these scans."""
        scans = {}
        for scan_id, title in titles.items():
            now = stamp_of(workspace, scan_id, bundle_id)
            before = self._scans.get(scan_id)
            if now is None or before is None or before[0] != (title, now):
                before = (title, now), know_scan(workspace, scan_id, title, bundle_id)
            scans[scan_id] = before
        self._scans = scans
        return concerns([scan for _, scan in scans.values()], workspace.schema.names)
