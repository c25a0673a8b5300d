"""All parts behind the docks of one viewer, made together and closed together.

A viewer has one household, however many of our docks are open: whichever opens first
makes it, each claims it, and it closes with the last claim or with the viewer.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import EmitLoopError

from napari_dgseg import settings
from napari_dgseg.adapting import Adapting
from napari_dgseg.compare import Comparison
from napari_dgseg.correcting import Correcting
from napari_dgseg.exporting import Exporting
from napari_dgseg.framing import come_near
from napari_dgseg.orientation import OrientationLetters
from napari_dgseg.processes import JobWatcher, WorkerClient
from napari_dgseg.segmenting import Segmenting
from napari_dgseg.session import OpenScan, SiteSession
from napari_dgseg.stage import Stage
from napari_dgseg.suggesting import Suggesting
from napari_dgseg.tasks import TaskRunner
from napari_dgseg.walking import Walking

if TYPE_CHECKING:
    from napari.components import ViewerModel


_households: weakref.WeakSet[Household] = weakref.WeakSet()
"""Those of all viewers; each lives as long as a dock holds it."""


class Household:
    """The presenters of the docks with the threads, processes and layers they need.

    Parameters
    ----------
    viewer : ViewerModel
        napari's.
    worker : WorkerClient, optional
        The warm process; one of its own by default.
    """

    def __init__(self, viewer: ViewerModel, *, worker: WorkerClient | None = None) -> None:
        self.viewer = viewer
        self._n_claims = 0
        self.runner = TaskRunner()
        self.worker = worker or WorkerClient()
        self.watcher = JobWatcher()
        self.session = SiteSession(self.runner)
        self.segmenting = Segmenting(self.session, self.worker)
        self.correcting = Correcting(self.session)
        self.stage = Stage(viewer, self.session, self.correcting)
        self.suggesting = Suggesting(self.session, self.correcting)
        self.adapting = Adapting(self.session, self.worker, self.watcher)
        self.comparison = Comparison(self.session, self.stage, self.adapting)
        self.walking = Walking(
            self.session,
            self.stage,
            self.adapting,
            self.comparison,
            partial(come_near, viewer),
        )
        self.exporting = Exporting(self.session)
        self.letters = OrientationLetters(viewer)
        self.watcher.told.connect(self.adapting.take_events)
        self.watcher.state_changed.connect(self._on_job_state)
        self.session.scan_opened.connect(self._on_opened)
        self.session.scan_closed.connect(self._on_closed)
        self.session.rows_changed.connect(self._on_closed)
        self.is_open = True
        _households.add(self)

    @classmethod
    def of(cls, viewer: ViewerModel) -> Household:
        """The household of a viewer: the one that is open, else a new one."""
        wanted = _bare(viewer)
        for household in _households:
            if household.is_open and _bare(household.viewer) is wanted:
                return household
        return cls(viewer)

    def claim(self) -> Callable[..., None]:
        """Keep it open until what is returned is called, once or more often.

        Returns
        -------
        callable
            Takes ``viewer_ends`` as a keyword, as `close`, and ignores everything else,
            so that it can be connected to any signal. It does not keep the household
            alive.
        """
        self._n_claims += 1
        return _Release(self)

    def close(self, *, viewer_ends: bool = False) -> None:
        """Save every stroke and end what is ours; a running job goes on.

        Parameters
        ----------
        viewer_ends : bool
            Leave the viewer alone, because its window is going too. Else our layers
            are taken out of it: nobody would notice strokes on them any more.
        """
        if not self.is_open:
            return
        self.is_open = False
        self.stage.flush()
        if viewer_ends:
            parts = (self.stage.close, self.session.close_workspace)
        else:
            parts = (self.session.close_workspace, self.stage.close, self.letters.close)
        for part in (self.watcher.unfollow, *parts, self.runner.close, self.worker.close):
            # At the end of a program Qt may have deleted its half of a part already.
            with contextlib.suppress(RuntimeError, EmitLoopError):
                part()

    def _give_back(self, *, viewer_ends: bool) -> None:
        """One claim less: every stroke is saved, and with the last one all ends."""
        self._n_claims -= 1
        if self._n_claims == 0:
            self.close(viewer_ends=viewer_ends)
        elif self.is_open:
            self.stage.flush()

    def _on_job_state(self, state: str) -> None:
        if state == "running":
            # The job needs the memory of the device more than the next question does.
            self.worker.release()
        self.adapting.take_state(state)

    def _on_opened(self, opened: OpenScan) -> None:
        # Here: napari reads the settings of all plugins with the first question, for 0.1 s.
        self.letters.visible = bool(settings.get("view.letters"))
        self.letters.geometry = opened.scan.geometry

    def _on_closed(self) -> None:
        if self.session.current is None and not self.session.opening:
            self.letters.geometry = None


class _Release:
    """Gives a claim back, once."""

    def __init__(self, household: Household) -> None:
        self._household = weakref.ref(household)
        self._given_back = False

    def __call__(self, *_: object, viewer_ends: bool = False) -> None:
        household = self._household()
        if household is not None and not self._given_back:
            self._given_back = True
            household._give_back(viewer_ends=viewer_ends)


def _bare(viewer: Any) -> Any:
    """The viewer itself: napari hands each dock another wrapper around it."""
    return getattr(viewer, "__wrapped__", viewer)
