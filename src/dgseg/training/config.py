"""What a person sets for a training; read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
Precision = Literal["auto", "bf16", "fp32"]


@dataclass(frozen=True)
class LoopConfig:
    """How long a training runs and what it leaves behind.

    Attributes
    ----------
    steps : int
        Optimiser steps; schedules end there.
    seed : int
        Together with the number of a step it fixes every random draw of it.
    minutes : float or None
        Time that may pass, over all resumed parts; the training ends when it
        is up, whatever the number of steps.
    checkpoint_every_s : float
        Seconds between checkpoints.
    report_every_s : float
        Least seconds between two reports of the losses.
    """

    steps: int
    seed: int = 0
    minutes: float | None = None
    checkpoint_every_s: float = 60.0
    report_every_s: float = 0.2


@dataclass(frozen=True)
class TrainConfig:
    """A training from scratch on the domains of one or more data sets.

    Attributes
    ----------
    method : str
        Registered name of the method.
    steps : int
        Optimiser steps.
    minutes : float or None
        Where given, as many steps as this time is measured to allow, instead
        of `steps`.
    domains_per_step : int or None
        How many domains give slices to one step, in turn; None for all.
    batch_per_domain : int
        Labelled slices of each of them.
    unlabelled_per_domain : int
        Unlabelled slices of each of them.
    patch_px : int
        Side of the square crops on the model's grid.
    foreground_share : float
        Share of labelled crops that are centred near a structure.
    spacing_mm : float or None
        Size of a pixel of the model's grid; None for the scans' own pixels.
    normalisation : {'percentile', 'zscore'}
        Of the intensities of a scan.
    largest_component : bool
        Whether predictions keep only the largest piece of the foreground.
    width, depth : int
        Channels of the U-Net's first level, and its number of levels.
    learning_rate : float
        At its highest.
    augment : {'none', 'weak', 'strong'}
        Preset of the augmentation.
    seed : int
        Of everything that is random.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    precision : {'auto', 'bf16', 'fp32'}
        ``"auto"`` is bfloat16 where the device is fast at it.
    threads : int or None
        Threads of the CPU; None for PyTorch's choice.
    checkpoint_every_s : float
        Seconds between checkpoints.
    memory_limit_gb : float
        Slices beyond this size are mapped from a file instead of held in memory.
    """

    method: str = "deepall"
    steps: Annotated[int, Field(ge=1)] = 2000
    minutes: Annotated[float, Field(gt=0)] | None = None
    domains_per_step: Annotated[int, Field(ge=1)] | None = None
    batch_per_domain: Annotated[int, Field(ge=1)] = 4
    unlabelled_per_domain: Annotated[int, Field(ge=0)] = 0
    patch_px: Annotated[int, Field(ge=16)] = 128
    foreground_share: Annotated[float, Field(ge=0, le=1)] = 0.67
    spacing_mm: Annotated[float, Field(gt=0)] | None = 0.5
    normalisation: Literal["percentile", "zscore"] = "percentile"
    largest_component: bool = False
    width: Annotated[int, Field(ge=4, le=128)] = 16
    depth: Annotated[int, Field(ge=2, le=7)] = 4
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    augment: Literal["none", "weak", "strong"] = "strong"
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "auto"
    threads: Annotated[int, Field(ge=1)] | None = None
    checkpoint_every_s: Annotated[float, Field(gt=0)] = 60.0
    memory_limit_gb: Annotated[float, Field(gt=0)] = 4.0

    def loop(self, steps: int) -> LoopConfig:
        """The part that the training loop needs."""
        return LoopConfig(
            steps=steps, seed=self.seed, checkpoint_every_s=self.checkpoint_every_s
        )
