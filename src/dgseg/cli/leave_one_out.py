"""``dgseg leave-one-out``: how well a training does on a centre it has never seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dgseg.cli import console
from dgseg.training.config import TrainConfig


@dataclass(frozen=True)
class LeaveOneOut:
    """Train without one domain and score on it, for every domain, with all labels.

    A finished fold is never trained again: run the same command to go on.
    """

    data: tuple[str, ...]
    """Names of data sets; synthetic domains are only learnt from."""
    out: Path
    """Folder for the folds, leave-one-out.json and leave-one-out.md."""
    start_from: Path | None = None
    """A bundle of the same network whose weights are the first ones."""
    held_out: tuple[str, ...] = ()
    """Only these domains as targets; all real ones if not given."""
    data_root: Path | None = None
    """Folder of data sets; the environment variable DGSEG_DATA if not given."""
    config: TrainConfig = field(default_factory=TrainConfig)

    def run(self) -> int:
        """Do it; returns the exit code."""
        from dgseg.evaluation.leave_one_out import TABLE_NAME, leave_one_out
        from dgseg.training.train import training_set

        data = training_set(self.data, root=self.data_root)
        with console.StepBar("training") as steps:
            leave_one_out(
                self.config,
                data,
                self.out,
                held_out=self.held_out or None,
                start_from=self.start_from,
                on_fold=lambda domain, n, of: steps.rename(f"{n + 1}/{of} without {domain}"),
                on_step=steps.report,
            )
        console.say((self.out / TABLE_NAME).read_text(encoding="utf-8"))
        return console.OK
