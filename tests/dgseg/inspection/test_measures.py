"""Measures of how well anatomy and appearance are told apart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.factors import scan_factors
from dgseg.inspection.measures import Measuring, distance_correlations
from dgseg.losses.dependence import hsic
from dgseg.metrics.dependence import distance_correlation
from dgseg.nets.config import DisentangledConfig
from dgseg.nets.disentangled import DisentangledNet
from dgseg.nets.resample import resize
from dgseg.scans.preprocessing import normalise


class Coded(nn.Module):
    """The anatomy is the image; the style is how bright it is; the domain code is noise."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.modes = []

    def anatomy(self, images):
        self.modes.append(self.training)
        return images

    def encode(self, images):
        noise = torch.sin(1e4 * images.flatten(1)[:, :1])
        return SimpleNamespace(style_mean=images.mean((2, 3)), domain_mean=noise)


def test_what_depends_is_told_from_what_does_not():
    generator = torch.Generator().manual_seed(0)
    level = torch.rand((150, 1, 1, 1), generator=generator)
    images = level + 0.01 * torch.rand((150, 1, 8, 8), generator=generator)
    net = Coded().train()
    found = distance_correlations(net, images)
    assert found["style"] > 0.99
    assert found["domain"] < 0.25
    assert found["domain"] < found["both"] < 1
    assert net.training
    assert not any(net.modes)
    anatomy = torch.cat(
        [images.mean((2, 3)), images.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)).flatten(1)], 1
    )
    codes = net.encode(images)
    assert found["style"] == pytest.approx(
        distance_correlation(anatomy.numpy(), codes.style_mean.numpy()), abs=1e-5
    )


def test_slices_of_several_sizes_are_one_sample():
    torch.manual_seed(0)
    config = DisentangledConfig(
        in_channels=1, n_classes=3, width=4, depth=2, groups=2, n_domains=3
    )
    net = DisentangledNet(config).eval()
    parts = [torch.rand(20, 1, 16, 16), torch.rand(3, 1, 24, 20)]
    found = distance_correlations(net, parts)
    assert set(found) == {"style", "domain", "both"}
    assert all(0 <= value <= 1 for value in found.values())
    whole = torch.rand(20, 1, 16, 16)
    expected = distance_correlations(net, whole)
    assert distance_correlations(net, list(whole.split(7))) == pytest.approx(expected, abs=1e-4)


def test_a_network_without_codes_has_none():
    assert distance_correlations(nn.Conv2d(1, 1, 1), torch.rand(4, 1, 8, 8)) is None


def test_measures_are_those_of_all_slices(segmenter, make_scan):
    measuring = Measuring(segmenter)
    scans = [make_scan(seed) for seed in (1, 2)]
    factors = [scan_factors(segmenter, scan)[0] for scan in scans]
    for scan, domain in zip(scans, ("south", "elsewhere"), strict=True):
        measuring.add(scan, domain)
    found = measuring.result()

    assert found.n_slices == 10
    error = np.concatenate([each.error for each in factors])
    assert found.reconstruction == pytest.approx(error.mean(), abs=1e-5)
    assert found.domain_accuracy == pytest.approx(
        (factors[0].likeness.argmax(axis=1) == 1).mean()
    )
    style, domain = (
        torch.from_numpy(np.concatenate([getattr(each, code) for each in factors]))
        for code in ("style", "domain")
    )
    assert found.hsic == pytest.approx(
        float(hsic(style.double(), domain.double(), estimator="normalised")), abs=1e-3
    )
    images = [
        resize(
            torch.from_numpy(normalise(s.array, segmenter.info.preprocessing)[:, None]),
            (19, 16),
        )
        for s in scans
    ]
    expected = distance_correlations(segmenter.runner.net, images)
    assert found.distance_correlation == pytest.approx(expected, abs=1e-3)


def test_a_site_is_told_by_any_of_its_scanners(segmenter, make_scan):
    names = ("south · aaaaaa", "south")
    segmenter.info = segmenter.info.model_copy(update={"domains": names})
    for domain, expected in (("south", 1.0), ("north", None)):
        measuring = Measuring(segmenter)
        measuring.add(make_scan(), domain)
        assert measuring.result().domain_accuracy == expected


def test_codes_that_carry_nothing_are_told(segmenter, scan, monkeypatch):
    """Posteriors that are the prior: all slices have the same mean, and noise about it."""
    measuring = Measuring(segmenter)
    sound = measuring._net.encode

    def encode(images):
        codes = sound(images)
        codes.style_mean[:] = torch.tensor(
            segmenter.info.style_bank.domains["north"].style_mean
        )
        codes.style_mean.add_(1e-3 * images.mean(dim=(2, 3)))
        return codes

    monkeypatch.setattr(measuring._net, "encode", encode)
    bank = segmenter.info.style_bank
    same = {
        name: look.model_copy(update={"style_mean": bank.domains["north"].style_mean})
        for name, look in bank.domains.items()
    }
    segmenter.info = segmenter.info.model_copy(
        update={"style_bank": bank.model_copy(update={"domains": same})}
    )
    measuring.add(scan)
    found = measuring.result()
    assert "style" in found.silent
    assert found.distance_correlation["style"] > 0, "a number there is all the same"


def test_slices_that_run_away_do_not_count(segmenter, scan, runaway):
    runaway(scan, 0)
    measuring = Measuring(segmenter)
    measuring.add(scan)
    assert measuring.result().n_slices == 4


def test_of_one_slice_nothing_is_said_but_how_it_is_painted(segmenter, make_scan):
    measuring = Measuring(segmenter)
    assert measuring.result().reconstruction is None
    measuring.add(make_scan(n_slices=1))
    found = measuring.result()
    assert found.reconstruction > 0
    assert set(found.distance_correlation.values()) == {None}
    assert found.hsic is found.domain_accuracy is None


def test_without_a_domain_code_nothing_is_said_of_it(tmp_path, scan, write_disentangled):
    folder = write_disentangled(tmp_path / "sdnet", bank=False, domain_dims=0)
    measuring = Measuring(Segmenter(folder, "cpu", "fp32"))
    measuring.add(scan, "north")
    found = measuring.result()
    assert found.distance_correlation["domain"] is None
    assert found.distance_correlation["style"] == found.distance_correlation["both"]
    assert found.hsic is found.domain_accuracy is None
