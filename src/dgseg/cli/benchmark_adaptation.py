"""``dgseg benchmark-adaptation``: what adapting to an unseen centre gains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from dgseg.cli import console

if TYPE_CHECKING:
    from dgseg.adaptation.config import AdaptConfig
    from dgseg.evaluation.adaptation.plan import AdaptationCell, AdaptationPlan
    from dgseg.evaluation.benchmark.plan import BenchmarkPlan


@dataclass(frozen=True)
class BenchmarkAdaptation:
    """Adapt to a domain from a few corrected slices, and score what nobody has seen.

    Each target's people are divided in two halves. A bundle that was trained without the
    target is adapted to one half, with some corrected slices and all others unlabelled,
    and scored on the other half. Floor: the bundle as it is; ceiling: all labels of the
    adaptation half. A finished cell is never run again and one that was stopped goes on:
    run the same command, with more methods or seeds if you like, as often as you want.

    For an honest figure choose methods and settings on some data sets or targets, and
    report others: whatever a target's scores have decided is no longer unseen there.
    """

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Name of the data set: cardiac, spinal-gm, synthetic-heart, synthetic-cord."""
    out: Path
    """Folder for halves, cells and tables."""
    methods: tuple[str, ...] = (
        "finetune",
        "tent",
        "mean-teacher",
        "two-teachers",
        "meta-disentangle",
    )
    """Rows: methods or presets, with options such as mean-teacher:anchor=1,ramp=0.1."""
    rivals: tuple[str, ...] = ()
    """Rows of these methods: for each other one the tables say, too, what a job that tries
    these beside it would offer."""
    ks: tuple[int, ...] = (0, 1, 3, 5)
    """Numbers of corrected slices; 0 for methods that need none."""
    choose: tuple[Literal["even", "random", "suggested"], ...] = ("even",)
    """How they are chosen: evenly, at random, or as the plugin would suggest them."""
    seeds: tuple[int, ...] = (0,)
    """Of the halves and the trainings; all of one before the next."""
    targets: tuple[str, ...] = ()
    """Domains to adapt to; all if not given."""
    base: str = "dgnet-plus"
    """The row of dgseg benchmark whose bundles are adapted."""
    fraction: float = 0.05
    """Share of the people of each source domain whose labels the bundles have seen."""
    bundles: Path | None = None
    """Folder that dgseg benchmark wrote to; missing bundles are trained, there or in OUT."""
    bundle_seed: int = 0
    """Seed of the bundles, the same for all seeds of the adaptation."""
    bundle_steps: int = 2000
    """Optimiser steps of a bundle that is missing."""
    steps: int = 300
    """Optimiser steps of every adaptation."""
    minutes: float | None = None
    """Time for the steps instead, as a person has it."""
    ceiling: str = "finetune"
    """What learns from all labels of the adaptation half; none to leave it out."""
    ceiling_steps: int | None = None
    """Its steps, if they are not those of all others."""
    gate_slices: int = 3
    """Further corrected slices that nothing learns from, for the gate to judge by."""
    gate: Literal["further", "crossed"] = "further"
    """crossed: judge by the corrected slices themselves, by trainings without some of them."""
    patch_px: int = 128
    """Side of the crops on the model's grid; 128 as in a job."""
    batch_labelled: int = 4
    """Corrected slices in a step."""
    batch_unlabelled: int = 4
    """Slices without labels in a step."""
    learning_rate: float | None = None
    """For all methods; each method's own if not given."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps, or auto."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto is bfloat16 where the device is fast at it."""
    workers: int = 1
    """Cells at a time, each in its own process."""
    threads: int | None = None
    """Of the CPU, for each cell; all but one if not given."""
    data_root: Path | None = None
    """Folder of data sets; the environment variable DGSEG_DATA if not given."""
    report_only: bool = False
    """Adapt nothing: write the tables of the cells that are finished."""

    def run(self) -> int:
        """Do it; returns the exit code."""
        from dgseg.evaluation.adaptation.tables import write_report

        statuses = None
        if not self.report_only:
            from dgseg.evaluation.adaptation.runner import run

            results = run(
                self.plan(),
                self.out,
                self.bundles or self.out / "bundles",
                workers=self.workers,
                threads=self.threads,
                say=console.say,
            )
            statuses = [result.status for result in results]
        return console.report_cells(
            statuses, lambda: write_report(self.out, self.planned(), self.rivals)
        )

    def planned(self) -> tuple[AdaptationCell, ...]:
        """The cells that this command is about, run or not; none without the data."""
        return console.planned_cells(self.plan, self.data, self.data_root)

    def plan(self) -> AdaptationPlan:
        """What is to be compared.

        Raises
        ------
        DgsegError
            If a row, the data set or a setting is unknown or out of range.
        """
        from dgseg.errors import MethodError
        from dgseg.evaluation.adaptation.plan import AdaptationPlan, adaptation_row

        unknown = [name for name in self.rivals if name not in self.methods]
        if unknown:
            raise MethodError(
                f"There is no row {unknown[0]}, so it can be nobody's rival.",
                remedy="Name it among the methods, too, with the same options.",
            )
        return AdaptationPlan(
            bundles=self._bundle_plan(),
            rows=tuple(adaptation_row(name) for name in dict.fromkeys(self.methods)),
            config=self._config(),
            ks=self.ks,
            seeds=self.seeds,
            choices=tuple(dict.fromkeys(self.choose)),
            gate_slices=self.gate_slices,
            gate=self.gate,
            ceiling=None if self.ceiling == "none" else adaptation_row(self.ceiling),
            ceiling_steps=self.ceiling_steps,
        )

    def _config(self) -> AdaptConfig:
        from pydantic import ValidationError

        from dgseg.adaptation.config import AdaptConfig
        from dgseg.errors import MethodError, first_problem

        budget: dict[str, Any] = {"steps": self.steps}
        if self.minutes is not None:
            budget = {"steps": None, "minutes": self.minutes}
        try:
            return AdaptConfig(
                **budget,
                batch_labelled=self.batch_labelled,
                batch_unlabelled=self.batch_unlabelled,
                patch_px=self.patch_px,
                learning_rate=self.learning_rate,
                device=self.device,
                precision=self.precision,
            )
        except ValidationError as error:
            raise MethodError(
                f"The adaptation does not take this setting: {first_problem(error)}.",
                remedy="Correct the setting, or leave it out.",
            ) from error

    def _bundle_plan(self) -> BenchmarkPlan:
        """The trainings of the bundles, as ``dgseg benchmark`` has them."""
        from dgseg.cli.benchmark import Benchmark

        return Benchmark(
            data=self.data,
            out=self.bundles or self.out / "bundles",
            methods=(self.base,),
            fractions=(self.fraction,),
            seeds=(self.bundle_seed,),
            targets=self.targets,
            steps=self.bundle_steps,
            device=self.device,
            precision=self.precision,
            data_root=self.data_root,
        ).plan()
