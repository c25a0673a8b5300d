"""``dgseg evaluate``: a model against what people drew."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dgseg.cli import console
from dgseg.errors import DgsegError

if TYPE_CHECKING:
    from dgseg.evaluation.scoring import ScanScore


@dataclass(frozen=True)
class Evaluate:
    """Score a bundle on labelled scans: 3-D Dice and HD95 per structure and scan."""

    data: str
    """Name of a data set: spinal-gm, cardiac, synthetic-cord, synthetic-heart."""
    bundle: Path | None = None
    """Model folder; the bundled spinal-gm model if not given."""
    domains: tuple[str, ...] = ()
    """Only these domains; all if not given."""
    data_root: Path | None = None
    """Folder of data sets; the environment variable DGSEG_DATA if not given."""
    json: Path | None = None
    """Write the scores there too."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:0, mps."""
    seek_pose: bool = False
    """Turn and enlarge each scan to where the model is surest of it, whatever the model
    says; several times as slow."""

    def run(self) -> int:
        """Do it; returns the exit code."""
        from dgseg.bundles.bundle import default_bundle
        from dgseg.datasets.registry import load
        from dgseg.errors import DatasetError
        from dgseg.evaluation.scoring import score_entries
        from dgseg.files import write_json
        from dgseg.inference.segmenter import Segmenter

        data = load(self.data, root=self.data_root)
        segmenter = Segmenter(
            self.bundle or default_bundle(), device=self.device, seek_pose=self.seek_pose
        )
        if segmenter.info.labels.names != data.schema.names:
            raise DatasetError(
                f"The model segments {', '.join(segmenter.info.labels.names)}, the data set "
                f"labels {', '.join(data.schema.names)}.",
                remedy="Choose a bundle and a data set of the same structures.",
            )
        entries = [
            entry
            for entry in data.entries
            if entry.labelled and (not self.domains or entry.domain in self.domains)
        ]
        scores: list[ScanScore] = []
        failures = 0
        with console.bar(len(entries), "scoring") as bar:
            for entry in entries:
                try:
                    scores += score_entries(segmenter, [entry])
                except DgsegError as error:
                    failures += 1
                    console.warn(error)
                bar.update()
        if not scores:
            console.warn("No scan could be scored.")
            return console.FAILED
        console.say(_table(scores))
        if self.json is not None:
            write_json(self.json, [asdict(score) for score in scores])
        return console.SOME_FAILED if failures else console.OK


def _table(scores: list[ScanScore]) -> str:
    from dgseg.evaluation.tables import mean_dice

    names = list(scores[0].dice)
    header = [
        "domain",
        "scan",
        "slices",
        *(f"Dice {n}" for n in names),
        *(f"HD95 {n}" for n in names),
    ]
    rows = [
        [
            score.domain,
            score.scan_id,
            str(score.n_slices),
            *(f"{score.dice[name]:.3f}" for name in names),
            *(f"{score.hd95_mm[name]:.1f}" for name in names),
        ]
        for score in scores
    ]
    means = mean_dice(scores)
    rows.append(
        ["mean", "", "", *(f"{means[name]:.3f}" for name in names), *("" for _ in names)]
    )
    return console.table(header, rows)
