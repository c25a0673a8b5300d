"""Saying beforehand that a gradient will be differentiated again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_WANTED: ContextVar[bool] = ContextVar("differentiated_twice", default=False)


@contextmanager
def differentiated_twice(wanted: bool = True) -> Iterator[None]:
    """Within, networks compute so that second derivatives are cheap, and right in bfloat16.

    See `dgseg.nets.conv` and `dgseg.nets.norm`. The first derivative is the
    same as without, and a little slower.

    Parameters
    ----------
    wanted : bool
        Whether it is so.
    """
    token = _WANTED.set(wanted)
    try:
        yield
    finally:
        _WANTED.reset(token)


def is_differentiated_twice(x: Tensor) -> bool:
    """Whether that was said, and can be had for an operation on `x`."""
    known = x.device.type in {"cpu", "cuda"}
    return (
        known
        and _WANTED.get()
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
    )
