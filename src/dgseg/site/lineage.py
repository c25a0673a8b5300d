"""Which models a site has accepted, one after another, and copies of all of them.

``history.jsonl`` has one line for each decision on the accepted bundle, oldest
first, and its last line names the bundle that is the accepted one: where a candidate
was refused, the same as before. So a change takes effect in one step: the bundle is
copied, then the history is replaced.
What comes after (the copy of the identifier in ``site.json``) is only a
convenience for people, and is put right when the site is next opened.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dgseg.bundles.bundle import BundleInfo, read_info
from dgseg.errors import BundleError, write_error
from dgseg.files import atomic_write, sha256_of
from dgseg.scans.schema import LabelSchema
from dgseg.site.records import HistoryEntry
from dgseg.site.state import sync_folder

HISTORY_NAME = "history.jsonl"
_WEIGHTS = "weights.safetensors"


class Lineage:
    """The accepted bundles of one site.

    Parameters
    ----------
    path : Path
        The workspace.
    labels : LabelSchema
        What every bundle of the site segments.
    accepted : str
        What ``site.json`` names, for a history that cannot be read.
    """

    def __init__(self, path: Path, labels: LabelSchema, accepted: str = "") -> None:
        self._path = path
        self._labels = labels
        self._lines = _read_lines(path / HISTORY_NAME)
        parsed = [_parse(line) for line in self._lines]
        self.entries = [entry for entry in parsed if entry is not None]
        last = parsed[-1] if parsed else None
        self.accepted_id = accepted if last is None else last.bundle_id

    @property
    def accepted(self) -> Path:
        """The folder of the accepted bundle."""
        return self._path / "bundles" / self.accepted_id

    @property
    def before_id(self) -> str:
        """The bundle that was the accepted one before this one; empty where there was none."""
        others = (entry.bundle_id for entry in reversed(self.entries))
        return next((each for each in others if each != self.accepted_id), "")

    def begin(self, bundle: Path) -> BundleInfo:
        """Accept the bundle that a new site starts from."""
        return self._adopt(bundle, "initial")

    def accept(self, candidate: Path, verdict: Mapping[str, Any]) -> BundleInfo:
        """Copy a candidate in and make it the accepted bundle."""
        return self._adopt(candidate, "accepted", *_said(verdict))

    def refuse(self, verdict: Mapping[str, Any]) -> None:
        """Note that a candidate was judged so, and that the accepted bundle stays."""
        self._append(self.accepted_id, None, "refused", *_said(verdict))

    def roll_back(self, bundle_id: str) -> BundleInfo:
        """Make an earlier accepted bundle the accepted one again."""
        if bundle_id not in {entry.bundle_id for entry in self.entries}:
            raise BundleError(
                f"This site never accepted the model {bundle_id}.",
                remedy="Choose one from the site's history.",
            )
        info = read_info(self._path / "bundles" / bundle_id)
        if bundle_id != self.accepted_id:
            note = f"Back from model {self.accepted_id}."
            self._append(info.bundle_id, info.parent_id, "rolled-back", note, {})
        return info

    def _adopt(
        self,
        bundle: Path,
        action: str,
        note: str = "",
        numbers: Mapping[str, Any] | None = None,
    ) -> BundleInfo:
        info = read_info(bundle)
        if _structures(info.labels) != _structures(self._labels):
            raise BundleError(
                f"The model segments {', '.join(info.labels.names)}; this site is about "
                f"{', '.join(self._labels.names)}.",
                remedy="Choose a model of the same structures, or start another site.",
                path=bundle,
            )
        target = self._path / "bundles" / info.bundle_id
        try:
            _copy(bundle, info, target)
        except OSError as error:
            raise write_error(
                "The model could not be copied into the site", target, error
            ) from (error)
        self._append(info.bundle_id, info.parent_id, action, note, numbers or {})
        return info

    def _append(
        self,
        bundle_id: str,
        parent_id: str | None,
        action: str,
        note: str,
        numbers: Mapping[str, Any],
    ) -> None:
        entry = HistoryEntry.model_validate(
            {
                "bundle_id": bundle_id,
                "parent_id": parent_id,
                "action": action,
                "note": note,
                "numbers": json.loads(json.dumps(dict(numbers), default=_plain)),
            }
        )
        lines = [*self._lines, json.dumps(entry.model_dump(mode="json"), ensure_ascii=False)]
        path = self._path / HISTORY_NAME
        try:
            with atomic_write(path, "w") as file:
                file.write("\n".join(lines) + "\n")
            sync_folder(path.parent)
        except OSError as error:
            raise write_error(
                "The site's history of models could not be saved", path, error
            ) from error
        self._lines = lines
        self.entries = [*self.entries, entry]
        self.accepted_id = entry.bundle_id


def _said(verdict: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """A verdict's sentence and numbers."""
    return str(verdict.get("sentence", "")), verdict.get("numbers") or {}


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in text.split("\n") if line.strip()]


def _parse(line: str) -> HistoryEntry | None:
    try:
        return HistoryEntry.model_validate_json(line)
    except ValidationError:
        return None


def _plain(value: object) -> object:
    """NumPy's numbers and arrays as JSON knows them."""
    convert = getattr(value, "tolist", None)
    return str(value) if convert is None else convert()


def _structures(labels: LabelSchema) -> list[tuple[int, str]]:
    return [(label.value, label.name) for label in labels.labels]


def _copy(source: Path, info: BundleInfo, target: Path) -> None:
    """Copy a bundle to `target`, which is wholly there afterwards or not at all."""
    if _is_whole(target, info):
        return
    staging = target.with_name(f".{info.bundle_id}.{secrets.token_hex(4)}")
    try:
        # Not copying the permissions: an installed bundle may be read-only.
        shutil.copytree(source, staging, copy_function=shutil.copyfile)
        staging.chmod(0o755)
        if not _is_whole(staging, info):
            raise BundleError(
                "The model's weights are not those it was saved with: the file is "
                "truncated or altered.",
                remedy="Copy the whole model folder again from where it came from.",
                path=source,
            )
        for path in staging.rglob("*"):
            _sync(path)
        sync_folder(staging)
        _move_aside(target, info)
        staging.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move_aside(target: Path, info: BundleInfo) -> None:
    """Make room where a damaged copy of the bundle lies; another bundle is left alone."""
    if not target.exists():
        return
    try:
        other = read_info(target)
        another = other.weights_sha256 != info.weights_sha256 and _is_whole(target, other)
    except BundleError:
        another = False
    if another:
        raise BundleError(
            f"The site already has another model with the identifier {info.bundle_id}.",
            remedy="Save the new model again, so that it gets an identifier of its own.",
            path=target,
        )
    target.rename(target.with_name(f"damaged-{info.bundle_id}-{secrets.token_hex(4)}"))


def _is_whole(folder: Path, info: BundleInfo) -> bool:
    """Whether a folder holds this very bundle, byte for byte of its weights."""
    try:
        found = read_info(folder)
    except BundleError:
        return False
    same = (found.bundle_id, found.weights_sha256) == (info.bundle_id, info.weights_sha256)
    return same and sha256_of(folder / _WEIGHTS) == info.weights_sha256


def _sync(path: Path) -> None:
    if path.is_file():
        with open(path, "rb+") as file:
            os.fsync(file.fileno())
