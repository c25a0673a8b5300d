"""Networks from their description."""

from __future__ import annotations

import pytest
import torch

from dgseg.errors import BundleError
from dgseg.nets.build import build
from dgseg.nets.config import UNetConfig

DESCRIPTION = {"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 8, "depth": 3}


def test_builds_what_is_described():
    net = build(DESCRIPTION)
    assert len(net.encoder) == 3
    assert net(torch.rand(1, 1, 20, 20)).shape == (1, 3, 20, 20)


def test_same_seed_same_weights():
    torch.manual_seed(3)
    first = build(DESCRIPTION).state_dict()
    torch.manual_seed(3)
    second = build(DESCRIPTION).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_description_round_trips():
    config = UNetConfig(n_classes=4, width=8, depth=2, groups=2)
    first, second = build(config.model_dump()), build(config.model_dump())
    second.load_state_dict(first.state_dict())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "transformer"}, "'transformer'"),
        ({"kind": None}, "None"),
        ({"width": 0}, "width"),
        ({"depth": 9}, "depth"),
        ({"depth": "many"}, "depth"),
        ({"n_classes": 1}, "n_classes"),
        ({"heads": 8}, "heads"),
        ({"width": 6}, "4 groups do not divide"),
        ({"upsampling": "nearest"}, "upsampling"),
    ],
)
def test_foreign_descriptions_are_refused(change, said):
    with pytest.raises(BundleError, match=said) as caught:
        build(DESCRIPTION | change)
    assert caught.value.remedy


def test_no_kind_is_refused():
    with pytest.raises(BundleError):
        build({})
