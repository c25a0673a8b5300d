"""What becomes of a structure that no correction shows, when a model is adapted.

At a centre that the model has never seen, a person corrects a few slices of half of the
people. One structure is in none of their corrections: either they leave it to the background
(not drawn), or they correct only slices that do not show it (not shown). Each method adapts
the model twice, as it is, and without being told to keep that structure. Scored is the other
half of the people.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.unseen import Model, centres, evenly, models
from dgseg.adaptation.candidate import fine_tune
from dgseg.adaptation.config import AdaptConfig
from dgseg.datasets.dataset import Entry
from dgseg.errors import DgsegError
from dgseg.evaluation.adaptation.corrections import Candidates, candidates, site_scans, spread
from dgseg.evaluation.adaptation.halves import Halves, make_halves
from dgseg.evaluation.adaptation.listener import Listener
from dgseg.evaluation.scoring import score_entries
from dgseg.evaluation.tables import markdown, mean_dice
from dgseg.inference.segmenter import Segmenter
from dgseg.methods import registry
from dgseg.methods.base import Labelled, Method
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.schema import Label

WAYS = ("not-drawn", "not-shown")

Dice = Mapping[str, float]
"""3-D, mean over the scored scans, by the short name of a structure."""


@dataclass(frozen=True)
class Site:
    """A centre in two halves, and the slices that are corrected in the first."""

    halves: Halves
    entries: Sequence[Entry]
    corrected: Mapping[str, tuple[int, ...]]
    absent: Label

    def scans(self) -> Iterator[AnnotatedScan]:
        """The first half, with corrections that do not have the structure."""
        for item in site_scans(self.halves, self.entries, self.corrected, {}):
            if item.labels is None:
                yield item
                continue
            left = np.where(item.labels == self.absent.value, 0, item.labels)
            yield replace(item, labels=left.astype(np.uint8))

    def scored(self, most: int) -> list[Entry]:
        """Scans of the second half."""

        def part(entry: Entry) -> AnnotatedScan:
            return self.halves.test_part(entry.load())

        chosen = evenly(self.halves.test_entries(self.entries), most)
        return [replace(entry, loader=partial(part, entry)) for entry in chosen]


@dataclass(frozen=True)
class Outcome:
    """What one method made of one site."""

    site: str
    way: str
    absent: str
    method: str
    before: Dice
    kept: Dice
    lost: Dice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--methods", nargs="+", default=["finetune", "mean-teacher"])
    parser.add_argument("--structures", nargs="+", help="short names; the last if not given")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[WAYS[0]])
    parser.add_argument("--only", choices=("real", "made-up"), help="centres of that kind")
    parser.add_argument("--k", type=int, default=3, help="corrected slices")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--scans", type=int, default=24, help="of each centre at most")
    parser.add_argument("--scored", type=int, default=8, help="scans at most")
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> str:
    found: list[Outcome] = []
    for model in models(options.bundles):
        there = centres(model, options.scans, only=options.only)
        for entries in there.values():
            for way in options.ways:
                for label in _chosen(model, options.structures):
                    found += outcomes(model, entries, way, label, options)
    return table(found)


def _chosen(model: Model, names: Sequence[str] | None) -> list[Label]:
    labels = model.info.labels.labels
    return [label for label in labels if label.short_name in (names or [labels[-1].short_name])]


def outcomes(
    model: Model, entries: Sequence[Entry], way: str, absent: Label, options: argparse.Namespace
) -> Iterator[Outcome]:
    """What each method makes of a centre; nothing where no such slices are to be had."""
    domain = entries[0].domain
    try:
        site = site_of(entries, way, absent, options.k, options.seed)
    except DgsegError as error:
        print(f"Skipped: {error}", flush=True)
        return
    if not site.corrected:
        print(f"Skipped: every slice of {domain} shows the {absent.name}.", flush=True)
        return
    scored = site.scored(options.scored)
    before = mean_dice(score_entries(Segmenter(model.folder, "cpu"), scored))
    for method in options.methods:
        config = AdaptConfig(
            method=method,
            steps=options.steps,
            device="cpu",
            seed=options.seed,
            threads=options.threads,
        )
        try:
            kept, lost = (
                adapted(model, site, config, scored, keep=keep) for keep in (True, False)
            )
        except DgsegError as error:
            print(f"Skipped: {method}: {error}", flush=True)
            continue
        print(f"{domain}, {method}: {kept} kept, {lost} not", flush=True)
        yield Outcome(domain, way, absent.short_name, method, before, kept, lost)


def site_of(entries: Sequence[Entry], way: str, absent: Label, k: int, seed: int) -> Site:
    """The halves of a centre, and k slices to be corrected; none where there are none."""
    halves = make_halves(entries, entries[0].domain, seed)
    there = candidates(halves, entries)
    if way == "not-shown":
        there = list(_without(there, entries, absent))
    return Site(halves, entries, spread(there, halves.adaptation, k), absent)


def _without(
    there: Iterable[Candidates], entries: Sequence[Entry], absent: Label
) -> Iterator[Candidates]:
    """Of each scan the slices that do not show a structure."""
    wanted = {scan.scan_id: scan for scan in there}
    for entry in entries:
        item = entry.load()
        scan = wanted.get(item.scan.scan_id)
        if scan is None or item.labels is None:
            continue
        shown = (item.labels == absent.value).any(axis=(1, 2))
        slices = tuple(index for index in scan.slices if not shown[index])
        if slices:
            yield replace(scan, slices=slices)


def adapted(
    model: Model, site: Site, config: AdaptConfig, scored: Sequence[Entry], *, keep: bool
) -> Dice:
    """Dice after an adaptation that is, or is not, told what to keep."""
    kind = registry.resolve(config.method)[0]
    prepare = kind.prepare

    def forgetful(method: Method, labelled: Labelled) -> None:
        prepare(method, replace(labelled, absent=()))

    as_it_is: AbstractContextManager[object] = nullcontext()
    with (
        tempfile.TemporaryDirectory() as folder,
        as_it_is if keep else patch.object(kind, "prepare", forgetful),
    ):
        bundle = fine_tune(
            site.scans, model.folder, config, Path(folder), Listener(), with_styles=False
        )
        return mean_dice(score_entries(Segmenter(bundle, "cpu"), scored))


def table(found: Iterable[Outcome]) -> str:
    """Dice of the absent structure, and of the others, before and after."""
    rows = []
    for each in found:
        names = [name for name in each.before if name != each.absent]
        rows.append(
            [
                f"{each.site}: {each.absent} {each.way.replace('-', ' ')}, {each.method}",
                *(f"{dice[each.absent]:.3f}" for dice in (each.before, each.kept, each.lost)),
                *(
                    f"{np.mean([dice[name] for name in names]):.3f}"
                    for dice in (each.before, each.kept, each.lost)
                ),
            ]
        )
    head = ["absent structure", "before", "kept", "not kept"]
    return markdown([*head, "others before", "others, kept", "others, not kept"], rows)
