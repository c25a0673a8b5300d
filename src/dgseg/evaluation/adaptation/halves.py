"""Whose scans of the target are adapted to, and whose are scored: halves that never meet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dgseg.datasets.dataset import Entry
from dgseg.errors import DatasetError
from dgseg.evaluation.benchmark.splits import file_name
from dgseg.files import write_json
from dgseg.scans.annotated import AnnotatedScan

_FORMAT = 1
_BLOCKS = 4
"""Parts of a scan that are shared out in turn where there is a single person."""


@dataclass(frozen=True)
class Halves:
    """The two halves of a target.

    Attributes
    ----------
    target : str
    seed : int
        Of the draw.
    by : {'people', 'slices'}
        What was divided: people, or the annotated slices where there is one person.
    adaptation : tuple of str
        Subjects whose scans are adapted to, in random order.
    test : tuple of str
        Subjects who are scored, sorted; nothing of them is read before that. The same
        person as above where slices were divided.
    test_slices : mapping of str to tuple of int
        Where slices were divided, those that are scored, by scan.
    """

    target: str
    seed: int
    by: Literal["people", "slices"]
    adaptation: tuple[str, ...]
    test: tuple[str, ...]
    test_slices: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def adaptation_entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """The scans that are adapted to.

        Where slices were divided, only the scans that have labels: another scan of the
        same person would show the slices that are scored.
        """
        return [
            entry
            for entry in entries
            if (entry.domain, entry.subject) in {(self.target, who) for who in self.adaptation}
            and (entry.labelled or self.by == "people")
        ]

    def test_entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """The labelled scans that are scored."""
        return [
            entry
            for entry in entries
            if entry.labelled and entry.domain == self.target and entry.subject in self.test
        ]

    def adaptation_part(self, item: AnnotatedScan) -> AnnotatedScan:
        """A scan without the labels of what is scored, whose slices are hidden."""
        hidden = self._scored(item)
        if not hidden.any():
            return item
        labels = None if item.labels is None else item.labels.copy()
        if labels is not None:
            labels[hidden] = 0
        marks = item.annotated & ~hidden
        return replace(
            item, labels=labels, annotated_slices=marks, hidden_slices=item.hidden | hidden
        )

    def test_part(self, item: AnnotatedScan) -> AnnotatedScan:
        """A scan in which only what is scored counts as annotated."""
        if self.by == "people":
            return item
        return replace(item, annotated_slices=item.annotated & self._scored(item))

    def _scored(self, item: AnnotatedScan) -> np.ndarray:
        marks = np.zeros(item.scan.n_slices, dtype=bool)
        marks[list(self.test_slices.get(item.scan.scan_id, ()))] = True
        return marks


def make_halves(entries: Sequence[Entry], target: str, seed: int) -> Halves:
    """Divide a target; the seed and the target alone decide how.

    Parameters
    ----------
    entries : sequence of Entry
        Of the whole data set.
    target : str
    seed : int

    Returns
    -------
    Halves
        Of an odd number of people the larger half is scored; people without labels are
        adapted to. One person's annotated slices are divided into `_BLOCKS` blocks,
        every other of which is scored.

    Raises
    ------
    DatasetError
        If there is nobody with labels, or one person with fewer than two annotated
        slices.
    """
    there = [entry for entry in entries if entry.domain == target]
    labelled = {entry.subject for entry in there if entry.labelled}
    order = _shuffled(labelled, seed, target)
    if not order:
        raise DatasetError(
            f"Nobody in the domain {target} has labels, so nothing can be scored there.",
            remedy="Choose other targets.",
        )
    if len(order) == 1:
        return _divide_slices(there, order[0], target, seed)
    n = len(order) // 2
    others = sorted({entry.subject for entry in there} - labelled)
    return Halves(target, seed, "people", (*order[:n], *others), tuple(sorted(order[n:])))


def saved_halves(
    folder: Path, entries: Sequence[Entry], data: str, target: str, seed: int
) -> Halves:
    """The halves of a file in `folder`, drawn and saved where there is none.

    Parameters
    ----------
    folder : Path
        Made if missing.
    data : str
        Name of the data set.
    entries, target, seed
        As in `make_halves`.

    Raises
    ------
    DatasetError
        If the file is damaged, or does not fit the data or the other arguments; and as
        `make_halves` raises.
    """
    path = folder / f"{file_name(data, target)}-seed{seed}.json"
    if not path.exists():
        halves = make_halves(entries, target, seed)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {"format": _FORMAT, "data": data, **asdict(halves)})
        return halves
    halves = _read(path)
    labelled = {e.subject for e in entries if e.domain == target and e.labelled}
    known = set(halves.adaptation) | set(halves.test)
    if (halves.target, halves.seed) != (target, seed) or not labelled <= known:
        raise DatasetError(
            "The saved halves of a target do not fit the data set.",
            remedy="Use the data that they were drawn for, or another folder.",
            path=path,
        )
    return halves


def _divide_slices(entries: Sequence[Entry], who: str, target: str, seed: int) -> Halves:
    scored: dict[str, tuple[int, ...]] = {}
    for entry in (e for e in entries if e.labelled):
        item = entry.load()
        blocks = np.array_split(np.flatnonzero(item.annotated), _BLOCKS)
        # The same blocks of all scans, which show the same anatomy at the same height.
        chosen = np.concatenate(blocks[seed % 2 :: 2])
        if not 0 < chosen.size < item.annotated.sum():
            raise DatasetError(
                f"The only person of the domain {target} has too few annotated slices for "
                "one half to adapt to and one to score.",
                remedy="Choose other targets.",
            )
        scored[item.scan.scan_id] = tuple(chosen.tolist())
    return Halves(target, seed, "slices", (who,), (who,), scored)


def _shuffled(subjects: set[str], seed: int, target: str) -> list[str]:
    """Random, yet the same on every machine and with every version of every library."""

    def place(subject: str) -> bytes:
        return hashlib.sha256(json.dumps([seed, target, subject]).encode()).digest()

    return sorted(subjects, key=place)


def _read(path: Path) -> Halves:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT or content["by"] not in ("people", "slices"):
            raise ValueError(content["format"])
        return Halves(
            str(content["target"]),
            int(content["seed"]),
            content["by"],
            adaptation=tuple(map(str, content["adaptation"])),
            test=tuple(map(str, content["test"])),
            test_slices={
                str(scan_id): tuple(map(int, slices))
                for scan_id, slices in content["test_slices"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            "The saved halves of a target are damaged or of another version.",
            remedy="Bring back the original file; without it, start in another folder.",
            path=path,
        ) from error
