"""The one loop that trains every method."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor

from dgseg.errors import TrainingError
from dgseg.methods.base import Episode, Method
from dgseg.training.checkpoint import (
    Progress,
    load_checkpoint,
    not_finite,
    save_checkpoint,
)
from dgseg.training.config import LoopConfig
from dgseg.training.episodes import method_seed
from dgseg.training.selection import Selection

OnStep = Callable[[int, int, dict[str, float]], None]
ShouldStop = Callable[[], bool]

_log = logging.getLogger(__name__)


class Sampler(Protocol):
    """Anything that gives the episode of a step's number."""

    def episode(self, step: int, total_steps: int) -> Episode:
        """The episode of that number, from 0."""
        ...


@dataclass(frozen=True)
class FitResult:
    """How a training ended.

    Attributes
    ----------
    steps : int
        Steps done, those before a resume included.
    reason : {'finished', 'stopped', 'time'}
        All steps done; somebody asked; the time was up.
    seconds : float
        Time of training, over all parts.
    losses : dict of str to float
        Means over the last report.
    """

    steps: int
    reason: Literal["finished", "stopped", "time"]
    seconds: float
    losses: dict[str, float]

    @property
    def stopped(self) -> bool:
        """Whether somebody asked it to stop."""
        return self.reason == "stopped"


def fit(
    method: Method,
    sampler: Sampler,
    config: LoopConfig,
    fabric: Fabric,
    *,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    checkpoint_path: Path | None = None,
    selection: Selection | None = None,
) -> FitResult:
    """Train a method, from its checkpoint where there is one.

    Each step seeds all random draws with its own number, so that a resumed
    training does what an unbroken one does: to the bit on a CPU. The state of
    the global random generators is left as it was.

    Parameters
    ----------
    method : Method
        In training mode afterwards.
    sampler : Sampler
        Gives the episodes.
    config : LoopConfig
    fabric : Fabric
        Whose device the method is on.
    on_step : callable, optional
        Called with the steps done, their total and the mean losses since the
        last call, at most every ``config.report_every_s`` and after the last
        step. Only here the loop waits for the device.
    should_stop : callable, optional
        Asked before every step.
    checkpoint_path : Path, optional
        Written every ``config.checkpoint_every_s`` seconds and at the end.
    selection : Selection, optional
        Looks at the method when it is due, and is part of the checkpoint.

    Raises
    ------
    TrainingError
        If a loss is not finite (the last good checkpoint stays), or the
        checkpoint is damaged or that of another training.
    """
    start = Progress(0, config.steps, config.seed, 0.0)
    if checkpoint_path is not None and checkpoint_path.exists():
        start = _resume(checkpoint_path, method, config, selection)
    run = _Run(method, config, fabric, start, on_step, checkpoint_path, selection)
    method.train()
    with _own_randomness(fabric.device):
        for step in range(start.step, config.steps):
            if should_stop is not None and should_stop():
                return run.end("stopped")
            if config.minutes is not None and run.elapsed_s >= 60 * config.minutes:
                return run.end("time")
            torch.manual_seed(method_seed(config.seed, step))
            run.record(method.update(sampler.episode(step, config.steps)))
        return run.end("finished")


def measure_step_s(method: Method, sampler: Sampler, fabric: Fabric, steps: int = 4) -> float:
    """Seconds that a step takes, from a few real ones after a first, unmeasured one.

    The method has learnt from them: measure with one that is thrown away.
    """
    method.train()
    with _own_randomness(fabric.device):
        times = []
        for step in range(steps + 1):
            begin = time.perf_counter()
            losses = method.update(sampler.episode(step, steps + 1))
            float(losses["loss"])  # waits for the device
            times.append(time.perf_counter() - begin)
    return sorted(times[1:])[(len(times) - 1) // 2]


def _resume(
    path: Path, method: Method, config: LoopConfig, selection: Selection | None
) -> Progress:
    progress = load_checkpoint(path, method, selection)
    if (progress.total_steps, progress.seed) != (config.steps, config.seed):
        raise TrainingError(
            f"The checkpoint is of a training with {progress.total_steps} steps and seed "
            f"{progress.seed}, not {config.steps} and {config.seed}.",
            remedy="Continue with the settings it was started with, or delete it to start anew.",
            path=path,
        )
    _log.info("Resumed at step %d of %d.", progress.step, progress.total_steps)
    return progress


@dataclass
class _Run:
    """The clock and the book-keeping of one part of a training."""

    method: Method
    config: LoopConfig
    fabric: Fabric
    start: Progress
    on_step: OnStep | None
    checkpoint_path: Path | None
    selection: Selection | None
    _sums: dict[str, Tensor] = field(default_factory=dict)
    _count: int = 0
    _losses: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._step = self.start.step
        self._began = self._saved = self._reported = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds of training, over all parts."""
        return self.start.elapsed_s + time.monotonic() - self._began

    def record(self, losses: dict[str, Tensor]) -> None:
        """Count a step; report and save when it is time."""
        self._step += 1
        self._count += 1
        for name, value in losses.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        now = time.monotonic()
        if now - self._reported >= self.config.report_every_s:
            self._report()
            self._reported = now
        self._select(last=False)
        if now - self._saved >= self.config.checkpoint_every_s:
            self._save()
            self._saved = time.monotonic()

    def end(self, reason: Literal["finished", "stopped", "time"]) -> FitResult:
        """Report, judge and save what is left."""
        self._report()
        if reason != "stopped":
            self._select(last=True)
        self._save()
        return FitResult(self._step, reason, self.elapsed_s, self._losses)

    def _report(self) -> None:
        if not self._count:
            return
        names = list(self._sums)
        values = torch.stack([self._sums[name].float() for name in names]) / self._count
        self._losses = dict(zip(names, values.tolist(), strict=True))
        self._sums, self._count = {}, 0
        # The sum last: a term of it says more.
        for name, value in sorted(self._losses.items(), key=lambda term: term[0] == "loss"):
            if not abs(value) < float("inf"):
                raise not_finite(f"the loss term {name}", self._step)
        if self.on_step is not None:
            self.on_step(self._step, self.config.steps, self._losses)

    def _select(self, last: bool) -> None:
        if self.selection is not None and self.selection.due(self._step, last):
            self._report()  # a method that ran away is not worth a look
            self.selection.look(self.method, self._step)

    def _save(self) -> None:
        if self.checkpoint_path is None:
            return
        self._report()  # a loss that ran away must not reach the disk
        done = Progress(self._step, self.config.steps, self.config.seed, self.elapsed_s)
        save_checkpoint(self.checkpoint_path, self.method, done, self.selection)


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        yield
