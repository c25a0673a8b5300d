"""An adaptation from its form to the decision about its candidate. No Qt, no viewer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from psygnal import Signal

from dgseg.adaptation.config import WITHOUT_CORRECTIONS, AdaptConfig
from dgseg.errors import DgsegError
from dgseg.jobs.decision import Decision, accept_candidate, is_decided, note_decision
from dgseg.jobs.events import JobEvent
from dgseg.jobs.folder import JobFolder
from dgseg.jobs.spec import AdaptJob
from dgseg.site.proposals import Proposal, read_proposal
from dgseg.site.snapshot import write_snapshot
from dgseg.worker.protocol import DeviceInfo, Devices, MethodInfo, Methods
from napari_dgseg.offering import Refusal, refusal
from napari_dgseg.planning import plan_in_words
from napari_dgseg.segmenting import Worker
from napari_dgseg.session import SiteSession, as_known

AdaptState = Literal[
    "idle", "starting", "running", "stopping", "stopped", "failed", "died", "finished"
]

RUNNING: tuple[AdaptState, ...] = ("starting", "running", "stopping")
INTERRUPTED: tuple[AdaptState, ...] = ("stopped", "failed", "died")


class Watcher(Protocol):
    """What starts and follows a job; see `napari_dgseg.processes.JobWatcher`."""

    def launch(self, folder: JobFolder) -> None:
        """Start or resume a job, and follow it."""

    def follow(self, folder: JobFolder) -> None:
        """Follow a job that someone started."""

    def unfollow(self) -> None:
        """Stop watching."""


@dataclass
class Curves:
    """Loss terms of a job by name: steps and values."""

    steps: dict[str, list[int]] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, event: JobEvent) -> bool:
        """Take the losses of an event; whether there were any."""
        for name, value in (event.losses or {}).items():
            self.steps.setdefault(name, []).append(event.step or 0)
            self.values.setdefault(name, []).append(value)
        return bool(event.losses)


class Adapting:
    """The one adaptation of a site that is on, interrupted or waits for a decision.

    Parameters
    ----------
    session : SiteSession
        The site.
    worker : Worker
        Tells which methods and devices there are.
    watcher : Watcher
        Runs and follows jobs; connect its signals to `take_events` and `take_state`.
    """

    changed = Signal()
    curves_changed = Signal()
    choices_changed = Signal()

    def __init__(self, session: SiteSession, worker: Worker, watcher: Watcher) -> None:
        self._session = session
        self._worker = worker
        self._watcher = watcher
        self._choices_asked = False
        self.methods: tuple[MethodInfo, ...] = ()
        self.devices: tuple[DeviceInfo, ...] = ()
        self._forget()
        session.workspace_changed.connect(self._on_workspace)

    def _forget(self) -> None:
        self.folder: JobFolder | None = None
        self.state: AdaptState = "idle"
        self.curves = Curves()
        self.progress: JobEvent | None = None
        self.message = ""
        self.error: DgsegError | None = None
        self.is_busy = False

    # --- what can be chosen -------------------------------------------------------

    def ask_choices(self) -> None:
        """Ask the worker, once, which methods and devices there are."""
        if self._choices_asked:
            return
        self._choices_asked = True
        for kind, take in ((Methods, self._take_methods), (Devices, self._take_devices)):
            self._worker.request(kind, on_result=take, on_error=self._choices_failed)

    @property
    def n_corrected(self) -> int:
        """Corrected slices of all scans of the site."""
        return sum(row.n_corrected for row in self._session.rows)

    def offered(
        self, *, sources: bool = False, beside: bool = False
    ) -> list[tuple[MethodInfo, Refusal | None]]:
        """Methods to choose from, each with why it cannot be chosen; None where it can.

        Before the first correction, and without labelled source data, those alone that need
        no label. What is tried `beside` a chosen method need not look at the source data:
        that one does.
        """
        info, labels = self._session.info, self.n_corrected or sources
        return [
            (method, refusal(method, info, sources=sources and not beside))
            for method in self.methods
            if labels or not method.needs_labels
        ]

    def usual_method(self, *, sources: bool = False) -> str:
        """What is chosen as long as a person chooses nothing, given the labels."""
        names = {method.name for method in self.methods}
        if not (self.n_corrected or sources) and (WITHOUT_CORRECTIONS in names or not names):
            return WITHOUT_CORRECTIONS
        return AdaptConfig().method

    def learns(self, method: str) -> bool:
        """Whether a method trains anything; it does as long as nothing else is known."""
        return all(each.learns for each in self.methods if each.name == method)

    def plan(self, holdout_every: int, method: str = "", *, sources: bool = False) -> str:
        """What an adaptation would learn from and be judged by, as a sentence."""
        workspace = self._session.workspace
        if workspace is None or not self._session.scan_ids:
            return ""
        corrected = {
            row.scan_id: list(workspace.corrections(row.scan_id).slices)
            for row in self._session.rows
            if row.n_corrected
        }
        learns = self.learns(method)
        return plan_in_words(corrected, holdout_every, learns=learns, sources=sources)

    def why_not(self) -> str:
        """Why no adaptation can start; empty when it can."""
        if self._session.workspace is None:
            return "No site is open."
        if self._session.info is None:
            return "There is no model: go back to an earlier one below."
        if not self._session.scan_ids:
            return "Add a scan in step 1 first."
        return ""

    # --- what a person does -------------------------------------------------------

    def start(self, config: AdaptConfig, sources: tuple[str, ...] = ()) -> None:
        """Start an adaptation; what was corrected until now goes into it."""
        workspace = self._session.workspace
        if workspace is None or self.state in RUNNING or self.is_busy:
            return
        spec = AdaptJob(
            site=workspace.path, bundle=workspace.accepted, sources=sources, config=config
        )

        def prepare(_: object) -> JobFolder:
            folder = JobFolder(workspace.new_job_folder("adapt"))
            write_snapshot(workspace, folder.inputs)
            return JobFolder.create(folder.path, spec)

        self._forget()
        self._submit(prepare, self._launch)

    def stop(self) -> None:
        """Ask the job to stop at the next step and to keep what it has learnt."""
        if self.folder is not None and self.state in ("starting", "running"):
            try:
                self.folder.request_stop()
            except OSError as error:
                self._session.failed.emit(as_known(error))
                return
            self.take_state("stopping")

    def resume(self) -> None:
        """Go on with an interrupted job from its checkpoint."""
        if self.folder is not None and self.state in INTERRUPTED:
            self.curves, self.error, self.message = Curves(), None, ""
            self._launch(self.folder)

    def discard(self) -> None:
        """Give up an interrupted job; its folder stays for those who look for it."""
        self._decide("discarded")

    def keep_old(self) -> None:
        """Keep the accepted model; the candidate is put by, and its verdict noted."""
        workspace, verdict = self._session.workspace, self.verdict or {}
        if workspace is not None:
            self._submit(lambda _: workspace.refuse(verdict), lambda _: self._decide("refused"))

    def accept(self) -> None:
        """Make the candidate the accepted model."""
        workspace, folder, verdict = self._session.workspace, self.folder, self.verdict
        if workspace is None or folder is None or verdict is None:
            return
        self._submit(
            lambda _: accept_candidate(workspace, folder, verdict), lambda _: self._accepted()
        )

    def roll_back(self, bundle_id: str) -> None:
        """Make an earlier accepted model the accepted one again."""
        workspace = self._session.workspace
        if workspace is not None:
            self._submit(
                lambda _: workspace.roll_back(bundle_id),
                lambda _: self._session.refresh_model(),
            )

    # --- what came out ------------------------------------------------------------

    @property
    def result(self) -> dict[str, Any] | None:
        """Content of the finished job's ``result.json``."""
        return self.folder.result if self.folder and self.state == "finished" else None

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The gate's judgement on the candidate."""
        result = self.result
        return None if result is None else result.get("verdict")

    def candidate_proposal(self, scan_id: str) -> Proposal | None:
        """What the candidate proposes for a scan, while the decision is open."""
        if self.folder is None or self.state != "finished":
            return None
        return read_proposal(self.folder.proposals(scan_id))

    # --- what the watcher says ----------------------------------------------------

    def take_events(self, events: list[JobEvent]) -> None:
        """Take new events of the job."""
        drawn = False
        for event in events:
            if event.type == "progress":
                self.progress = event
                drawn |= self.curves.add(event)
            elif event.type == "state" and event.state == "running":
                self.error, self.message = None, ""  # those of the run before
            elif event.type in ("message", "warning"):
                scan, rows = event.scan_id, self._session.rows
                about = [row.title for row in rows if scan and row.scan_id == scan]
                self.message = ": ".join([*about, event.message or ""])
            elif event.type == "error":
                self.error = DgsegError(event.message or "", remedy=event.remedy or "")
        if drawn:
            self.curves_changed.emit()
        self.changed.emit()

    def take_state(self, state: str) -> None:
        """Take the job's state."""
        self.state = "starting" if state == "waiting" else state  # type: ignore[assignment]
        self.changed.emit()

    # --- within -------------------------------------------------------------------

    def _on_workspace(self) -> None:
        """Find the job that was running or undecided when the dock was last closed."""
        workspace = self._session.workspace
        if self.state in RUNNING and workspace is not None and self._is_here(workspace.path):
            return
        if self.folder is not None and not (
            workspace is not None and self._is_here(workspace.path)
        ):
            self._watcher.unfollow()
            self._forget()
        if workspace is not None and self.folder is None:
            for path in workspace.job_folders():
                if self._take_up(JobFolder(path)):
                    break
        self.changed.emit()

    def _is_here(self, site: Path) -> bool:
        return self.folder is not None and site in self.folder.path.parents

    def _take_up(self, folder: JobFolder) -> bool:
        """Follow a job that needs watching or a decision; False to look further."""
        try:
            if folder.spec.kind != "adapt":
                return False
        except DgsegError:
            return False
        if is_decided(folder) or folder.state == "waiting":
            return True  # the newest is what counts: older ones were left behind
        self.folder = folder
        self._watcher.follow(folder)
        return True

    def _launch(self, folder: JobFolder) -> None:
        self.folder = folder
        try:
            self._watcher.launch(folder)
        except DgsegError as error:
            self.error = error
            self.take_state("failed")

    def _accepted(self) -> None:
        self._decide("accepted")
        self._session.refresh_model()

    def _decide(self, decision: Decision) -> None:
        folder = self.folder
        self._watcher.unfollow()
        self._forget()
        if folder is not None:
            try:
                note_decision(folder, decision)
            except OSError as error:
                self._session.failed.emit(as_known(error))
        self.changed.emit()

    def _submit(self, work: Callable[[object], Any], on_result: Callable[[Any], None]) -> None:
        self.is_busy = True
        self.changed.emit()

        def done(result: Any) -> None:
            self.is_busy = False
            on_result(result)
            self.changed.emit()

        self._session.runner.submit(work, on_result=done, on_error=self._submit_failed)

    def _submit_failed(self, error: BaseException) -> None:
        self.is_busy = False
        self._session.failed.emit(as_known(error))
        self.changed.emit()

    def _take_methods(self, result: Any) -> None:
        self.methods = result.methods
        self.choices_changed.emit()

    def _take_devices(self, result: Any) -> None:
        self.devices = result.devices
        self.choices_changed.emit()

    def _choices_failed(self, error: DgsegError) -> None:
        self._choices_asked = False
        self._session.failed.emit(error)


def log_text(folder: JobFolder, last_bytes: int = 200_000) -> str:
    """The end of a job's log, for a person to read."""
    try:
        with open(folder.log, "rb") as file:
            file.seek(max(0, folder.log.stat().st_size - last_bytes))
            content = file.read().decode("utf-8", "replace")
    except OSError:
        return "The job wrote no log."
    return "\n".join(_plain_line(line) for line in content.splitlines())


def _plain_line(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    return "  ".join(str(value) for value in entry.values())
