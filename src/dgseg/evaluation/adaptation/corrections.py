"""Which slices a simulated person corrects: few, from different people, at all heights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dgseg.datasets.dataset import Entry
from dgseg.errors import DatasetError
from dgseg.evaluation.adaptation.halves import Halves
from dgseg.evaluation.benchmark.splits import file_name
from dgseg.files import write_json
from dgseg.scans.annotated import AnnotatedScan

_FORMAT = 1

_ItemT = TypeVar("_ItemT")

Slices = Mapping[str, tuple[int, ...]]
"""Numbers of slices by scan."""


@dataclass(frozen=True)
class Candidates:
    """What of one scan can be corrected.

    Attributes
    ----------
    subject, scan_id : str
    slices : tuple of int
        Annotated slices of the adaptation half that hold a structure, from one end to
        the other.
    """

    subject: str
    scan_id: str
    slices: tuple[int, ...]


def candidates(halves: Halves, entries: Sequence[Entry]) -> list[Candidates]:
    """All slices of the adaptation half that can be corrected, scan by scan.

    Parameters
    ----------
    halves : Halves
    entries : sequence of Entry
        Of the whole data set; only scans of the adaptation half are read.
    """
    found = []
    for entry in halves.adaptation_entries(entries):
        item = halves.adaptation_part(entry.load()) if entry.labelled else None
        if item is None or item.labels is None:
            continue
        held = item.annotated & item.labels.any(axis=(1, 2))
        slices = tuple(np.flatnonzero(held).tolist())
        if slices:
            found.append(Candidates(entry.subject, item.scan.scan_id, slices))
    return found


def saved_candidates(
    folder: Path, halves: Halves, entries: Sequence[Entry], data: str
) -> list[Candidates]:
    """`candidates`, from a file in `folder`, or found and saved where there is none.

    Parameters
    ----------
    folder : Path
        Made if missing.
    halves : Halves
    entries : sequence of Entry
    data : str
        Name of the data set.

    Raises
    ------
    DatasetError
        If the file is damaged.
    """

    def take(each: dict[str, Any]) -> Candidates:
        return Candidates(str(each["subject"]), str(each["scan_id"]), tuple(each["slices"]))

    return saved_list(
        folder / f"{file_name(data, halves.target)}-seed{halves.seed}.json",
        "scans",
        lambda: candidates(halves, entries),
        take,
        "The list of slices that can be corrected",
    )


def saved_list(
    path: Path,
    key: str,
    make: Callable[[], list[_ItemT]],
    take: Callable[[dict[str, Any]], _ItemT],
    what: str,
) -> list[_ItemT]:
    """A list of dataclasses from a file, or made and saved where there is none.

    Parameters
    ----------
    path : Path
        A JSON file; its folder is made if missing.
    key : str
        Under which the list stands in the file.
    make : callable
        Makes the list.
    take : callable
        Makes an item of its fields.
    what : str
        Name of the list for people.

    Raises
    ------
    DatasetError
        If the file is damaged; and what `make` raises.
    """
    if not path.exists():
        found = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        content = [asdict(each) for each in found]  # type: ignore[call-overload]
        write_json(path, {"format": _FORMAT, key: content})
        return found
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(content["format"])
        return [take(each) for each in content[key]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{what} is damaged or of another version.",
            remedy="Delete it; it is made again.",
            path=path,
        ) from error


def spread(
    there: Sequence[Candidates], order: Sequence[str], k: int, taken: Slices | None = None
) -> dict[str, tuple[int, ...]]:
    """Choose slices evenly: over people, over their scans, and over the height.

    The i-th of k slices is of the person in the middle of the i-th part of the order,
    and in the middle of the i-th part of the structure's height in a scan of theirs.
    Nobody is chosen twice before everybody was chosen once.

    Parameters
    ----------
    there : sequence of Candidates
    order : sequence of str
        Subjects in a random order.
    k : int
        How many; all where there are not so many.
    taken : mapping of str to tuple of int, optional
        Slices by scan that may not be chosen.

    Returns
    -------
    dict of str to tuple of int
        Slices by scan, sorted.
    """
    used = {scan_id: set(slices) for scan_id, slices in (taken or {}).items()}
    scans: dict[str, list[Candidates]] = {}
    for scan in there:
        scans.setdefault(scan.subject, []).append(scan)
    people = [who for who in order if who in scans]
    chosen: dict[str, set[int]] = {}
    for i in range(k):
        picked = _pick(i, k, people, scans, used)
        if picked is None:
            break
        scan_id, index = picked
        used.setdefault(scan_id, set()).add(index)
        chosen.setdefault(scan_id, set()).add(index)
    return {scan_id: tuple(sorted(slices)) for scan_id, slices in chosen.items()}


def _pick(
    i: int,
    k: int,
    people: Sequence[str],
    scans: Mapping[str, Sequence[Candidates]],
    used: Mapping[str, set[int]],
) -> tuple[str, int] | None:
    """Scan and slice of the i-th choice, or what comes next where that is taken."""
    n = len(people)
    first = int((i + 0.5) * n / k) if k <= n else i % max(n, 1)
    for who in (*people[first:], *people[:first]):
        theirs = scans[who]
        start = (i % n + i // n) % len(theirs)
        for scan in (*theirs[start:], *theirs[:start]):
            free = [s for s in scan.slices if s not in used.get(scan.scan_id, ())]
            if free:
                wanted = scan.slices[int((i + 0.5) * len(scan.slices) / k)]
                return scan.scan_id, min(free, key=lambda s: (abs(s - wanted), s))
    return None


def held_out(
    there: Sequence[Candidates], order: Sequence[str], n: int, corrected: Slices
) -> dict[str, tuple[int, ...]]:
    """Further slices for the gate to judge by, of other people as far as there are any.

    Parameters
    ----------
    there, order
        As in `spread`.
    n : int
        How many at most.
    corrected : mapping of str to tuple of int
        Slices by scan that are learnt from.
    """
    known = {scan.subject for scan in there if scan.scan_id in corrected}
    others = [who for who in order if who not in known]
    return spread(there, others or order, n, corrected)


def every(there: Sequence[Candidates]) -> dict[str, tuple[int, ...]]:
    """All slices that can be corrected."""
    return {scan.scan_id: scan.slices for scan in there}


def site_scans(
    halves: Halves, entries: Sequence[Entry], corrected: Slices, kept: Slices
) -> Iterator[AnnotatedScan]:
    """The adaptation half as a site has it, one scan after the other.

    Parameters
    ----------
    halves : Halves
    entries : sequence of Entry
        Of the whole data set; only scans of the adaptation half are read.
    corrected : mapping of str to tuple of int
        Slices by scan whose labels are there; no other label is.
    kept : mapping of str to tuple of int
        Slices by scan that are hidden, with all that is scored.
    """
    for entry in halves.adaptation_entries(entries):
        item = halves.adaptation_part(entry.load())
        marks = marked(item, corrected.get(item.scan.scan_id, ()))
        hidden = item.hidden | marked(item, kept.get(item.scan.scan_id, ()))
        if item.labels is None or not marks.any():
            yield replace(item, labels=None, annotated_slices=None, hidden_slices=hidden)
            continue
        labels = np.where(marks[:, None, None], item.labels, 0).astype(np.uint8)
        yield replace(item, labels=labels, annotated_slices=marks, hidden_slices=hidden)


def marked(item: AnnotatedScan, slices: Iterable[int]) -> np.ndarray:
    """Some slices of a scan as truth values, shape (slices,)."""
    marks = np.zeros(item.scan.n_slices, dtype=bool)
    marks[list(slices)] = True
    return marks
