"""Give a bundle that was trained without one its look bank, from what it was trained on.

Run from the root of the repository, where the training data are at hand:
``python benchmarks/measure_looks.py src/dgseg/bundles/models/spinal-gm
--data spinal-gm synthetic-cord``. Only ``bundle.json`` changes; the weights, and with
them the bundle's identity, stay what they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from dgseg.bundles.bundle import INFO_NAME, SCHEMA_VERSION, BundleInfo, read_info
from dgseg.bundles.look_bank import LookBank
from dgseg.datasets.dataset import Entry
from dgseg.datasets.registry import load
from dgseg.files import write_json
from dgseg.inference.segmenter import load_network
from dgseg.nets.resample import resize
from dgseg.scans.preprocessing import grid_size, normalise
from dgseg.training.look_bank import measure_look_bank


class Slices:
    """Every so-many-th slice of the scans of a bundle's domains, read when asked for."""

    def __init__(self, info: BundleInfo, entries: list[Entry], every: int) -> None:
        self._info, self._entries, self._every = info, entries, every
        found = {entry.domain for entry in entries}
        self.domains = tuple(name for name in info.domains if name in found)

    def slices(self, domain: str) -> Iterator[Tensor]:
        """The slices of a domain on the model's grid, a scan at a time."""
        preprocessing = self._info.preprocessing
        for entry in self._entries:
            if entry.domain == domain:
                scan = entry.load().scan
                images = normalise(scan.array, preprocessing)[self._every // 2 :: self._every]
                chosen = torch.from_numpy(images.copy())[:, None]
                yield resize(chosen, grid_size(scan.geometry, preprocessing))


def look_bank(
    info: BundleInfo, net: nn.Module, entries: Sequence[Entry], every: int = 1, most: int = 1000
) -> LookBank | None:
    """The look bank of a bundle, measured on what it has learnt from.

    Parameters
    ----------
    info : BundleInfo
    net : nn.Module
        Its network, with its weights.
    entries : sequence of Entry
        Scans, among them those of the bundle's domains.
    every : int
        Of so many slices one is measured.
    most : int
        Scans of each domain at most.
    """
    chosen: list[Entry] = []
    for domain in info.domains:
        here = [entry for entry in entries if entry.domain == domain]
        chosen += here[:: -(-len(here) // most) or 1]
    return measure_look_bank(net, Slices(info, chosen, every))  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", nargs="+", required=True, help="data sets by name")
    parser.add_argument("--every", type=int, default=1, help="of so many slices one")
    parser.add_argument("--scans", type=int, default=1000, help="of each domain at most")
    given = parser.parse_args()
    info, net = load_network(given.bundle)
    entries = [entry for name in given.data for entry in load(name).entries]
    bank = look_bank(info, net, entries, given.every, given.scans)
    changes = {"look_bank": bank, "schema_version": SCHEMA_VERSION}
    write_json(
        given.bundle / INFO_NAME, info.model_copy(update=changes).model_dump(mode="json")
    )
    assert read_info(given.bundle).look_bank == bank


if __name__ == "__main__":
    main()
