"""What the latent inspector knows and asks for. No Qt, no viewer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from psygnal import Signal

from dgseg.factors.record import ScanFactors
from dgseg.scans.scan import ScanSource
from dgseg.scans.schema import Label
from napari_dgseg.adapting import RUNNING, Adapting
from napari_dgseg.inspector.errands import Errands
from napari_dgseg.inspector.gathering import Gathering
from napari_dgseg.inspector.measuring import Measuring
from napari_dgseg.inspector.models import Models, SeenModel
from napari_dgseg.inspector.picturing import Picturing
from napari_dgseg.inspector.probing import Probing
from napari_dgseg.segmenting import Segmenting, Worker
from napari_dgseg.session import OpenScan, SiteSession

Lack = Literal["site", "model", "factors", "scans"]

TELLING_METHODS = ("dgnet", "dgnet-plus", "sdnet")
"""Methods whose models tell anatomy from appearance."""


@dataclass(frozen=True)
class Hindrance:
    """Why there is nothing to look into.

    Attributes
    ----------
    lack : str
        What is missing.
    problem, remedy : str
        As sentences.
    """

    lack: Lack
    problem: str
    remedy: str


class Inspecting:
    """The parts behind the inspector, kept in step with site, scan and models.

    Parameters
    ----------
    session : SiteSession
        The site.
    worker : Worker
        Computes.
    adapting : Adapting
        Knows of a candidate, and of a job that needs the machine.
    segmenting : Segmenting
        Needs the worker more.
    """

    changed = Signal()
    """Another site, model, scan or choice: show everything anew."""
    arrived = Signal(int)
    """The wanted scan is open: show this slice."""

    def __init__(
        self, session: SiteSession, worker: Worker, adapting: Adapting, segmenting: Segmenting
    ) -> None:
        self.session, self.worker = session, worker
        self._adapting, self._segmenting = adapting, segmenting
        self._goal: tuple[str, int] | None = None
        # Pictures of a patient: a folder that only this person may look into.
        self._folder = TemporaryDirectory(prefix="dgseg-inspector-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        self.models = Models(session, adapting)
        self.gathering = Gathering(session, worker)
        self.picturing = Picturing(session, worker, folder)
        self.probing = Probing(session, worker, folder)
        self.errands = Errands(session, worker, folder)
        self.measuring = Measuring(session, worker)
        self._connections = (
            (self.models.changed, self._on_models),
            (session.workspace_changed, self._on_models),
            (session.scan_opened, self._on_scan),
            (session.scan_closed, self._on_closed),
            (adapting.changed, self._make_way),
            (segmenting.changed, self._make_way),
        )
        for signal, slot in self._connections:
            signal.connect(slot)
        self._make_way()
        self._on_models()

    def close(self) -> None:
        """Ask for nothing more, and let go of the session."""
        for signal, slot in self._connections:
            signal.disconnect(slot)
        self.gathering.close()
        self.picturing.close()
        self.probing.forget()
        self.errands.close()
        self.measuring.stop()
        self.models.close()
        self._folder.cleanup()

    # --- what there is ------------------------------------------------------------

    @property
    def hindrance(self) -> Hindrance | None:
        """Why there is nothing to look into; None where there is."""
        session = self.session
        if session.workspace is None:
            return Hindrance(
                "site",
                "No site is open.",
                "Open one in the dock “Site adaptation”: the inspector looks at its scans.",
            )
        if session.info is None:
            return Hindrance(
                "model",
                "This site has no model that can be used.",
                "Go back to an earlier one in step 4 of the dock “Site adaptation”.",
            )
        if not self.models.chosen:
            return Hindrance(
                "factors", *_without_factors(session.info.name, session.info.method)
            )
        if not session.scan_ids:
            return Hindrance(
                "scans",
                "This site has no scans yet.",
                "Add some in step 1 of the dock “Site adaptation”.",
            )
        return None

    @property
    def scan_id(self) -> str:
        """The open scan; empty where none is."""
        return "" if self.session.current is None else self.session.current.scan_id

    @property
    def structures(self) -> tuple[Label, ...]:
        """What the site's models segment."""
        return self.session.structures

    @property
    def sources(self) -> dict[str, ScanSource]:
        """Where each scan is read from; all at once, for each look at the list takes time."""
        workspace = self.session.workspace
        records = [] if workspace is None else workspace.records
        return {record.scan_id: record.source for record in records}

    def of_scan(self) -> Iterator[tuple[SeenModel, ScanFactors | None]]:
        """What each chosen model sees in the open scan, as far as that is known."""
        for model in self.models.chosen:
            yield model, self.gathering.factors(model.bundle_id, self.scan_id)

    # --- what a person does -------------------------------------------------------

    def go_to(self, scan_id: str, index: int) -> None:
        """Open a scan, if it is not, and arrive at a slice."""
        self._goal = (scan_id, index)
        if self.scan_id == scan_id:
            self._arrive()
        else:
            self.session.open_scan(scan_id)

    def paint(self) -> None:
        """Have the open scan painted, where a tab shows pictures."""
        self.picturing.want(self.models.chosen)

    # --- within -------------------------------------------------------------------

    def _arrive(self) -> None:
        goal, self._goal = self._goal, None
        if goal is not None and goal[0] == self.scan_id:
            self.arrived.emit(goal[1])

    def _on_models(self) -> None:
        self.picturing.forget()
        self.probing.forget()
        self.gathering.want(self.models.chosen, self.scan_id)
        self.changed.emit()

    def _on_scan(self, _opened: OpenScan) -> None:
        self.gathering.put_first(self.scan_id)
        self._arrive()
        self.changed.emit()

    def _on_closed(self) -> None:
        self.changed.emit()

    def _make_way(self) -> None:
        """Let jobs and segmentations have the machine."""
        reasons = {
            "job": self._adapting.state in RUNNING,
            "segmenting": self._segmenting.is_running,
        }
        for why, is_busy in reasons.items():
            if is_busy != (why in self.gathering.holds):
                (self.gathering.hold if is_busy else self.gathering.go_on)(why)


def _without_factors(name: str, method: str) -> tuple[str, str]:
    problem = f"The model “{name}” ({method}) does not tell anatomy from appearance."
    *most, last = TELLING_METHODS
    remedy = (
        f"Models trained with {', '.join(most)} or {last} do: start a site with one of them."
    )
    return problem, remedy
