"""Styles are those that a definition in numpy gives."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from dgseg.factors.distance import own_distances
from dgseg.scans.preprocessing import Preprocessing
from dgseg.training.store import SliceStore
from dgseg.training.style_bank import has_styles, measure_style_bank


class Encoder(nn.Module):
    """Codes from the mean, the spread and the corner of an image."""

    def encode(self, images):
        assert not self.training
        assert len(images) <= 32
        flat = images.flatten(1)
        style = torch.stack([flat.mean(1), flat.std(1), flat[:, 0]], dim=1)
        own = style[:, :2] * torch.tensor([2.0, -1.0])
        return SimpleNamespace(
            style_mean=style,
            style_log_variance=style - 3,
            domain_mean=own,
            domain_log_variance=-own,
        )


def moments(means, log_variances):
    covariance = np.cov(means, rowvar=False, bias=True) + np.diag(np.exp(log_variances).mean(0))
    return means.mean(0), covariance


def test_means_and_total_covariances(make_scan):
    items = [make_scan("a", size=(40, 20, 24)), make_scan("a", size=(3, 18, 24), seed=1)]
    items += [make_scan("b", size=(4, 20, 24), seed=2, annotated=[False] * 4)]
    store = SliceStore.build(items, Preprocessing())
    net = Encoder().train()
    bank = measure_style_bank(net, store)
    assert net.training
    assert has_styles(net)
    assert not has_styles(nn.Conv2d(1, 1, 1))
    assert {name: style.n_slices for name, style in bank.domains.items()} == {"a": 43, "b": 4}
    for name, style in bank.domains.items():
        codes = [vars(net.eval().encode(images)) for images in store.slices(name)]
        joined = {key: torch.cat([c[key] for c in codes]).double().numpy() for key in codes[0]}
        for kind in ("style", "domain"):
            mean, covariance = moments(joined[f"{kind}_mean"], joined[f"{kind}_log_variance"])
            assert np.allclose(getattr(style, f"{kind}_mean"), mean, rtol=1e-9)
            assert np.allclose(getattr(style, f"{kind}_covariance"), covariance, rtol=1e-9)
        both = np.concatenate([joined["style_mean"], joined["domain_mean"]], axis=1)
        distances = np.sort(own_distances(style, both))
        quantiles = style.distance_quantiles
        assert quantiles[0] == pytest.approx(distances[0])
        assert quantiles[len(quantiles) // 2] == pytest.approx(np.median(distances))
        assert quantiles[-1] == pytest.approx(distances[-1])


def test_one_slice_has_its_own_spread_alone(make_scan):
    store = SliceStore.build([make_scan("a", size=(1, 20, 24))], Preprocessing())
    style = measure_style_bank(Encoder(), store).domains["a"]
    variances = np.exp(np.array(style.style_mean) - 3)
    assert np.array(style.style_covariance) == pytest.approx(np.diag(variances), rel=1e-5)
