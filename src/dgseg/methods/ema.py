"""A network that follows another as the moving average of its weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Teacher(nn.Module):
    """Exponential moving average of a student (Tarvainen & Valpola, 2017).

    Parameters
    ----------
    student : nn.Module
        Bare, not wrapped by Fabric; copied.
    decay : float
        Share of the old average that each update keeps, [0, 1).
    corrected : bool
        Keep ``min(1 - 1/(t + 1), decay)`` at update t instead, so that weights of a
        network that starts from chance are forgotten; False where the start is a
        trained bundle, which is worth remembering.
    """

    def __init__(self, student: nn.Module, decay: float, *, corrected: bool) -> None:
        super().__init__()
        self.net = copy.deepcopy(student)
        self.net.requires_grad_(False)
        self.net.eval()
        self._decay, self._corrected = decay, corrected
        self.updates = 0

    @torch.no_grad()
    def follow(self, student: nn.Module) -> None:
        """Move toward the student's present weights; buffers are copied."""
        keep = self._decay
        if self._corrected:
            keep = min(1.0 - 1.0 / (self.updates + 1), keep)
        mine, theirs = list(self.net.parameters()), list(student.parameters())
        torch._foreach_lerp_(mine, theirs, 1.0 - keep)
        for buffer, other in zip(self.net.buffers(), student.buffers(), strict=True):
            buffer.copy_(other)
        self.updates += 1

    def train(self, mode: bool = True) -> Teacher:
        """A teacher is always in evaluation mode."""
        del mode
        return super().train(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, without gradients."""
        with torch.no_grad():
            result: torch.Tensor = self.net(images)
        return result
