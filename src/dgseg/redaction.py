"""Log lines from which paths and the names of patients are struck out."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

_QUOTED = re.compile(r"'[^'\n]*[/\\][^'\n]*'|\"[^\"\n]*[/\\][^\"\n]*\"")
_ABSOLUTE = re.compile(r"(?<!\w)(?:[A-Za-z]:|~)?[/\\][^\s'\",;)]+")
_RELATIVE = re.compile(r"[^\s'\"(]+[/\\][^\s'\"]+[/\\][^\s'\",;)]*")
_FILE = re.compile(r"[^\s'\"]+\.(?:nii(?:\.gz)?|dcm|ima|hdr|img|npy)\b", re.IGNORECASE)
_STRUCK = "<path>"
_SHORTEST_SECRET = 3


class Redactor:
    """Strikes out what could name a patient.

    Names of files and folders in a hospital often hold names of patients, and
    exceptions of other libraries carry such paths. Everything that looks like
    a path goes, and every word that was told to `hide`.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def hide(self, *paths: Path | str) -> None:
        """Strike out these paths, their names, stems and folders from now on."""
        for path in map(Path, paths):
            stem = path.name.split(".")[0]
            # A folder called "scans" is no secret, and the word is needed.
            words = {path.name, stem, path.parent.name}
            words = {word for word in words if len(word) >= _SHORTEST_SECRET}
            self._secrets |= {word for word in words if not _is_plain(word)}
            self._secrets.add(str(path))
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def __call__(self, text: str) -> str:
        """`text` without them."""
        if self._pattern is not None:
            text = self._pattern.sub(_STRUCK, text)
        for pattern in (_QUOTED, _RELATIVE, _ABSOLUTE, _FILE):
            text = pattern.sub(_STRUCK, text)
        return text


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, traceback."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line for a record."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redactor(record.getMessage()),
        }
        if record.exc_info and record.exc_info[1] is not None:
            entry["traceback"] = redacted_traceback(record.exc_info[1], self._redactor)
        return json.dumps(entry, ensure_ascii=False)


def redacted_traceback(error: BaseException, redactor: Redactor) -> list[str]:
    """Frames as ``module.py:12 function``, causes first, messages redacted.

    Only the last two parts of a frame's file are kept: they are code, and yet
    the folder in which it is installed may hold a person's name.
    """
    lines: list[str] = []
    for link in _chain(error):
        for frame in traceback.extract_tb(link.__traceback__):
            where = "/".join(Path(frame.filename).parts[-2:])
            lines.append(f"{where}:{frame.lineno} {frame.name}")
        lines.append(redactor(f"{type(link).__name__}: {link}"))
    return lines


def _chain(error: BaseException) -> Iterable[BaseException]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return reversed(links)


def _is_plain(word: str) -> bool:
    return word.isalpha() and word.islower()
