"""``dgseg benchmark-centres``: what a centre's unlabelled scans bring beside labelled sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from dgseg.cli import console

if TYPE_CHECKING:
    from dgseg.evaluation.centres.plan import CentresCell, CentresPlan


@dataclass(frozen=True)
class BenchmarkCentres:
    """Learn from labelled centres and from another's unlabelled scans; score at all of them.

    The three tables of Perone et al. (NeuroImage 2019), and their picture of the features.
    centres: the same labels, with the unlabelled half of one centre after the other.
    consistency: losses and weights of the student's agreement with the teacher. ema: the
    running mean of the weights alone, without unlabelled scans. The other half of every
    centre is scored, adapted to or not; nothing of it is seen before, and people of the
    sources alone choose the checkpoint. A finished cell is never trained again and one
    that was stopped goes on: run the same command as often as you want.
    """

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Name of the data set: spinal-gm, cardiac, synthetic-heart, synthetic-cord."""
    out: Path
    """Folder for halves, cells, tables and the picture."""
    experiment: tuple[Literal["centres", "consistency", "ema"], ...] = (
        "centres",
        "ema",
        "consistency",
    )
    """Tables 1, 2 and 3; what they share is trained once."""
    sources: tuple[str, ...] = ()
    """Centres with labels; the data set's choice if not given."""
    adapt_to: tuple[str, ...] = ()
    """Centres to adapt to; all others if not given. Consistency is compared at the first."""
    kinds: tuple[Literal["mse", "ce", "dice", "tversky"], ...] = (
        "mse",
        "ce",
        "dice",
        "tversky",
    )
    """Consistency losses to compare."""
    weights: tuple[float, ...] = (5.0, 20.0)
    """Of each of them."""
    seeds: tuple[int, ...] = (0,)
    """Of the halves and the trainings; all of one before the next."""
    steps: int = 600
    """Optimiser steps of every training."""
    images: int = 8
    """Labelled slices in a step, and as many unlabelled ones where there are any."""
    ce_weight: float = 0.0
    """Of cross-entropy beside the Dice loss, which alone is the published loss."""
    width: int = 8
    """Channels of the U-Net's first level."""
    depth: int = 4
    """Levels of the U-Net."""
    patch_px: int | None = None
    """Side of the crops on the model's grid; the data set's if not given."""
    learning_rate: float = 3e-3
    """At its highest, the same in every row."""
    augment: Literal["none", "weak", "strong"] = "weak"
    """Weak is about what the paper has; strong closes much of the gap between centres."""
    n_validation: int | None = None
    """People of each source who choose the checkpoint; the data set's if not given."""
    validate_every: int | None = None
    """Steps between two looks at them; a sixth of the training if not given."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps, or auto."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto is bfloat16 where the device is fast at it."""
    workers: int = 1
    """Cells at a time, each in its own process."""
    threads: int | None = None
    """Of the CPU, for each cell; PyTorch's choice if not given."""
    data_root: Path | None = None
    """Folder of data sets; the environment variable DGSEG_DATA if not given."""
    report_only: bool = False
    """Train nothing: write the tables of the cells that are finished."""

    def run(self) -> int:
        """Do it; returns the exit code."""
        from dgseg.evaluation.centres.tables import write_report

        statuses = None
        if not self.report_only:
            from dgseg.evaluation.centres.runner import run

            results = run(
                self.plan(),
                self.out,
                workers=self.workers,
                threads=self.threads,
                say=console.say,
            )
            statuses = [result.status for result in results]
        return console.report_cells(statuses, lambda: write_report(self.out, self.planned()))

    def planned(self) -> tuple[CentresCell, ...]:
        """The cells that this command is about, trained or not; none without the data."""
        return console.planned_cells(self.plan, self.data, self.data_root)

    def plan(self) -> CentresPlan:
        """What is to be compared.

        Raises
        ------
        DgsegError
            If the data set or a setting is unknown or out of range.
        """
        from dgseg.evaluation.benchmark.plan import default_config, default_validation
        from dgseg.evaluation.centres.plan import CentresPlan

        changes: dict[str, Any] = {}
        if self.patch_px is not None:
            changes["patch_px"] = self.patch_px
        n_validation = self.n_validation
        return CentresPlan(
            data=self.data,
            config=default_config(
                self.data,
                "cpu",
                steps=self.steps,
                width=self.width,
                depth=self.depth,
                learning_rate=self.learning_rate,
                augment=self.augment,
                device=self.device,
                precision=self.precision,
                validate_every=self.validate_every or max(1, self.steps // 6),
                **changes,
            ),
            sources=self.sources,
            adapt_to=self.adapt_to,
            experiments=self.experiment,
            kinds=self.kinds,
            weights=self.weights,
            seeds=self.seeds,
            n_validation=default_validation(self.data)
            if n_validation is None
            else n_validation,
            images=self.images,
            ce_weight=self.ce_weight,
            data_root=self.data_root,
        )
