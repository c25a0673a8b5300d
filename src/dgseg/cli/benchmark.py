"""``dgseg benchmark``: methods against each other at centres they have never seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from dgseg.cli import console

if TYPE_CHECKING:
    from dgseg.evaluation.benchmark.plan import BenchmarkPlan, Cell


@dataclass(frozen=True)
class Benchmark:
    """Hold out one domain after the other, learn from few labels elsewhere, score there.

    A finished cell (a method, a target, a share of labels, a seed) is never trained
    again and one that was stopped goes on: run the same command, with more seeds or
    methods if you like, as often as you want.

    Rows of the tables: deepall-none (no augmentation), deepall, sdnet, sdnet-plus,
    mldg, lddg, dgnet-paper, dgnet-official, dgnet-plus, or any other method; each may be
    followed by an ablation: /no-rank /no-classification /no-hsic /first-order /no-unlabelled
    /free-nats (4 for each code, at no cost).
    """

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """Name of the data set: cardiac, spinal-gm, synthetic-heart, synthetic-cord."""
    out: Path
    """Folder for splits, cells and tables."""
    methods: tuple[str, ...] = (
        "deepall-none",
        "deepall",
        "sdnet-plus",
        "dgnet-paper",
        "dgnet-plus",
    )
    """Rows of the tables, such as dgnet-paper or dgnet-paper/no-rank."""
    fractions: tuple[float, ...] = (0.05,)
    """Shares of the people of each source domain who keep their labels, 0 to 1."""
    seeds: tuple[int, ...] = (0,)
    """Of the draw of labelled people and of the training; all of one before the next."""
    targets: tuple[str, ...] = ()
    """Domains to hold out; all if not given."""
    size: Literal["cpu", "gpu"] = "cpu"
    """Defaults for half an hour a cell on two cores, or for a GPU."""
    steps: int = 2000
    """Optimiser steps of every training."""
    images_per_step: int | None = None
    """Slices that a step sees, whatever the method; 4 a source domain if not given."""
    unlabelled_share: float = 0.25
    """Share of them without labels, for methods that learn from those."""
    n_validation: int | None = None
    """People of each source domain who choose the checkpoint; the data set's if not given."""
    validate_every: int | None = None
    """Steps between two looks at them; a twentieth of the training if not given."""
    width: int | None = None
    """Channels of the U-Net's first level; the size's if not given."""
    depth: int | None = None
    """Levels of the U-Net; the size's if not given."""
    patch_px: int | None = None
    """Side of the crops on the model's grid; the data set's and size's if not given."""
    learning_rate: float | None = None
    """For all methods; each method's own if not given."""
    augment: Literal["none", "weak", "strong"] = "strong"
    """Augmentation of all methods but deepall-none."""
    largest_component: bool = False
    """Keep only the largest piece of the foreground of every prediction."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps, or auto."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto is bfloat16 where the device is fast at it."""
    workers: int = 1
    """Cells at a time, each in its own process."""
    threads: int | None = None
    """Of the CPU, for each cell; PyTorch's choice if not given."""
    scheduler: str | None = None
    """Address of a running dask scheduler, instead of processes on this machine."""
    data_root: Path | None = None
    """Folder of data sets; the environment variable DGSEG_DATA if not given."""
    report_only: bool = False
    """Train nothing: write the tables of the cells that are finished."""

    def run(self) -> int:
        """Do it; returns the exit code."""
        from dgseg.evaluation.benchmark.tables import write_report

        statuses = None
        if not self.report_only:
            from dgseg.evaluation.benchmark.runner import run

            results = run(
                self.plan(),
                self.out,
                workers=self.workers,
                threads=self.threads,
                scheduler=self.scheduler,
                say=console.say,
            )
            statuses = [result.status for result in results]
        return console.report_cells(statuses, lambda: write_report(self.out, self.planned()))

    def planned(self) -> tuple[Cell, ...]:
        """The cells that this command is about, trained or not; none without the data."""
        return console.planned_cells(self.plan, self.data, self.data_root)

    def plan(self) -> BenchmarkPlan:
        """What is to be compared, with the data set's own settings where none are given.

        Raises
        ------
        DgsegError
            If a row, the data set or a setting is unknown or out of range.
        """
        from dgseg.datasets.registry import load
        from dgseg.evaluation.benchmark.plan import (
            BenchmarkPlan,
            default_config,
            default_validation,
            row,
        )

        changes: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("width", "depth", "patch_px")
            if getattr(self, name) is not None
        }
        config = default_config(
            self.data,
            self.size,
            steps=self.steps,
            learning_rate=self.learning_rate,
            augment=self.augment,
            largest_component=self.largest_component,
            device=self.device,
            precision=self.precision,
            validate_every=self.validate_every or max(1, self.steps // 20),
            **changes,
        )
        rows = tuple(row(name) for name in dict.fromkeys(self.methods))
        n_sources = len(load(self.data, root=self.data_root).domains) - 1
        n_validation = self.n_validation
        return BenchmarkPlan(
            data=self.data,
            rows=rows,
            config=config,
            targets=self.targets,
            fractions=self.fractions,
            seeds=self.seeds,
            n_validation=default_validation(self.data)
            if n_validation is None
            else n_validation,
            images_per_step=self.images_per_step or 4 * n_sources,
            unlabelled_share=self.unlabelled_share,
            data_root=self.data_root,
        )
