"""``dgseg inspect``: see what a model sees in scans, without a screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dgseg.cli import console
from dgseg.errors import DgsegError, ScanError
from dgseg.scans.scan import ScanSource


@dataclass(frozen=True)
class Inspect:
    """Look into scans with a model that tells anatomy from appearance: pictures, tables, page."""

    scans: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """NIfTI files, DICOM or BIDS folders, or folders of those."""
    out: Path
    """Folder for the results; made if absent. Open its index.html."""
    bundle: Path | None = None
    """Model folder, of DGNet or SDNet; the bundled model if not given."""
    data_name: tuple[str, ...] = ()
    """Name of the centre that the scans are from: one for all, or one for each of SCANS.
    Where the model knows a centre of that name, it is measured how often it tells it."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:0, mps."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the processor or GPU is faster with it."""

    def run(self) -> int:
        """Do it; returns the exit code."""
        if len(self.data_name) not in {0, 1, len(self.scans)}:
            console.warn(
                f"There are {len(self.data_name)} names for {len(self.scans)} places: give "
                "one for all, or one for each."
            )
            return console.USAGE
        from dgseg.bundles.bundle import default_bundle
        from dgseg.inference.segmenter import Segmenter
        from dgseg.inspection.report import Inspection

        segmenter = Segmenter(
            self.bundle or default_bundle(), device=self.device, precision=self.precision
        )
        inspection = Inspection(segmenter, self.out)
        sources, failures = self._sources()
        self.out.mkdir(parents=True, exist_ok=True)
        done = 0
        with console.bar(len(sources), "inspecting") as bar:
            for source, centre in sources:
                try:
                    self._one(inspection, source, centre)
                    done += 1
                except DgsegError as error:
                    failures += 1
                    console.warn(error)
                bar.update()
        if done:
            page = inspection.finish()
            console.say(f"{done} scans inspected, {failures} failed; see {page}")
        else:
            console.say(f"No scan inspected, {failures} failed")
            return console.FAILED
        return console.SOME_FAILED if failures else console.OK

    def _one(self, inspection, source: ScanSource, centre: str) -> None:  # type: ignore[no-untyped-def]
        from dgseg.scans.sources import read

        scan = read(source)
        for warning in inspection.add(scan, centre):
            console.warn(f"{scan.scan_id}: {warning}")
        console.say(f"{source.title or source.path.name} -> {scan.scan_id}")

    def _sources(self) -> tuple[list[tuple[ScanSource, str]], int]:
        """All scans with the names of their centres, and how many could not be used."""
        found: list[tuple[ScanSource, str]] = []
        failures = 0
        for index, path in enumerate(self.scans):
            centre = self.data_name[index % len(self.data_name)] if self.data_name else "scans"
            try:
                sources, unusable = console.find_scans([path])
            except ScanError as error:
                if len(self.scans) == 1:
                    raise
                console.warn(error)
                sources, unusable = [], 1
            found += [(source, centre) for source in sources]
            failures += unusable
        return found, failures
