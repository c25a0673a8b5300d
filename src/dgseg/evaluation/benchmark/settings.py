"""What the result of a training depends on, as the folder of a cell keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from dgseg.methods import registry
from dgseg.training.config import TrainConfig

# How the work is spread over a machine changes no result worth the name.
_OF_THE_MACHINE = {"threads", "checkpoint_every_s", "memory_limit_gb"}
# Came after the first cells: where they change nothing, those are still the same cells.
_CAME_LATER = {"kl_free", "few_slices", "few_weight", "good_dice", "seek_pose"}
# Where that is not what it is if nothing is said.
_BEFORE = {"seek_pose": False}
# Younger than these: there are no cells without them.
_WHOLE = {"TwoTeachersConfig"}


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
        "preset": preset_settings(preset),
        "network": network,
    }


def preset_settings(preset: Any, whole: bool = False) -> dict[str, Any]:
    """The settings of a method's preset, as the folder of a cell keeps them.

    Without those that were added after cells had been made, where they have the value
    with which everything is as it was.

    Parameters
    ----------
    preset : dataclass
    whole : bool
        Nothing is left out: with these labels, what was added changes something.
    """
    defaults = {field.name: field.default for field in fields(preset)} | _BEFORE
    whole = whole or type(preset).__name__ in _WHOLE
    return {
        name: value
        for name, value in asdict(preset).items()
        if whole or name not in _CAME_LATER or value != defaults[name]
    }


def through_json(content: dict[str, Any]) -> dict[str, Any]:
    """Settings as they are when they are read again: tuples become lists."""
    return dict(json.loads(json.dumps(content)))
