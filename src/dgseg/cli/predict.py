"""``dgseg predict``: segment scans and write the labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dgseg.cli import console
from dgseg.errors import DgsegError
from dgseg.scans.names import is_nifti, stem_of
from dgseg.scans.scan import ScanSource


@dataclass(frozen=True)
class Predict:
    """Segment scans with a bundle and write NIfTI labels (and DICOM-SEG for DICOM)."""

    scans: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """NIfTI files, DICOM or BIDS folders, or folders of those."""
    out: Path
    """Folder for the results; made if absent."""
    bundle: Path | None = None
    """Model folder; the bundled spinal-gm model if not given."""
    names: Literal["hash", "file"] = "hash"
    """Name results by the scan's hash, or after the scan's file. Names of files in a
    hospital often hold a patient's name."""
    device: str = field(default="auto")
    """auto, cpu, cuda, cuda:0, mps."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the processor or GPU is faster with it."""
    seek_pose: bool = False
    """Turn and enlarge each scan to where the model is surest of it, whatever the model
    says; several times as slow."""

    def run(self) -> int:
        """Do it; returns the exit code."""
        from dgseg.bundles.bundle import default_bundle
        from dgseg.inference.segmenter import Segmenter

        sources, failures = console.find_scans(self.scans)
        segmenter = Segmenter(
            self.bundle or default_bundle(),
            device=self.device,
            precision=self.precision,
            seek_pose=self.seek_pose,
        )
        self.out.mkdir(parents=True, exist_ok=True)
        taken: set[str] = set()
        n_done = 0
        with console.bar(len(sources), "segmenting") as bar:
            for source in sources:
                try:
                    self._one(source, segmenter, taken)
                    n_done += 1
                except DgsegError as error:
                    failures += 1
                    console.warn(error)
                bar.update()
        console.say(f"{n_done} scans segmented, {failures} failed; results in {self.out}")
        if not n_done:
            return console.FAILED
        return console.SOME_FAILED if failures else console.OK

    def _one(self, source: ScanSource, segmenter, taken: set[str]) -> None:  # type: ignore[no-untyped-def]
        from dgseg.scans.export import export_labels
        from dgseg.scans.sources import read

        scan = read(source)
        segmentation = segmenter.segment(scan)
        title = source.title or source.path.name
        _size, _, remarks = scan.source.detail.partition("; ")
        if remarks:
            console.warn(f"{title}: {remarks}.")
        name = scan.scan_id if self.names == "hash" else _unused(_stem(source), taken)
        if name in taken:
            console.warn(
                f"{title}: it holds the same voxels as an earlier one, and one result."
            )
        taken.add(name)
        written = export_labels(
            segmentation.labels,
            scan,
            segmenter.info.labels,
            self.out,
            name=name,
            model_name=segmenter.info.name,
            model_version=segmenter.info.bundle_id,
        )
        console.say(f"{title} -> {written[0].name}")


def _stem(source: ScanSource) -> str:
    frame = f"_frame-{source.frame:03d}" if source.frame is not None else ""
    path = source.path
    # A DICOM folder is often named by a UID, all of whose parts count.
    return (stem_of(path) if is_nifti(path) else path.name.removesuffix(".dcm")) + frame


def _unused(name: str, taken: set[str]) -> str:
    candidate, n = name, 2
    while candidate in taken:
        candidate, n = f"{name}-{n}", n + 1
    return candidate
