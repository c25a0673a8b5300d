"""The log of a job: JSON lines from which paths and names are struck out."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType

from dgseg.redaction import JsonLines, Redactor


class JobLog:
    """Sends all logging of this process, and warnings, to one file while it is open.

    Nowhere else: another handler would show what is struck out here, and a command line
    tells of a job by its events.

    Parameters
    ----------
    path : Path
        Appended to.
    """

    def __init__(self, path: Path) -> None:
        self.redactor = Redactor()
        self._handler = logging.FileHandler(path, encoding="utf-8")
        self._handler.setFormatter(JsonLines(self.redactor))

    def __enter__(self) -> JobLog:
        root = logging.getLogger()
        self._level, self._others = root.level, list(root.handlers)
        root.handlers[:] = [self._handler]
        root.setLevel(logging.INFO)
        logging.captureWarnings(True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        logging.captureWarnings(False)
        root = logging.getLogger()
        root.handlers[:] = self._others
        root.setLevel(self._level)
        self._handler.close()
