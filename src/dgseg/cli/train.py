"""``dgseg train``: a new bundle from labelled scans of several centres."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dgseg.cli import console
from dgseg.training.config import TrainConfig

if TYPE_CHECKING:
    from dgseg.training.data import TrainingSet


@dataclass(frozen=True)
class Train:
    """Train a bundle on the domains of one or more data sets. Run again to resume."""

    data: tuple[str, ...]
    """Names of data sets: spinal-gm, cardiac, synthetic-cord, synthetic-heart."""
    out: Path
    """Folder for the checkpoint and the bundle."""
    name: str = "model"
    """Name of the bundle."""
    start_from: Path | None = None
    """A bundle of the same network whose weights are the first ones."""
    without: tuple[str, ...] = ()
    """Domains to leave out, and the people who were scanned there."""
    validation: tuple[str, ...] = ()
    """People, as domain/subject, who are not learnt from: with --validate-every, the
    weights that segment their scans best are kept."""
    data_root: Path | None = None
    """Folder of data sets; the environment variable DGSEG_DATA if not given."""
    download: bool = False
    """Allow the download of a data set that is not there."""
    config: TrainConfig = field(default_factory=TrainConfig)

    def run(self) -> int:
        """Do it; returns the exit code."""
        from dgseg.training.train import Provenance, train, training_set

        data = training_set(self.data, root=self.data_root, download=self.download)
        for domain in self.without:
            data = data.without(domain)
        data, kept = _divided(data, self.validation)
        provenance = Provenance(
            name=self.name,
            licence=" and ".join(dict.fromkeys(data.licences)),
            command=command(),
        )
        with console.StepBar("training") as steps:
            bundle = train(
                self.config,
                data,
                self.out,
                validation=kept.entries,
                start_from=self.start_from,
                provenance=provenance,
                on_step=steps.report,
                on_phase=console.say,
            )
        console.say(f"The bundle is in {bundle}")
        return console.OK


def _divided(data: TrainingSet, people: tuple[str, ...]) -> tuple[TrainingSet, TrainingSet]:
    """What is learnt from, and the scans of some people, named as domain/subject."""
    pairs = {(domain, subject) for domain, _, subject in (p.partition("/") for p in people)}
    everyone = {(entry.domain, entry.subject) for entry in data.entries}
    return data.of_subjects(everyone - pairs), data.of_subjects(pairs)


def command() -> str:
    """The command line that is running, as a person would type it."""
    return shlex.join(["dgseg", *console.typed.get()])
