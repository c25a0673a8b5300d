"""What a person can choose about the methods that others are compared with."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from dgseg.methods.config import DeepAllConfig
from dgseg.methods.dgnet_config import MetaConfig


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class MLDGConfig(MetaConfig, DeepAllConfig):
    """Meta-learning of a plain network: both losses are the supervised one."""
