"""From a finished adaptation to a walk through what it changed. No Qt, no viewer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from dgseg.jobs.folder import JobFolder
from dgseg.site.changes import ScanChange, SliceChange, changed_slices, count_changes
from dgseg.site.proposals import read_proposal, stamp
from dgseg.site.workspace import Workspace
from napari_dgseg.adapting import Adapting
from napari_dgseg.compare import Comparison
from napari_dgseg.session import SiteSession, as_known
from napari_dgseg.stage import Stage

if TYPE_CHECKING:
    from napari.layers import Layer


class Walking:
    """Leads through the slices in which the old and the new model differ most.

    The scans are compared one after the other, so that opening one never waits for
    all. Make it after what shows scans and their comparison.

    Parameters
    ----------
    session : SiteSession
    stage : Stage
        Shows the slice.
    adapting : Adapting
        Says which candidate waits for a decision.
    comparison : Comparison
        Shows the difference.
    come_near : callable
        Called with a layer and a mask (rows, columns) of the structures in the slice
        on display, once for each scan that the walk opens.
    """

    changed = Signal()

    def __init__(
        self,
        session: SiteSession,
        stage: Stage,
        adapting: Adapting,
        comparison: Comparison,
        come_near: Callable[[Layer, np.ndarray], None] = lambda *_: None,
    ) -> None:
        self._session, self._stage = session, stage
        self._adapting, self._comparison = adapting, comparison
        self._come_near = come_near
        self._about: tuple[object, ...] = ()
        self._counted: dict[str, ScanChange | None] = {}
        self._stamps: dict[str, int] = {}
        self._todo: list[str] = []
        self._seen: set[tuple[str, int]] = set()
        self._goal: SliceChange | None = None
        self._forget()
        adapting.changed.connect(self._look)
        session.rows_changed.connect(self._look)
        session.scan_opened.connect(self._on_opened)
        comparison.shown.connect(self._arrive)

    def _forget(self) -> None:
        self._about, self._goal = (), None
        self._counted, self._stamps, self._todo = {}, {}, []
        self._seen = set()
        self.changes: list[SliceChange] = []
        self.at = -1
        self.is_busy = self._is_near = False

    # --- what is known ------------------------------------------------------------

    @property
    def n_compared(self) -> int:
        """Scans for which there are proposals of both models."""
        return sum(change is not None for change in self._counted.values())

    @property
    def n_scans(self) -> int:
        """All scans of the site."""
        return len(self._session.scan_ids)

    @property
    def current(self) -> SliceChange | None:
        """The slice that the walk is at; None before its first step."""
        return self.changes[self.at] if self.at >= 0 else None

    @property
    def title(self) -> str:
        """Name of the scan that the walk is at; empty before its first step."""
        row = None if self.current is None else self._session.row(self.current.scan_id)
        return "" if row is None else row.title

    def is_seen(self, at: int) -> bool:
        """Whether a slice of the walk has been on display."""
        return _place(self.changes[at]) in self._seen

    def why_not(self, by: int) -> str:
        """Why one cannot go forth (1) or back (-1); empty where one can."""
        if self.is_busy:
            return "Old and new are being compared."
        if not self.changes:
            return "There is no slice to show: nothing changed."
        if by > 0 and self.at == len(self.changes) - 1:
            return "This is the last one."
        if by < 0 and self.at <= 0:
            return "This is the first one." if self.at == 0 else "Begin with the first one."
        return ""

    # --- what a person does -------------------------------------------------------

    def next(self) -> None:
        """Show the next slice."""
        if not self.why_not(1):
            self.go(self.at + 1)

    def previous(self) -> None:
        """Show the slice before."""
        if not self.why_not(-1):
            self.go(self.at - 1)

    def go(self, at: int) -> None:
        """Show a slice of the walk, in another scan if need be."""
        self.at, self._goal = at, self.changes[at]
        self._is_near = self._comparison.scan_id == self._goal.scan_id
        self._stage.flush()
        self._comparison.open(self._goal.scan_id, "difference")
        self.changed.emit()

    # --- within -------------------------------------------------------------------

    def _arrive(self, scan_id: str) -> None:
        goal = self._goal
        if goal is None or goal.scan_id != scan_id:
            return
        self._goal = None
        self._stage.go_to(goal.slice)
        if not self._is_near:
            self._frame(goal.slice)
        self._seen.add(_place(goal))
        self.changed.emit()

    def _frame(self, index: int) -> None:
        """Come near to the structures of a slice, in a scan that was just opened."""
        layers = [self._stage.layer(role) for role in ("proposal", "difference")]
        shown = [layer for layer in layers if layer is not None]
        masks = [np.asarray(layer.data[index]) > 0 for layer in shown]
        if masks:
            self._come_near(shown[0], np.logical_or.reduce(masks))

    def _on_opened(self, _opened: object) -> None:
        current, goal = self._session.current, self._goal
        if goal is not None and current is not None and current.scan_id != goal.scan_id:
            self._goal = None  # the person went somewhere else
            self.changed.emit()

    def _look(self) -> None:
        """Compare what is to be compared, and was not yet."""
        session, folder = self._session, self._adapting.folder
        finished = self._adapting.state == "finished"
        if session.workspace is None or session.info is None or folder is None or not finished:
            if self._about:
                self._forget()
                self.changed.emit()
            return
        about = (session.workspace, folder.path, session.info.bundle_id)
        if about != self._about:
            self._forget()
            self._about = about
        rows = [row for row in session.rows if row.scan_id and row.error is None]
        scan_ids = [row.scan_id for row in rows if row.kind != "new"]
        gone = self._counted.keys() - set(scan_ids)
        for scan_id in gone | self._proposed_since():
            del self._counted[scan_id]
        self._todo = [scan_id for scan_id in scan_ids if scan_id not in self._counted]
        if not self.is_busy and (self._todo or gone):
            self.is_busy = True
            self.changed.emit()
            self._go_on(self._about)

    def _proposed_since(self) -> set[str]:
        """Scans that could not be compared, and have another old proposal by now."""
        vain = [scan_id for scan_id, change in self._counted.items() if change is None]
        return {
            scan_id for scan_id in vain if self._stamp(scan_id) != self._stamps.get(scan_id)
        }

    def _stamp(self, scan_id: str) -> int:
        workspace, info = self._session.workspace, self._session.info
        if workspace is None or info is None:
            return 0
        return stamp(workspace.proposal_folder(scan_id, info.bundle_id))

    def _go_on(self, about: tuple[object, ...]) -> None:
        """Compare one more scan, or put what was found in order."""
        workspace, info, folder = (
            self._session.workspace,
            self._session.info,
            self._adapting.folder,
        )
        if about != self._about or workspace is None or info is None or folder is None:
            return
        runner = self._session.runner
        if self._todo:
            scan_id = self._todo.pop(0)
            self._stamps[scan_id] = self._stamp(scan_id)
            runner.submit(
                lambda _: _count(workspace, folder, scan_id, info.bundle_id),
                on_result=partial(self._take, about, scan_id),
                on_error=partial(self._failed, about, scan_id),
            )
            return
        scans = [change for change in self._counted.values() if change is not None]
        names = workspace.schema.names
        runner.submit(
            lambda _: changed_slices(scans, names),
            on_result=partial(self._finish, about),
            on_error=partial(self._failed, about, ""),
        )

    def _take(self, about: tuple[object, ...], scan_id: str, found: ScanChange | None) -> None:
        if about == self._about:
            self._counted[scan_id] = found
            self._go_on(about)

    def _failed(self, about: tuple[object, ...], scan_id: str, error: BaseException) -> None:
        self._session.failed.emit(as_known(error))
        if scan_id:
            self._take(about, scan_id, None)
        else:
            self._finish(about, [])

    def _finish(self, about: tuple[object, ...], changes: list[SliceChange]) -> None:
        if about != self._about:
            return
        if self._todo:  # segmented while the rest was put in order
            self._go_on(about)
            return
        here = None if self.current is None else _place(self.current)
        places = [_place(change) for change in changes]
        self.changes = changes
        self.at = places.index(here) if here in places else -1
        self.is_busy = False
        self.changed.emit()


def _place(change: SliceChange) -> tuple[str, int]:
    return change.scan_id, change.slice


def _count(
    workspace: Workspace, folder: JobFolder, scan_id: str, bundle_id: str
) -> ScanChange | None:
    """What the candidate of a job changed in a scan; None where one has not proposed."""
    new = read_proposal(folder.proposals(scan_id))
    old = None if new is None else workspace.read_proposal(scan_id, bundle_id)
    if old is None or new is None or old.labels.shape != new.labels.shape:
        return None
    return count_changes(scan_id, old.labels, new.labels, workspace.schema.n_classes)
