"""Methods by name."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest
from lightning_fabric import Fabric
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import nn

from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.errors import MethodError
from dgseg.methods import registry
from dgseg.methods.config import DeepAllConfig
from dgseg.methods.deepall import DeepAll
from dgseg.nets.build import build


def test_names_and_classes():
    assert {"deepall", "mean-teacher"} <= set(registry.names())
    assert registry.get("deepall") is DeepAll
    described = {d["name"]: d for d in registry.describe()}
    assert set(described) == set(registry.names())
    assert all(d["title"] and d["when"] for d in described.values())


def test_unknown_name_says_what_there_is():
    with pytest.raises(MethodError, match=r"deepall, .*mean-teacher") as caught:
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


@pytest.mark.parametrize("module", ["registry", "config", "adapting_config"])
def test_no_torch(module):
    code = (
        f"import dgseg.methods.{module} as m, sys; getattr(m, 'names', tuple)(); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ToyConfig(DeepAllConfig):
    channels: int = 2


class Toy(DeepAll):
    Config = ToyConfig
    presets: ClassVar = {
        "small": {"cpu": ToyConfig(channels=3), "gpu": ToyConfig(channels=4)},
        "one-size": {"gpu": ToyConfig(channels=5)},
    }

    @classmethod
    def network(cls, config, n_classes, width, depth, n_domains):
        return {"kind": "toy", "channels": config.channels, "n_domains": n_domains}


@pytest.fixture
def toys(monkeypatch):
    """Two methods, the name of one of which begins with that of the other."""
    points = registry._points()
    for name in ("toy", "toy-small"):
        points[name] = EntryPoint(name, "no.such.module:Method", registry.GROUP)
    monkeypatch.setattr(registry, "_points", lambda: points)
    found = registry.get
    monkeypatch.setattr(registry, "get", lambda n: Toy if n[:3] == "toy" else found(n))


def test_a_preset_is_a_name(toys, monkeypatch):
    assert registry.resolve("toy") == (Toy, ToyConfig())
    assert registry.resolve("toy-one-size", "gpu") == (Toy, ToyConfig(channels=5))
    assert registry.method_name("toy-one-size") == "toy"
    # Registered as a whole; and what follows the longest registered name is the preset.
    assert registry.resolve("toy-small") == (Toy, ToyConfig())
    assert registry.resolve("toy-small-small", "gpu")[1].channels == 4
    assert registry.method_name("toy-small-small") == "toy-small"
    assert {"toy-one-size", "toy-small-small"} <= set(registry.preset_names())
    assert "toy-one-size" not in registry.names()


def test_options_come_over_a_preset(toys):
    fabric = Fabric(accelerator="cpu", devices=1)
    options = {"learning_rate": 0.5}
    net = nn.Conv2d(1, 2, 1)
    method = registry.create("toy-one-size", net, fabric, options, 10, size="gpu")
    assert (method.config.channels, method.config.learning_rate) == (5, 0.5)
    wanted = {"kind": "toy", "channels": 7, "n_domains": 3}
    assert registry.network("toy", {"channels": 7}, 4, 16, 4, 3) == wanted
    with pytest.raises(MethodError, match="magic"):
        registry.network("toy", {"magic": 7}, 4, 16, 4, 3)


def test_an_unknown_preset_says_what_there_is(toys):
    with pytest.raises(MethodError, match="no preset 'large'") as caught:
        registry.resolve("toy-large")
    assert "toy, toy-small, toy-one-size" in caught.value.remedy
    with pytest.raises(MethodError, match="no preset 'paper'") as caught:
        registry.resolve("deepall-paper")
    assert caught.value.remedy == "Choose deepall."
    with pytest.raises(MethodError, match="no size 'cpu'"):
        registry.resolve("toy-one-size")
    with pytest.raises(MethodError, match="no method 'magic-paper'"):
        registry.resolve("magic-paper")


def test_a_method_learns_a_u_net_if_it_does_not_say():
    described = registry.network("deepall", {}, n_classes=4, width=8, depth=3, n_domains=5)
    assert described == {
        "kind": "unet",
        "in_channels": 1,
        "n_classes": 4,
        "width": 8,
        "depth": 3,
    }
    assert build(described)


class Banked(DeepAll):
    needs_style_bank: ClassVar[bool] = True

    def __init__(self, net, fabric, config, total_steps, style_bank):
        super().__init__(net, fabric, config, total_steps)
        self.style_bank = style_bank


def test_a_style_bank_reaches_those_that_need_it(monkeypatch):
    fabric = Fabric(accelerator="cpu", devices=1)
    code = {"style_mean": (0.5,), "style_covariance": ((1.0,),)}
    code |= {"domain_mean": (), "domain_covariance": ()}
    bank = StyleBank(domains={"a": DomainStyle(n_slices=3, **code)})
    registry.create("deepall", nn.Conv2d(1, 2, 1), fabric, {}, 10, style_bank=bank)
    monkeypatch.setattr(registry, "get", lambda name: Banked)
    method = registry.create("deepall", nn.Conv2d(1, 2, 1), fabric, {}, 10, style_bank=bank)
    assert method.style_bank is bank
    with pytest.raises(MethodError, match="This model has no style bank") as caught:
        registry.create("deepall", nn.Conv2d(1, 2, 1), fabric, {}, 10)
    assert "mean-teacher" in caught.value.remedy
