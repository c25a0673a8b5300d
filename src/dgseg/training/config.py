"""What a person sets for a training; read without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

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
        Registered name of the method, or of a preset of it ("dgnet-paper").
    size : {'cpu', 'gpu'}
        Which size of the preset.
    options : dict
        Further settings of the method, by name.
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
        Side of the crops on the model's grid; less along an axis along which no slice is
        as long.
    foreground_share : float
        Share of labelled crops that are centred near a structure.
    spacing_mm : float or None
        Size of a pixel of the model's grid; None for the scans' own pixels.
    pixel_scale : float
        Side of a pixel of the model's grid in pixels of the scan, where
        `spacing_mm` is None; 2 halves the resolution.
    normalisation : {'percentile', 'zscore'}
        Of the intensities of a scan.
    largest_component : bool
        Whether predictions keep only the largest piece of the foreground.
    width, depth : int
        Channels of the U-Net's first level, and its number of levels.
    learning_rate : float or None
        At its highest; None for the method's own.
    augment : {'none', 'weak', 'strong'} or None
        Preset of the augmentation; None for the method's own.
    validate_every : int
        Steps after which the scans for validation are segmented; the weights that
        did best are kept. 0 for never: the last weights are kept.
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
    size: Literal["cpu", "gpu"] = "cpu"
    options: dict[str, bool | int | float | str] = field(default_factory=dict)
    steps: Annotated[int, Field(ge=1)] = 2000
    minutes: Annotated[float, Field(gt=0)] | None = None
    domains_per_step: Annotated[int, Field(ge=1)] | None = None
    batch_per_domain: Annotated[int, Field(ge=1)] = 4
    unlabelled_per_domain: Annotated[int, Field(ge=0)] = 0
    patch_px: Annotated[int, Field(ge=16)] = 128
    foreground_share: Annotated[float, Field(ge=0, le=1)] = 0.67
    spacing_mm: Annotated[float, Field(gt=0)] | None = 0.5
    pixel_scale: Annotated[float, Field(gt=0, le=16)] = 1.0
    normalisation: Literal["percentile", "zscore"] = "percentile"
    largest_component: bool = False
    width: Annotated[int, Field(ge=4, le=128)] = 16
    depth: Annotated[int, Field(ge=2, le=7)] = 4
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    augment: Literal["none", "weak", "strong"] | None = None
    validate_every: Annotated[int, Field(ge=0)] = 0
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

    def method_options(self) -> dict[str, Any]:
        """What `dgseg.methods.registry.create` is given: `options` come over the rest."""
        given = {"learning_rate": self.learning_rate, "augment": self.augment}
        chosen = {name: value for name, value in given.items() if value is not None}
        return chosen | dict(self.options)
