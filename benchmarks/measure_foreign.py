"""Whether scans of another body part are named before anything is trained.

Each model looks at scans of centres that it has never seen, of the right body part, and at
scans of others: those of the other data sets, and every folder of ``DGSEG_DATA/dicom``. What
the proposal of such a scan says of its distance is counted. A bundle without a look bank is
given one first, measured on what it has learnt from.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure_looks import look_bank
from benchmarks.unseen import Model, centres, entries_of, evenly, is_made_up, models
from dgseg.bundles.bundle import BundleInfo
from dgseg.datasets.dataset import Entry
from dgseg.datasets.registry import DATASETS, ROOT_VARIABLE
from dgseg.errors import DgsegError
from dgseg.evaluation.tables import markdown
from dgseg.factors.distance import Distance
from dgseg.inference.segmenter import segment_with
from dgseg.scans.scan import Scan
from dgseg.scans.sources import discover, read


@dataclass(frozen=True)
class Seen:
    """One scan, as a model that knows neither it nor its centre saw it.

    Attributes
    ----------
    task : str
        What the model segments.
    right : bool
        Whether the scan is of the body part that the model is for.
    shows : str
        What the scan shows.
    distance : Distance
    """

    task: str
    right: bool
    shows: str
    distance: Distance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scans", type=int, default=10, help="of each unseen centre at most")
    parser.add_argument("--others", type=int, default=2, help="of each other centre at most")
    parser.add_argument("--only", choices=("real", "made-up"), help="unseen centres of a kind")
    parser.add_argument("--bank-scans", type=int, default=12, help="of each domain at most")
    parser.add_argument("--every", type=int, default=2, help="of so many slices one")


def run(options: argparse.Namespace) -> str:
    seen: list[Seen] = []
    for model in models(options.bundles):
        info = with_bank(model, options.bank_scans, options.every)
        if info is None:
            print("Skipped: this model cannot tell what is unlike it.", flush=True)
            continue
        seen += looked_at(model, info, options.scans, options.others, options.only)
    return table(seen)


def with_bank(model: Model, most: int, every: int) -> BundleInfo | None:
    """A bundle's description with a look bank; None where it cannot tell a distance."""
    info = model.info
    if info.look_bank is None:
        entries = [entry for name in model.data for entry in entries_of(name)]
        missing = set(info.domains) - {entry.domain for entry in entries}
        if missing:
            return None
        bank = look_bank(info, model.net, entries, every, most)
        info = info.model_copy(update={"look_bank": bank})
    return info if info.look_bank is not None and info.look_bank.new_centre else None


def looked_at(
    model: Model, info: BundleInfo, most: int, most_others: int, only: str | None = None
) -> Iterator[Seen]:
    """What a model says of scans of unseen centres, and of other body parts.

    Parameters
    ----------
    model : Model
    info : BundleInfo
        Of it, with a look bank.
    most, most_others : int
        Scans of each centre; of each centre, or DICOM folder, of another body part.
    only : {'real', 'made-up'}, optional
        Unseen centres of that kind.
    """
    for right, shows, scan in (*_unseen(model, most, only), *_others(model, most_others)):
        try:
            distance = segment_with(model.net, info, scan()).distance
        except DgsegError as error:
            print(f"Skipped: {error}", flush=True)
            continue
        if distance is not None:
            yield Seen(info.labels.name, right, shows, distance)


_Scans = Iterator[tuple[bool, str, Callable[[], Scan]]]
"""Whether the body part is the right one, what a scan shows, and how to read it."""


def _unseen(model: Model, most: int, only: str | None) -> _Scans:
    for domain, entries in centres(model, most, only=only).items():
        shows = "made-up" if is_made_up(domain) else "real"
        yield from ((True, f"{shows}, unseen centres", _reader(entry)) for entry in entries)


def _others(model: Model, most: int) -> _Scans:
    for name in DATASETS:
        found = () if name in model.data else entries_of(name)
        for domain in dict.fromkeys(entry.domain for entry in found):
            here = [entry for entry in found if entry.domain == domain]
            yield from ((False, name, _reader(entry)) for entry in evenly(here, most))
    root = Path(os.environ.get(ROOT_VARIABLE, "")) / "dicom"
    folders = sorted(root.iterdir()) if root.is_dir() else []
    if not folders:
        print(f"Skipped: no DICOM folders of other body parts in {root}.", flush=True)
    for folder in folders:
        series = [found.source for found in discover(folder) if found.source is not None]
        yield from ((False, folder.name, partial(read, one)) for one in evenly(series, most))


def _reader(entry: Entry) -> Callable[[], Scan]:
    return lambda: entry.load().scan


def table(seen: Iterable[Seen]) -> str:
    """How many were called foreign, by what a model is for and what the scans show."""
    groups: dict[tuple[str, bool, str], list[Distance]] = {}
    for each in seen:
        for shows in (each.shows,) if each.right else (each.shows, _ALL):
            groups.setdefault((each.task, not each.right, shows), []).append(each.distance)
    rows = []
    for (task, other, shows), found in sorted(groups.items()):
        foreign = sum(distance.foreign for distance in found)
        values = sorted(distance.value for distance in found)
        rows.append(
            [
                f"{task}: {'another body part' if other else 'the right one'}, {shows}",
                str(len(found)),
                f"{foreign} ({100 * foreign / len(found):.0f} %)",
                *(f"{values[at]:.2f}" for at in (0, len(values) // 2, -1)),
            ]
        )
    head = [
        "models of, and scans of",
        "looks",
        "called foreign",
        "nearest",
        "middle",
        "farthest",
    ]
    return markdown(head, rows)


_ALL = "**all**"
