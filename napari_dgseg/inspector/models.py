"""Which models the inspector looks into: the accepted bundle, its candidate, or both. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from psygnal import Signal

from dgseg.bundles.bundle import BundleInfo, read_info
from dgseg.jobs.folder import JobFolder
from dgseg.site.workspace import Workspace
from napari_dgseg.adapting import Adapting
from napari_dgseg.session import SiteSession, as_known

Which = Literal["accepted", "candidate"]
Choice = Literal["accepted", "candidate", "both"]

TITLES: dict[Which, str] = {"accepted": "model in use", "candidate": "candidate"}

_TELLING = "disentangled"
"""The kind of network that tells anatomy from appearance."""


@dataclass(frozen=True)
class SeenModel:
    """A bundle that the inspector can look into.

    Attributes
    ----------
    which : {'accepted', 'candidate'}
    info : BundleInfo
    path : Path
        Its folder.
    job : JobFolder or None
        The adaptation that a candidate came out of.
    """

    which: Which
    info: BundleInfo
    path: Path
    job: JobFolder | None = None

    @property
    def bundle_id(self) -> str:
        """The bundle's identifier."""
        return self.info.bundle_id

    @property
    def title(self) -> str:
        """What it is called in the dock."""
        return TITLES[self.which]

    def proposal_folder(self, workspace: Workspace, scan_id: str) -> Path:
        """Where its proposal for a scan lies, if it has made one."""
        if self.job is not None:
            return self.job.proposals(scan_id)
        return workspace.proposal_folder(scan_id, self.bundle_id)


def tells_anatomy(info: BundleInfo) -> bool:
    """Whether a bundle tells anatomy from appearance, judged by its description."""
    return info.network.get("kind") == _TELLING


class Models:
    """The accepted bundle and, while the decision on one is open, the candidate.

    Parameters
    ----------
    session : SiteSession
        Knows the accepted bundle.
    adapting : Adapting
        Knows of a candidate.
    """

    changed = Signal()
    """Another bundle, or another choice among them."""

    def __init__(self, session: SiteSession, adapting: Adapting) -> None:
        self._session, self._adapting = session, adapting
        self._choice: Choice = "accepted"
        self._reading: Path | None = None
        self.accepted: SeenModel | None = None
        self.candidate: SeenModel | None = None
        session.workspace_changed.connect(self._look)
        adapting.changed.connect(self._look_for_candidate)
        self._look()

    def close(self) -> None:
        """Listen to nobody any more."""
        self._session.workspace_changed.disconnect(self._look)
        self._adapting.changed.disconnect(self._look_for_candidate)

    @property
    def choice(self) -> Choice:
        """What is looked at; the accepted bundle where there is no other."""
        return self._choice if self.candidate is not None else "accepted"

    def choose(self, choice: Choice) -> None:
        """Look at the accepted bundle, the candidate, or both."""
        if choice != self._choice:
            self._choice = choice
            self.changed.emit()

    @property
    def chosen(self) -> list[SeenModel]:
        """The bundles to look into, none to two; those that cannot be are not among them."""
        wanted = {
            "accepted": (self.accepted,),
            "candidate": (self.candidate,),
            "both": (self.accepted, self.candidate),
        }[self.choice]
        return [model for model in wanted if model is not None and tells_anatomy(model.info)]

    # --- within -------------------------------------------------------------------

    def _look(self) -> None:
        workspace, info = self._session.workspace, self._session.info
        old = self.accepted
        self.accepted = None
        if workspace is not None and info is not None:
            self.accepted = SeenModel("accepted", info, workspace.accepted)
        if _identity(old) != _identity(self.accepted):
            self.changed.emit()
        self._look_for_candidate()

    def _look_for_candidate(self) -> None:
        job = self._adapting.folder if self._adapting.state == "finished" else None
        path = None if job is None or self._session.workspace is None else job.bundle
        if path == self._reading:
            return
        self._reading = path
        self._take(path, None)
        if job is not None and path is not None:
            self._session.runner.submit(
                lambda _: read_info(path),
                on_result=lambda info: self._take(
                    path, SeenModel("candidate", info, path, job)
                ),
                on_error=lambda error: self._session.failed.emit(as_known(error)),
            )

    def _take(self, path: Path | None, model: SeenModel | None) -> None:
        if path != self._reading or _identity(model) == _identity(self.candidate):
            return
        self.candidate = model
        self.changed.emit()


def _identity(model: SeenModel | None) -> tuple[str, Path] | None:
    return None if model is None else (model.bundle_id, model.path)
