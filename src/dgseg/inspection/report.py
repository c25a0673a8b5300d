"""Looking into the scans of a few centres: files in a folder, and a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dgseg.errors import ScanError, write_error
from dgseg.factors.distance import Distance, distance_to_bank
from dgseg.factors.map import CodeMap, OneCode, map_codes
from dgseg.factors.record import ScanFactors
from dgseg.factors.table import write_csv, write_npz
from dgseg.files import atomic_write, write_json
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.decoding import SliceParts, slice_parts
from dgseg.inspection.embedding import tsne
from dgseg.inspection.factors import scan_factors
from dgseg.inspection.findings import Example, Findings, numbers
from dgseg.inspection.findings_page import render
from dgseg.inspection.measures import Measuring
from dgseg.inspection.parts import disentangled
from dgseg.inspection.pictures import scan_pictures
from dgseg.inspection.plots import draw_anatomy, draw_map, draw_scan, draw_swaps
from dgseg.inspection.sheet import traverse, write_sheet
from dgseg.inspection.swaps import reconstruct, swap_with_domains
from dgseg.scans.scan import Scan

PAGE_NAME = "index.html"

_CODES: tuple[OneCode, OneCode] = ("domain", "style")

_EXAMPLES = 4
"""Centres of which a slice is swapped."""


class Inspection:
    """Looks into scans one after the other and writes what it finds into a folder.

    Parameters
    ----------
    segmenter : Segmenter
        Of a disentangling method.
    out : Path
        Made if absent.

    Raises
    ------
    MethodError
        If the model does not tell anatomy from appearance.
    """

    def __init__(self, segmenter: Segmenter, out: Path) -> None:
        disentangled(segmenter)
        self.segmenter = segmenter
        self.out = out
        self._measuring = Measuring(segmenter)
        self._centres: list[str] = []
        self._records: list[ScanFactors] = []
        self._firsts: dict[str, tuple[str, int, np.ndarray, SliceParts]] = {}

    def add(self, scan: Scan, centre: str) -> tuple[str, ...]:
        """Look into one scan; its pictures are then in the folder.

        Parameters
        ----------
        scan : Scan
        centre : str
            Where it is from, by the name that the bundle may know.

        Returns
        -------
        tuple of str
            What had to be given up or left out, as sentences for a person.

        Raises
        ------
        ScanError, DeviceError, MethodError, WorkspaceWriteError
            If nothing can be said of this scan. What was found before is kept.
        """
        if any(record.scan_id == scan.scan_id for record in self._records):
            raise ScanError("The same scan was given twice.", path=scan.source.path)
        factors, warnings = scan_factors(self.segmenter, scan)
        pictures = scan_pictures(self.segmenter, scan)
        middle = scan.n_slices // 2
        folder = self.out / "scans" / scan.scan_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            draw_scan(folder / "pictures.png", pictures)
            draw_anatomy(folder / "anatomy.png", pictures, middle)
        except OSError as error:
            raise write_error("The pictures could not be saved", folder, error) from error
        if centre not in self._firsts and len(self._firsts) < _EXAMPLES:
            kept = slice_parts(self.segmenter, scan, middle)
            self._firsts[centre] = (scan.scan_id, middle, pictures.image[middle], kept)
        self._measuring.add(scan, centre)
        self._centres.append(centre)
        self._records.append(factors)
        return warnings

    def finish(self) -> Path:
        """Write the tables, the maps, the sheets, the swaps and the page.

        Returns
        -------
        Path
            The page.

        Raises
        ------
        WorkspaceWriteError
            If the disk refuses.
        """
        try:
            found = self._find()
            domains = self.segmenter.info.domains
            write_csv(self.out / "codes.csv", self._records, domains)
            write_npz(self.out / "factors.npz", self._records, domains)
            write_json(self.out / "measures.json", numbers(found))
            page = self.out / PAGE_NAME
            with atomic_write(page, "w") as file:
                file.write(render(self.segmenter.info, found))
        except OSError as error:
            raise write_error("The page could not be saved", self.out, error) from error
        return page

    def _find(self) -> Findings:
        maps: dict[str, CodeMap] = {}
        drawn: dict[str, list[str]] = {"maps": [], "sheets": []}
        kept = next(iter(self._firsts.values()))[3]
        for code in _CODES:
            codes = np.concatenate([getattr(record, code) for record in self._records])
            if not codes.shape[1]:
                continue
            drawn["maps"] += self._draw_maps(code, codes, maps)
            name = f"sheet-{code}.png"
            write_sheet(self.out / name, traverse(self.segmenter, kept, code), code)
            drawn["sheets"].append(name)
        return Findings(
            self._centres,
            self._records,
            self._measuring.result(),
            dict(self._distances()),
            maps,
            drawn,
            [self._swap(*first) for first in self._firsts.items()],
        )

    def _draw_maps(
        self, code: OneCode, codes: np.ndarray, maps: dict[str, CodeMap]
    ) -> list[str]:
        """Draw the slices by PCA, where there is a bank, and by t-SNE; returns file names."""
        bank = self.segmenter.info.style_bank
        counts = [record.n_slices for record in self._records]
        names = np.repeat(self._centres, counts).tolist()
        title = {"domain": "Domain code d", "style": "Style s"}[code]
        files = []
        if bank is not None:
            maps[code] = map_codes(bank, codes, code)
            files.append(f"map-{code}.png")
            draw_map(self.out / files[-1], f"{title}, by PCA", maps[code].xy, names, maps[code])
        files.append(f"map-{code}-tsne.png")
        draw_map(self.out / files[-1], f"{title}, by t-SNE", tsne(codes), names)
        return files

    def _distances(self) -> Iterator[tuple[str, Distance]]:
        bank = self.segmenter.info.style_bank
        for centre in dict.fromkeys(self._centres if bank is not None else ()):
            mine = [
                record
                for name, record in zip(self._centres, self._records, strict=True)
                if name == centre
            ]
            style = np.concatenate([record.style for record in mine])
            domain = np.concatenate([record.domain for record in mine])
            if bank is not None and np.isfinite(style).all(axis=1).any():
                yield centre, distance_to_bank(bank, style, domain)

    def _swap(self, centre: str, first: tuple[str, int, np.ndarray, SliceParts]) -> Example:
        scan_id, index, image, kept = first
        swaps = [reconstruct(self.segmenter, kept), *swap_with_domains(self.segmenter, kept)]
        name = f"swaps-{scan_id}.png"
        draw_swaps(self.out / name, image, swaps, self.segmenter.info.labels)
        return Example(centre, scan_id, index, name, swaps)
