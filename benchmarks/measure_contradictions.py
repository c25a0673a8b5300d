"""Whether corrections that contradict each other across scans are found, and sound ones left.

A site is a few scans of a centre that the model has never seen, with evenly spaced slices
of each corrected by the true labels. In one of the scans the person then makes a mistake
in every slice that they correct: two structures bear each other's names, or one structure
is drawn twice as large there and half as large in another scan. A mistake counts as found
where a warning names that scan; any warning at the site without a mistake is a false alarm.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.ndimage import distance_transform_edt

from benchmarks.unseen import Model, centres, generator, is_made_up, models
from dgseg.datasets.dataset import Entry
from dgseg.evaluation.tables import markdown
from dgseg.inference.segmenter import segment_with
from dgseg.scans.schema import LabelSchema
from dgseg.site.concerns import concerns
from dgseg.site.known import tabulate
from dgseg.site.proposals import Proposal

SOUND = "none: false alarms"

Draw = Callable[[np.ndarray], np.ndarray]
"""How a person draws: from the true labels (rows, columns) to what they leave."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A scan with what the model proposes for it, and what is true.

    Attributes
    ----------
    proposal : Proposal
    truth : ndarray of uint8, shape (slices, rows, columns)
    slices : tuple of int
        That can be corrected: annotated, and with a structure.
    """

    proposal: Proposal
    truth: np.ndarray
    slices: tuple[int, ...]


@dataclass(frozen=True)
class Mistake:
    """What goes wrong in scan 0 of a site, and perhaps in scan 1.

    Attributes
    ----------
    name : str
    draw : tuple of callable
        How these scans are drawn; the others are drawn as they are.
    """

    name: str
    draw: tuple[Draw, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One site.

    Attributes
    ----------
    task, where, mistake : str
        What is segmented; whether the scans are real; what is wrong.
    k : int
        Corrected slices of each scan.
    found : bool
        Whether the mistake was found; without one, whether there was a warning.
    """

    task: str
    where: str
    mistake: str
    k: int
    found: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scans", type=int, default=12, help="of each unseen centre at most")
    parser.add_argument("--site-scans", type=int, default=3, help="corrected scans of a site")
    parser.add_argument("--ks", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--sites", type=int, default=40, help="drawn of each centre")
    parser.add_argument("--only", choices=("real", "made-up"), help="centres of that kind")
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> str:
    trials: list[Trial] = []
    for model in models(options.bundles):
        schema = model.info.labels
        possible = mistakes(schema)
        unseen = centres(model, options.scans, labelled=True, only=options.only)
        for domain, entries in unseen.items():
            shown = [each for entry in entries if (each := show(model, entry)) is not None]
            if len(shown) < 2:
                print(f"Skipped: {domain} has fewer than two labelled scans.", flush=True)
                continue
            where = "made-up" if is_made_up(domain) else "real"
            for number in range(options.sites):
                rng = generator(options.seed, str(model.info.bundle_id), domain, number)
                n = min(options.site_scans, len(shown))
                site = [shown[at] for at in rng.choice(len(shown), n, replace=False)]
                trials += [
                    Trial(schema.name, where, each.name, k, is_found(site, schema, k, each))
                    for k in options.ks
                    for each in possible
                ]
    return table(trials)


def show(model: Model, entry: Entry) -> Shown | None:
    """A scan as the model sees it; None where nothing of it can be corrected."""
    item = entry.load()
    if item.labels is None:
        return None
    slices = np.flatnonzero(item.annotated & item.labels.any(axis=(1, 2)))
    if not slices.size:
        return None
    found = segment_with(model.net, model.info, item.scan)
    return Shown(found.proposal(model.info.bundle_id), item.labels, tuple(slices.tolist()))


def is_found(site: Sequence[Shown], schema: LabelSchema, k: int, mistake: Mistake) -> bool:
    known = [
        tabulate(
            str(at),
            f"scan-{at}",
            drawn(scan, k, mistake.draw[at] if at < len(mistake.draw) else _as_it_is),
            scan.proposal,
            schema.n_classes,
        )
        for at, scan in enumerate(site)
    ]
    names = [label.name for label in schema.labels]
    told = [each for each in concerns(known, names) if each.kind == "contradiction"]
    if not mistake.draw:
        return bool(told)
    return any(scan_id == "0" for each in told for scan_id, _ in each.slices)


def drawn(scan: Shown, k: int, draw: Draw) -> Mapping[int, np.ndarray]:
    """What a person leaves in k slices, each in the middle of a k-th of the height."""
    n = len(scan.slices)
    places = [scan.slices[int((i + 0.5) * n / k)] for i in range(k)] if k < n else scan.slices
    return {index: _left(scan, index, draw) for index in places}


@lru_cache(maxsize=100_000)
def _left(scan: Shown, index: int, draw: Draw) -> np.ndarray:
    return draw(scan.truth[index])


def mistakes(schema: LabelSchema) -> list[Mistake]:
    """None, every exchange of two structures, and every structure drawn in two sizes."""
    exchanges = [
        Mistake(
            f"{one.short_name} and {other.short_name} exchanged",
            (exchange(one.value, other.value),),
        )
        for one, other in combinations(schema.labels, 2)
    ]
    sizes = [
        Mistake(
            f"{label.short_name} twice, and half as large",
            (resized(label.value, 2.0), resized(label.value, 0.5)),
        )
        for label in schema.labels
    ]
    return [Mistake(SOUND), *exchanges, *sizes]


def exchange(one: int, other: int) -> Draw:
    def draw(truth: np.ndarray) -> np.ndarray:
        values = np.arange(256, dtype=np.uint8)
        values[[one, other]] = [other, one]
        left: np.ndarray = values[truth]
        return left

    return draw


def resized(value: int, factor: float) -> Draw:
    """One structure grown over its surroundings, or given up from its border inwards."""

    def draw(truth: np.ndarray) -> np.ndarray:
        mask = truth == value
        if not mask.any():
            return truth
        depth = distance_transform_edt(mask) - distance_transform_edt(~mask)
        wanted = np.argsort(-depth, axis=None, kind="stable")[: round(factor * mask.sum())]
        left = np.where(mask, 0, truth).astype(np.uint8)
        left.flat[wanted] = value
        return left

    return draw


def _as_it_is(truth: np.ndarray) -> np.ndarray:
    return truth


def table(trials: Iterable[Trial]) -> str:
    """The share of sites at which a mistake was found, by the number of slices."""
    groups: dict[tuple[str, str, str], dict[int, list[bool]]] = {}
    for each in trials:
        group = groups.setdefault((each.task, each.where, each.mistake), {})
        group.setdefault(each.k, []).append(each.found)
    ks = sorted({k for group in groups.values() for k in group})
    rows = [
        [
            f"{task}, {where}: {mistake}",
            str(len(next(iter(group.values())))),
            *(f"{100 * np.mean(group[k]):.0f} %" for k in ks),
        ]
        for (task, where, mistake), group in groups.items()
    ]
    return markdown(["mistake", "sites", *(f"{k} a scan" for k in ks)], rows)
