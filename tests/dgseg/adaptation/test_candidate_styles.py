"""Candidates of models that tell anatomy from appearance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.adaptation.candidate import fine_tune
from dgseg.adaptation.config import AdaptConfig
from dgseg.bundles.bundle import BundleInfo, read_info, write_bundle
from dgseg.bundles.look_bank import LookBank
from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.errors import MethodError
from dgseg.inference.segmenter import load_network
from dgseg.methods.one_network import OneNetwork
from dgseg.nets.build import build
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.nifti import read_nifti
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import Label, LabelSchema

SQUARE = LabelSchema(
    name="square",
    labels=(Label(value=1, name="square", color="#ff0000", abbreviation="SQ"),),
)
NETWORK = {
    "kind": "disentangled",
    "in_channels": 1,
    "n_classes": 2,
    "width": 4,
    "depth": 2,
    "n_domains": 2,
    "style_dims": 3,
    "domain_dims": 2,
}


def style(mean):
    return DomainStyle(
        n_slices=4,
        style_mean=(mean,) * 3,
        style_covariance=tuple(
            tuple(1.0 if i == j else 0.0 for j in range(3)) for i in range(3)
        ),
        domain_mean=(mean,) * 2,
        domain_covariance=((1.0, 0.0), (0.0, 1.0)),
    )


@pytest.fixture
def write(tmp_path):
    def write(bank=True, network=NETWORK, looks=None):
        torch.manual_seed(0)
        net = build(network)
        styles = StyleBank(domains={"north": style(0.0), "south": style(1.0)})
        info = BundleInfo(
            name="square",
            method="dgnet",
            network=network,
            preprocessing=Preprocessing(spacing_mm=1.0),
            labels=SQUARE,
            domains=("north", "south"),
            style_bank=styles if bank else None,
            look_bank=looks,
        )
        write_bundle(tmp_path / "parent", info, net.state_dict())
        return tmp_path / "parent"

    return write


@pytest.fixture
def adapt(make_item, tmp_path, watcher):
    def adapt(bundle, method, drawn=1, **options):
        item = make_item(0, corrected=(2,))
        scan = read_nifti(item.source.path)
        found = AnnotatedScan(scan, item.labels * drawn, item.annotated, "clinic")
        config = AdaptConfig(
            method=method, steps=2, patch_px=16, device="cpu", precision="fp32", threads=1
        )
        return fine_tune(lambda: [found], bundle, config, tmp_path / "work", watcher, **options)

    return adapt


def test_the_site_joins_the_style_bank_and_the_domains(write, adapt):
    parent = write()
    candidate = adapt(parent, "meta-disentangle")
    old, (info, net) = read_info(parent), load_network(candidate)
    assert info.domains == ("north", "south", "clinic")
    assert list(info.style_bank.domains) == ["north", "south", "clinic"]
    assert info.style_bank.domains["north"] == old.style_bank.domains["north"]
    assert info.style_bank.domains["clinic"].n_slices == 6
    assert info.network["n_domains"] == net.config.n_domains == 3
    assert net(torch.rand(1, 1, 16, 16)).shape == (1, 2, 16, 16)


def test_a_second_adaptation_at_the_same_site_needs_no_further_class(write, adapt, tmp_path):
    first = adapt(write(), "meta-disentangle")
    again = first.rename(tmp_path / "first")
    second = read_info(adapt(again, "meta-disentangle"))
    assert second.network["n_domains"] == 3
    assert second.domains == ("north", "south", "clinic")


def test_a_method_that_leaves_the_encoders_alone_measures_the_site_with_them(write, adapt):
    parent = write()
    _, before = load_network(parent)
    info, after = load_network(adapt(parent, "mean-teacher"))
    for name, weight in before.encoders.state_dict().items():
        # Bundles hold half the digits.
        torch.testing.assert_close(after.encoders.state_dict()[name], weight, atol=1e-3, rtol=0)
    assert list(info.style_bank.domains) == ["north", "south", "clinic"]
    assert info.network["n_domains"] == 2
    assert np.isfinite(info.style_bank.domains["clinic"].style_mean).all()


def test_what_only_judges_does_not_measure_the_site(write, adapt, tmp_path):
    made = adapt(write(), "meta-disentangle", with_styles=False)
    assert read_info(made).style_bank is None
    assert load_network(made)[1](torch.rand(1, 1, 16, 16)).shape == (1, 2, 16, 16)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["candidate"]


def test_without_a_style_bank_meta_learning_says_what_else_there_is(write, adapt):
    with pytest.raises(MethodError, match="no style bank") as caught:
        adapt(write(bank=False), "meta-disentangle")
    assert "mean-teacher" in caught.value.remedy


def test_a_plain_model_says_so(write, adapt):
    plain = {"kind": "unet", "in_channels": 1, "n_classes": 2, "width": 4, "depth": 2}
    with pytest.raises(MethodError, match="anatomy"):
        adapt(write(bank=False, network=plain), "meta-disentangle")


def test_the_site_joins_the_look_bank(write, adapt):
    looks = LookBank(
        level=2,
        domains=("north", "south"),
        mean=(0.0,) * 16,
        covariance=tuple(tuple(float(i == j) for j in range(16)) for i in range(16)),
        new_centre=(0.5, 1.0, 2.0),
    )
    parent = write(network=NETWORK | {"depth": 3}, looks=looks)
    found = read_info(adapt(parent, "mean-teacher")).look_bank
    assert found.domains == ("north", "south", "clinic")
    assert found.new_centre == looks.new_centre
    assert any(found.mean)


@pytest.mark.parametrize(("drawn", "absent"), [(1, ()), (0, (1,))])
def test_structures_that_no_correction_shows_are_kept(write, adapt, monkeypatch, drawn, absent):
    asked = []
    monkeypatch.setattr(OneNetwork, "prepare", lambda _, labelled: asked.append(labelled))
    adapt(write(), "mean-teacher", drawn=drawn)
    (labelled,) = asked
    assert labelled.absent == absent
    assert labelled.n_slices == 1
    assert 0 <= labelled.dice <= 1
