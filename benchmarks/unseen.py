"""Models, and scans of centres that they have never seen: for measuring the warnings."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import nn

from dgseg.bundles.bundle import BundleInfo
from dgseg.datasets.dataset import Entry
from dgseg.datasets.registry import DATASETS, load
from dgseg.datasets.synthetic import ANATOMIES
from dgseg.errors import DatasetError
from dgseg.inference.segmenter import load_network
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.scan import ScanSource
from dgseg.scans.synthetic.scanner import Anatomy
from dgseg.scans.synthetic.site import NEW_CENTRE, SCANNERS, make_site

T = TypeVar("T")

N_MADE_UP = 6
"""Scans of the made-up centre that no model is trained on."""


@dataclass(frozen=True)
class Model:
    """A bundle in memory."""

    folder: Path
    info: BundleInfo
    net: nn.Module

    @classmethod
    def read(cls, folder: Path) -> Model:
        """Of a folder."""
        return cls(folder, *load_network(folder))

    @property
    def data(self) -> tuple[str, ...]:
        """Registered data sets of the structures that it segments."""
        return tuple(name for name in DATASETS if DATASETS[name].schema == self.info.labels)


def entries_of(name: str) -> tuple[Entry, ...]:
    """The scans of a data set; none, and a line that says why, where it is not at hand.

    Of made-up anatomy with those of the centre that no model is trained on.
    """
    try:
        found = _entries(name)
    except DatasetError as error:
        print(f"Skipped: {error}", flush=True)
        return ()
    return found


@lru_cache
def _entries(name: str) -> tuple[Entry, ...]:
    found = load(name).entries
    if name in ANATOMIES:
        found = (*found, *_new_centre(ANATOMIES[name]))
    # Each scan is looked at by several models: it is read, or made, once.
    return tuple(replace(each, loader=lru_cache(maxsize=1)(each.loader)) for each in found)


def _new_centre(anatomy: Anatomy) -> Iterator[Entry]:
    """Scans of the made-up centre that no model is trained on."""
    scanner = NEW_CENTRE[anatomy]
    domain = SCANNERS[scanner].domain
    site = lru_cache(maxsize=1)(partial(make_site, anatomy, scanner, N_MADE_UP, seed=0))

    def load_one(index: int) -> AnnotatedScan:
        return site()[index]

    for index in range(N_MADE_UP):
        title = f"{domain}-{index}"
        source = ScanSource(kind="memory", path=Path(title), title=title)
        yield Entry(domain, f"{scanner}-{index:02d}", source, True, partial(load_one, index))


def centres(
    model: Model, most: int, *, labelled: bool = False, only: str | None = None
) -> dict[str, list[Entry]]:
    """Scans of each centre that a model has never seen.

    Parameters
    ----------
    model : Model
    most : int
        Scans of each centre, evenly chosen.
    labelled : bool
        Only those with labels.
    only : {'real', 'made-up'}, optional
        Centres of that kind.
    """
    found: dict[str, list[Entry]] = {}
    for name in model.data:
        if only is not None and (name in ANATOMIES) != (only == "made-up"):
            continue
        for entry in entries_of(name):
            if entry.domain not in model.info.domains and (entry.labelled or not labelled):
                found.setdefault(entry.domain, []).append(entry)
    return {domain: evenly(here, most) for domain, here in found.items()}


def is_made_up(domain: str) -> bool:
    return domain.startswith("synthetic-")


def evenly(things: Sequence[T], most: int) -> list[T]:
    """So many of some things at most, evenly chosen."""
    places = np.linspace(0, len(things) - 1, min(most, len(things)))
    return [things[int(place)] for place in places]


def generator(*parts: object) -> np.random.Generator:
    """Random numbers that the parts alone decide, on every machine."""
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def models(folders: Sequence[Path]) -> Iterator[Model]:
    """One bundle after the other, with a line on where the work is."""
    for number, folder in enumerate(folders, start=1):
        model = Model.read(folder)
        print(f"[{number}/{len(folders)}] {folder}", flush=True)
        yield model
