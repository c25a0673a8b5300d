"""What the result of a training depends on, as the folder of a cell keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from dgseg.methods import registry
from dgseg.training.config import TrainConfig

# How the work is spread over a machine changes no result worth the name.
_OF_THE_MACHINE = {"threads", "checkpoint_every_s", "memory_limit_gb"}


def training_settings(config: TrainConfig, n_classes: int, n_domains: int) -> dict[str, Any]:
    """The settings of a training from scratch: ``config``, ``preset`` and ``network``.

    The settings of the method's preset are spelt out, so that one that was changed in
    the meantime is not taken for the one that was trained.

    Parameters
    ----------
    config : TrainConfig
    n_classes : int
        With the background.
    n_domains : int
        That are learnt from.

    Raises
    ------
    MethodError
        If the method is unknown, or does not take one of its options.
    """
    _, preset = registry.resolve(config.method, config.size)
    network = registry.network(
        config.method,
        config.method_options(),
        n_classes,
        config.width,
        config.depth,
        n_domains,
        config.size,
    )
    spelt_out = asdict(config).items()
    return {
        "config": {key: value for key, value in spelt_out if key not in _OF_THE_MACHINE},
        "preset": asdict(preset),
        "network": network,
    }


def through_json(content: dict[str, Any]) -> dict[str, Any]:
    """Settings as they are when they are read again: tuples become lists."""
    return dict(json.loads(json.dumps(content)))
