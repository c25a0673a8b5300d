"""What tests of several rooms need: tiny models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dgseg.bundles.bundle import BundleInfo, write_bundle
from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import SPINAL_GM

_DOMAINS = ("north", "south")


def _bank(style_dims: int = 3, domain_dims: int = 2) -> StyleBank:
    def look(value: float) -> DomainStyle:
        return DomainStyle(
            n_slices=9,
            style_mean=(value,) * style_dims,
            style_covariance=tuple(map(tuple, np.eye(style_dims).tolist())),
            domain_mean=(2 * value,) * domain_dims,
            domain_covariance=tuple(map(tuple, np.eye(domain_dims).tolist())),
        )

    return StyleBank(domains={name: look(k) for k, name in enumerate(_DOMAINS)})


def _write(folder: Path, *, bank: bool = True, **network: object) -> Path:
    import torch

    from dgseg.nets.build import build

    description = {
        "kind": "disentangled",
        "in_channels": 1,
        "n_classes": 3,
        "width": 4,
        "depth": 2,
        "n_domains": 2,
        "anatomy_channels": 4,
        "style_dims": 3,
        "domain_dims": 2,
    } | network
    torch.manual_seed(0)
    net = build(description)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            # As they begin, codes hardly change what is painted.
            if name.startswith(("decoder", "encoders")):
                weight.mul_(3.0)
    info = BundleInfo(
        name="tiny <model>",
        method="dgnet",
        network=description,
        preprocessing=Preprocessing(spacing_mm=1.25),
        labels=SPINAL_GM,
        domains=_DOMAINS,
        style_bank=_bank() if bank else None,
    )
    write_bundle(folder, info, net.state_dict())
    return folder


def _write_plain(folder: Path, seed: int = 0, **changes: Any) -> Path:
    import torch

    from dgseg.nets.build import build

    network = {"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 4, "depth": 2}
    settings = {
        "name": "tiny",
        "method": "deepall",
        "preprocessing": Preprocessing(),
        "labels": SPINAL_GM,
    } | changes
    torch.manual_seed(seed)
    info = BundleInfo(network=network, **settings)
    write_bundle(folder, info, build(network).state_dict())
    return folder


@pytest.fixture(scope="session")
def write_plain() -> Callable[..., Path]:
    """Writes a bundle of a U-Net that knows nothing yet, with other fields of its record."""
    return _write_plain


@pytest.fixture(scope="session")
def write_disentangled() -> Callable[..., Path]:
    """Writes a bundle of a disentangling method, with other settings of its network."""
    return _write


@pytest.fixture(scope="session")
def disentangled_bundle(tmp_path_factory) -> Path:
    """A bundle of a disentangling method, with a style bank of two domains."""
    return _write(tmp_path_factory.mktemp("disentangled") / "tiny")
