"""A look bank is what a definition in numpy gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dgseg.factors.distance import distance_to_looks, look_distances
from dgseg.nets.unet import UNet
from dgseg.scans.preprocessing import Preprocessing
from dgseg.training.look_bank import LEVEL, measure_look_bank, with_site
from dgseg.training.store import SliceStore


@pytest.fixture
def net():
    torch.manual_seed(0)
    return UNet(width=2, depth=3, groups=2).train()


@pytest.fixture
def store(make_scan):
    items = [make_scan("a", size=(9, 20, 24)), make_scan("b", size=(4, 20, 24), seed=2)]
    items += [make_scan("c", size=(6, 18, 24), seed=3, annotated=[False] * 6)]
    return SliceStore.build(items, Preprocessing())


def looks_of(net, store, domain):
    found = []
    block = net.encoder[LEVEL]
    hook = block.register_forward_hook(lambda _, __, x: found.append(x.mean((2, 3))))
    with torch.no_grad():
        for images in store.slices(domain):
            net.eval()(images)
    hook.remove()
    return torch.cat(found).double().numpy()


def joined(parts):
    """Mean and covariance when each part is as heavy as the others."""
    mean = np.mean([part.mean(0) for part in parts], axis=0)
    spread = [(part - mean).T @ (part - mean) / len(part) for part in parts]
    return mean, np.mean(spread, axis=0)


def test_it_holds_all_domains_alike_and_how_far_new_ones_lie(net, store):
    bank = measure_look_bank(net, store)
    assert net.training
    assert bank.domains == ("a", "b", "c")
    looks = {name: looks_of(net, store, name) for name in "abc"}
    mean, covariance = joined(list(looks.values()))
    assert np.allclose(bank.mean, mean, rtol=1e-4)
    assert np.allclose(bank.covariance, covariance, rtol=1e-3, atol=1e-6)
    far = [
        look_distances(looks[name], *joined([looks[k] for k in "abc" if k != name]))
        for name in "abc"
    ]
    assert bank.new_centre[0] == pytest.approx(min(map(np.min, far)), rel=1e-4)
    assert bank.new_centre[-1] == pytest.approx(max(map(np.max, far)), rel=1e-4)
    assert type(bank).model_validate_json(bank.model_dump_json()) == bank


def test_a_foreign_site_is_none_once_it_has_joined(net, store):
    bank = measure_look_bank(net, store)
    own = [looks_of(net, store, name) for name in "abc"]
    assert not any(distance_to_looks(bank, looks).foreign for looks in own)
    looks = own[0] + 3.0
    assert distance_to_looks(bank, looks).foreign
    mean, covariance = joined([looks])
    site = bank.model_copy(
        update={
            "domains": ("d",),
            "mean": tuple(mean),
            "covariance": tuple(map(tuple, covariance)),
            "new_centre": (),
        }
    )
    grown = with_site(bank, site)
    assert grown.domains == ("a", "b", "c", "d")
    mean, covariance = joined([*own, looks])
    assert np.allclose(grown.mean, mean, rtol=1e-3)
    assert np.allclose(grown.covariance, covariance, rtol=1e-3, atol=1e-4)
    assert grown.new_centre == bank.new_centre
    assert not distance_to_looks(grown, looks).foreign


def test_one_domain_tells_nothing_of_new_ones(net, make_scan):
    store = SliceStore.build([make_scan("a", size=(5, 20, 24))], Preprocessing())
    assert measure_look_bank(net, store).new_centre == ()


@pytest.mark.parametrize("other", [nn.Conv2d(1, 3, 1), UNet(width=2, depth=2, groups=2)])
def test_other_networks_have_none(other, store):
    assert measure_look_bank(other, store) is None
