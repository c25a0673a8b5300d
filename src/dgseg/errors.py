"""The errors that a person can cause: what is wrong, with what, and the way out."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space on the disk."),
    errno.EDQUOT: ("your quota is used up", "Free some of your space on the disk."),
    errno.EROFS: ("the disk is read-only", "Choose a folder on a disk that can be written."),
    errno.EACCES: ("the folder may not be written", "Ask for the right to write there."),
    errno.EPERM: ("the folder may not be written", "Ask for the right to write there."),
    errno.ENOENT: ("the folder is gone", "Connect the disk again."),
    errno.EIO: ("the disk reports an error", "Have the disk checked."),
}


class DgsegError(Exception):
    """A problem that a person can understand and mend.

    Parameters
    ----------
    problem : str
        What is wrong, as a sentence without the file's name.
    remedy : str
        What to do about it, as a sentence.
    path : path-like, optional
        The file or folder in question. It is part of ``str(error)``, which is
        shown to the person at the machine, and never of `public_message`,
        which may be written to logs, events and reports: names of files in a
        hospital often hold the name of a patient.
    """

    def __init__(
        self, problem: str, *, remedy: str = "", path: str | Path | None = None
    ) -> None:
        self.problem = problem
        self.remedy = remedy
        self.path = None if path is None else Path(path)
        super().__init__(problem)

    @property
    def public_message(self) -> str:
        """The problem and the remedy, without any path."""
        return " ".join(part for part in (self.problem, self.remedy) if part)

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path is not None else ""
        return where + self.public_message

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.problem, self.remedy, self.path)


def _rebuild(
    kind: type[DgsegError], problem: str, remedy: str, path: Path | None
) -> DgsegError:
    return kind(problem, remedy=remedy, path=path)


class ScanError(DgsegError):
    """A scan that cannot be read, or that holds nothing to segment."""


class GeometryError(ScanError):
    """A scan whose position in the patient is undefined or contradictory."""


class ScanChangedError(ScanError):
    """A scan that is no longer the one that was corrected: deleted or changed."""


class LabelsError(DgsegError):
    """Labels that do not fit their scan or their schema, or cannot be written."""


class BundleError(DgsegError):
    """A model folder that is corrupt, truncated, foreign or too new."""


class WorkspaceError(DgsegError):
    """A site workspace that cannot be opened, read or written."""


class WorkspaceLockedError(WorkspaceError):
    """A site workspace that another program has open."""


class WorkspaceWriteError(WorkspaceError):
    """A correction or result that could not be put on disk (full, read-only)."""


class AdaptationError(DgsegError):
    """An adaptation that cannot start, for example for want of corrections."""


class TrainingError(DgsegError):
    """A training whose numbers ran away, or whose checkpoint is not its own."""


class MethodError(DgsegError):
    """A method that is unknown, or cannot work with what it is given."""


class JobError(DgsegError):
    """A job folder that is not one, or a job that cannot go on."""


class DatasetError(DgsegError):
    """A data set that is unknown, absent or not as its registry says."""


class UsageError(DgsegError):
    """A setting on the command line that is out of its range."""


class DeviceError(DgsegError):
    """A device that is asked for and not there, or out of memory."""


def write_error(what: str, path: Path, error: OSError) -> WorkspaceWriteError:
    """The error for something that could not be put on disk.

    Parameters
    ----------
    what : str
        Beginning of the sentence, such as ``"The corrections could not be saved"``.
    path : Path
        Where.
    error : OSError
        Why.
    """
    unknown = (f"the system says: {error.strerror or 'unknown error'}", "Check the disk.")
    reason, remedy = _REASONS.get(error.errno or 0, unknown)
    return WorkspaceWriteError(f"{what}: {reason}.", remedy=remedy, path=path)


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, such as ``"steps: Input should be greater than 0"``.

    Neither the value, which may name a patient, nor where to read about pydantic.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])
