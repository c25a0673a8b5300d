"""A job as a folder: how to make one, start it, watch it and stop it. No torch here."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from dgseg.errors import JobError, first_problem
from dgseg.files import atomic_write
from dgseg.jobs.events import JobEvent, last_event, read_events
from dgseg.jobs.spec import JobSpec, job_spec

JobState = Literal["waiting", "running", "stopping", "stopped", "finished", "failed", "died"]


class JobFolder:
    """Long work on disk.

    Everything that passes between a job and whoever watches it is a file in
    this folder, so a job outlives the program that started it, can be watched
    by another one, and can be resumed after a crash.

    ====================  =====================================================
    ``job.json``          what to do; never changed
    ``inputs/``           a snapshot of the corrections at the time of the start
    ``events.jsonl``      what it tells, line by line
    ``log.txt``           for the people who mend it; JSON lines without paths
    ``lock``              held by the process that runs it
    ``stop``              asks it to stop at the next step and to keep what it has
    ``checkpoint/``       what a resumption needs
    ``result.json``       written last; there is a result if and only if it is there
    ``bundle/``           the candidate of an adaptation or training
    ``proposals/<id>/``   what the candidate proposes
    ====================  =====================================================

    Parameters
    ----------
    path : path-like
        The folder; see `create` to make one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path, spec: JobSpec) -> JobFolder:
        """Make a job; it waits until someone starts it.

        Raises
        ------
        JobError
            If the folder already holds a job, or cannot be written.
        """
        folder = cls(path)
        if (folder.path / "job.json").exists():
            raise JobError(
                "This folder already holds a job.",
                remedy="Choose a new folder, or resume the job that is there.",
                path=folder.path,
            )
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            with atomic_write(folder.path / "job.json", "w") as file:
                file.write(spec.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise JobError(
                f"The job's folder cannot be written ({error.strerror}).",
                remedy="Free some space, or choose a folder that you may write to.",
                path=folder.path,
            ) from error
        return folder

    @property
    def spec(self) -> JobSpec:
        """What the job is asked to do.

        Raises
        ------
        JobError
            If ``job.json`` is missing or is no job that this version knows.
        """
        try:
            return job_spec.validate_json(self._file("job.json").read_bytes())
        except OSError as error:
            raise JobError(
                "This folder holds no job.",
                remedy="Give the folder that holds job.json.",
                path=self.path,
            ) from error
        except ValidationError as error:
            raise JobError(
                f"The job's description is not valid ({first_problem(error)}).",
                remedy="It may come from a newer version of napari-dgseg; "
                "update, or start the job anew.",
                path=self.path,
            ) from error

    @property
    def inputs(self) -> Path:
        """Where the snapshot of the corrections lies, or is to be put."""
        return self._file("inputs")

    @property
    def checkpoint(self) -> Path:
        """What a resumption needs."""
        return self._file("checkpoint")

    @property
    def bundle(self) -> Path:
        """The candidate bundle, once there is one."""
        return self._file("bundle")

    @property
    def log(self) -> Path:
        """The log, as JSON lines without paths."""
        return self._file("log.txt")

    def proposals(self, scan_id: str) -> Path:
        """Folder of the candidate's proposal for one scan."""
        return self._file("proposals") / scan_id

    def events(self, after: int = 0) -> tuple[list[JobEvent], int]:
        """Events from byte `after` on, and the byte at which to go on next time."""
        return read_events(self._file("events.jsonl"), after)

    @property
    def runs(self) -> int:
        """How often the job has been started."""
        event = last_event(self._file("events.jsonl"))
        return 0 if event is None else event.run

    @property
    def state(self) -> JobState:
        """What the job does; cheap enough to ask several times a second.

        ``"waiting"`` has never run; ``"died"`` was killed or lost its machine,
        and can be resumed as one that is ``"stopped"`` or ``"failed"`` can.
        """
        before = last_event(self._file("events.jsonl"))
        if self._is_alive():
            return "stopping" if self.stop_requested(self.runs) else "running"
        if self._file("result.json").exists():
            return "finished"
        event = last_event(self._file("events.jsonl"))
        if event is None:
            return "waiting"
        if event.state in ("stopped", "failed", "finished"):
            return event.state
        # Its last word is that it runs, and nobody holds the lock: it died, unless
        # it began to run between the look at the lock and the look at the events.
        return "died" if event == before else "running"

    @property
    def result(self) -> dict[str, Any] | None:
        """Content of ``result.json``; None as long as there is none."""
        try:
            content = json.loads(self._file("result.json").read_bytes())
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def request_stop(self) -> None:
        """Ask the run that is on, or about to begin, to stop and keep what it has."""
        run = self.runs if self._is_alive() else self.runs + 1
        self._file("stop").write_text(str(run), encoding="utf-8")

    def stop_requested(self, run: int) -> bool:
        """Whether run number `run` is to stop.

        The request names its run, so that one that came too late for a run
        does not stop the next. An empty file stops any run.
        """
        try:
            text = self._file("stop").read_text(encoding="utf-8").strip()
        except OSError:
            return False
        return not text.isdigit() or int(text) == run

    def clear_stop(self) -> None:
        """Take back a request to stop."""
        with contextlib.suppress(OSError):
            self._file("stop").unlink(missing_ok=True)

    def lock(self) -> FileLock:
        """The lock that a run holds from its first to its last event."""
        return FileLock(self._file("lock"))

    def command(self) -> list[str]:
        """The command that runs or resumes the job."""
        # -P: a job folder, should it be the current one, is no place for modules.
        return [sys.executable, "-P", "-m", "dgseg.jobs", str(self.path.absolute())]

    def start(self) -> subprocess.Popen[bytes]:
        """Run or resume the job in a process that outlives this one.

        Returns
        -------
        subprocess.Popen
            To keep, or to `wait` for; nothing needs to be read from it.
        """
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )

    def _file(self, name: str) -> Path:
        return self.path / name

    def _is_alive(self) -> bool:
        if not self._file("lock").exists():
            return False
        lock = self.lock()
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        except OSError:
            # A folder that cannot be written: nothing can run in it.
            return False
        lock.release()
        return False
