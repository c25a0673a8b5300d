"""Methods by name."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from lightning_fabric import Fabric
from torch import nn

from dgseg.errors import MethodError
from dgseg.methods import registry
from dgseg.methods.deepall import DeepAll


def test_names_and_classes():
    assert {"deepall", "mean-teacher"} <= set(registry.names())
    assert registry.get("deepall") is DeepAll
    described = {d["name"]: d for d in registry.describe()}
    assert set(described) == set(registry.names())
    assert all(d["title"] and d["when"] for d in described.values())


def test_unknown_name_says_what_there_is():
    with pytest.raises(MethodError, match="deepall, mean-teacher") as caught:
        registry.get("magic")
    assert "'magic'" in caught.value.problem


def test_broken_package_hides_no_other(monkeypatch):
    broken = EntryPoint("broken", "no.such.module:Method", registry.GROUP)
    points = dict(registry._points()) | {"broken": broken}
    monkeypatch.setattr(registry, "_points", lambda: points)
    assert "broken" in registry.names()
    assert "broken" not in {d["name"] for d in registry.describe()}
    assert "deepall" in {d["name"] for d in registry.describe()}
    with pytest.raises(MethodError, match="cannot be loaded"):
        registry.get("broken")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"learning_rate": -1}, "learning_rate"),
        ({"magic": 3}, "magic"),
        ({"augment": "wild"}, "wild"),
        ({"augment": {"rotation_deg": 400}}, "augment.rotation_deg"),
        ({"ema_decay": 1.0}, "ema_decay"),
    ],
)
def test_wrong_options_are_named(options, said):
    fabric = Fabric(accelerator="cpu", devices=1)
    with pytest.raises(MethodError, match=said):
        registry.create("mean-teacher", nn.Conv2d(1, 2, 1), fabric, options, 10)


def test_options_reach_the_method():
    fabric = Fabric(accelerator="cpu", devices=1)
    options = {"learning_rate": 0.5, "augment": "none", "confidence": 0.9}
    method = registry.create("mean-teacher", nn.Conv2d(1, 2, 1), fabric, options, 10)
    assert method.config.learning_rate == 0.5
    assert method.config.confidence == 0.9
    assert method.config.augment.spatial_probability == 0


@pytest.mark.parametrize("module", ["registry", "config"])
def test_no_torch(module):
    code = (
        f"import dgseg.methods.{module} as m, sys; getattr(m, 'names', tuple)(); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
