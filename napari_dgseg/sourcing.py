"""Labelled source data beside a site's scans: chosen, checked, remembered. No Qt, no viewer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from psygnal import Signal

from dgseg.errors import DgsegError
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.spec import AdaptJob
from dgseg.scans.schema import LabelSchema
from dgseg.site.workspace import Workspace
from napari_dgseg.session import SiteSession, as_known


class Sourcing:
    """Keeps which source data the next adaptation learns from.

    A site remembers those of its last adaptation: its job has them.

    Parameters
    ----------
    session : SiteSession
        The site.

    Attributes
    ----------
    names : tuple of str
        Folders, or names of registered data sets; empty for none.
    n_scans : int
        Labelled scans that were found in them.
    centres : tuple of str
        Whose scans these are.
    problem : DgsegError or None
        Why they cannot be learnt from.
    is_looking : bool
        Whether they are being looked at.
    """

    changed = Signal()

    def __init__(self, session: SiteSession) -> None:
        self._session = session
        self._site: Path | None = None
        self._n_asked = 0
        self._forget()
        session.workspace_changed.connect(self._on_workspace)
        self._on_workspace()

    def _forget(self) -> None:
        self.names: tuple[str, ...] = ()
        self.n_scans = 0
        self.centres: tuple[str, ...] = ()
        self.problem: DgsegError | None = None
        self.is_looking = False

    def choose(self, *names: str) -> None:
        """Take other source data, or none, and look at them in the background."""
        workspace = self._session.workspace
        self._n_asked += 1
        self._forget()
        self.names = names
        if names and workspace is not None:
            self.is_looking, asked, schema = True, self._n_asked, workspace.schema
            self._session.runner.submit(
                lambda _: _look(names, schema),
                on_result=lambda found: self._take(asked, found),
                on_error=lambda error: self._failed(asked, error),
            )
        self.changed.emit()

    def why_not(self) -> str:
        """Why an adaptation cannot learn from them; empty when it can, or when there are none."""
        if self.is_looking:
            return "Looking for labels in the source data."
        if self.problem is not None:
            return f"The source data cannot be used. {self.problem.problem}"
        return ""

    def plan(self) -> str:
        """What they add to an adaptation, as a sentence; empty where it is nothing."""
        if self.is_looking:
            return "Looking for labels in the source data …"
        if not self.n_scans:
            return ""
        n, n_centres = self.n_scans, len(self.centres)
        scans = f"{n} labelled scan{'' if n == 1 else 's'} of source data"
        whose = f" ({n_centres} centres)" if n_centres > 1 else ""
        return f"Also learns from {scans}{whose}."

    def _on_workspace(self) -> None:
        """Where another site is opened, take what it learnt from last."""
        workspace = self._session.workspace
        site = None if workspace is None else workspace.path
        if site == self._site:
            return
        self._site = site
        self.choose()
        if workspace is None:
            return
        asked = self._n_asked
        self._session.runner.submit(
            lambda _: _last(workspace),
            on_result=lambda names: self._recall(asked, names),
            on_error=lambda error: self._failed(asked, error),
        )

    def _recall(self, asked: int, names: tuple[str, ...]) -> None:
        if asked == self._n_asked and names:
            self.choose(*names)

    def _take(self, asked: int, found: tuple[int, tuple[str, ...]]) -> None:
        if asked == self._n_asked:
            self.is_looking = False
            self.n_scans, self.centres = found
            self.changed.emit()

    def _failed(self, asked: int, error: BaseException) -> None:
        if asked == self._n_asked:
            self.is_looking = False
            self.problem = as_known(error)
            self.changed.emit()


def _look(names: Sequence[str], schema: LabelSchema) -> tuple[int, tuple[str, ...]]:
    """How many labelled scans there are, and of which centres; no image is read."""
    from dgseg.adaptation.beside import find_sources  # the readers of scans take long

    entries = find_sources(names, schema)
    return len(entries), tuple(dict.fromkeys(entry.domain for entry in entries))


def _last(workspace: Workspace) -> tuple[str, ...]:
    """The source data of a site's last adaptation."""
    for path in workspace.job_folders():
        try:
            spec = JobFolder(path).spec
        except DgsegError:
            continue
        if isinstance(spec, AdaptJob):
            return spec.sources
    return ()
