"""What methods share that take slices apart, up to the bundle and its adaptation."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from dgseg.adaptation.candidate import Plan, train_candidate
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.reader import SiteReader
from dgseg.bundles.bundle import BundleInfo, read_info, write_bundle
from dgseg.errors import MethodError
from dgseg.inference.segmenter import Segmenter, load_network
from dgseg.methods.base import Batch, DomainBatch, Episode
from dgseg.methods.dgnet import DGNet
from dgseg.methods.dgnet_config import DGNetConfig
from dgseg.methods.disentangling import factors_of
from dgseg.methods.registry import create
from dgseg.nets.build import build
from dgseg.scans.nifti import read_nifti
from dgseg.scans.preprocessing import Preprocessing
from dgseg.scans.schema import SPINAL_GM
from dgseg.site.snapshot import SnapshotScan

KINDS = {
    "separate": {},
    "published": {"encoders": "shared", "task": "first-channels", "anatomy": "none"},
    "binary": {"anatomy": "binary", "style_dims": 3, "domain_dims": 5},
}


@pytest.fixture(params=list(KINDS))
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def trained(dgnet, domains):
    """A few steps from the start, so that network and running mean differ."""

    def make(**settings):
        learner = dgnet(**settings)
        for step in range(2):
            learner.update(domains(step, size=16, labelled=1, unlabelled=1))
        return learner

    return make


# What it sees -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (5, 9), (33, 18)])
def test_factors_of_slices_of_any_size(dgnet, kind, size):
    learner = dgnet(**kind)
    found = learner.factors(torch.rand(3, 1, *size))
    config = learner.config
    assert found.anatomy.shape == (3, 8, *size)
    assert found.style.shape == (3, config.style_dims)
    assert found.domain.shape == (3, config.domain_dims)
    assert found.reconstruction.shape == (3, 1, *size)
    for tensor in vars(found).values():
        assert tensor.dtype == torch.float32
        assert not tensor.requires_grad
        assert torch.isfinite(tensor).all()
    assert found.reconstruction.min() >= 0
    assert found.reconstruction.max() <= 1


def test_factors_are_the_deployed_networks_and_not_drawn(trained, slices):
    learner, images = trained(ema_decay=0.5), slices(2)[0]
    first, second = learner.factors(images), learner.factors(images)
    deployed = factors_of(learner.deployable(), images)
    for name, tensor in vars(first).items():
        assert torch.equal(tensor, vars(second)[name])
        assert torch.equal(tensor, vars(deployed)[name])
    student = factors_of(learner.net, images)
    assert not torch.equal(first.anatomy, student.anatomy)
    with torch.no_grad():
        codes = learner.deployable().encode(images)
    assert torch.equal(first.style, codes.style_mean)
    assert torch.equal(first.domain, codes.domain_mean)
    assert learner.net.training


@pytest.mark.parametrize("code", ["style", "domain"])
def test_codes_can_change_places(dgnet, domains, kind, code):
    """One slice's anatomy in the other's looks: another picture of the same anatomy."""
    learner = dgnet(**kind, learning_rate=1e-2)
    for step in range(3):
        learner.update(domains(step, size=16))
    data = domains(size=16, labelled=1, unlabelled=0)
    pair = torch.cat([data.domains[name].labelled.images for name in "ab"])
    seen, net = learner.factors(pair), learner.deployable()
    codes = {"style": seen.style, "domain": seen.domain}
    swapped = codes | {code: codes[code].flip(0)}
    with torch.no_grad():
        same = net.decode(seen.anatomy, **codes)
        other = net.decode(seen.anatomy, **swapped)
        back = net.decode(seen.anatomy, **(swapped | {code: swapped[code].flip(0)}))
    assert torch.equal(same, seen.reconstruction)
    assert torch.equal(back, same)
    assert torch.isfinite(other).all()
    assert other.min() >= 0
    assert other.max() <= 1
    assert ((other - same).abs().amax((1, 2, 3)) > 1e-4).all()


def test_a_slice_is_seen_alike_in_any_company(dgnet, domains, kind):
    """No layer of normalisation carries anything from one slice or domain to another."""
    learner, data = dgnet(**kind), domains(labelled=2, unlabelled=0)
    images, strangers = (data.domains[name].labelled.images for name in "ab")
    alone, together = learner.factors(images), learner.factors(torch.cat([strangers, images]))
    for name, tensor in vars(alone).items():
        torch.testing.assert_close(vars(together)[name][2:], tensor, atol=1e-5, rtol=1e-4)
    for company in (strangers, 50 * strangers):
        found = learner.predict(torch.cat([company, images]))[2:]
        torch.testing.assert_close(found, learner.predict(images), atol=1e-5, rtol=1e-4)


def test_in_training_no_gradient_crosses_between_slices(dgnet, slices):
    learner = dgnet()
    images = slices(3, 16)[0].requires_grad_()
    seen = learner.__dict__["_analysis"](images)
    for tensor in (seen.anatomy, seen.logits, seen.domain_logits, seen.reconstruction):
        (slope,) = torch.autograd.grad(tensor[0].square().sum(), images, retain_graph=True)
        assert slope[0].any()
        assert not slope[1:].any()
    state = {k: v.clone() for k, v in learner.net.state_dict().items()}
    assert all(torch.equal(v, state[k]) for k, v in learner.net.state_dict().items())
    assert not list(learner.net.buffers())  # no running statistics of anything


# What it learns -----------------------------------------------------------------------------


def test_domains_are_told_apart_and_slices_are_painted(dgnet, slices):
    """Two domains, one of them inverted: new slices are recognised, those at hand painted."""

    def look(images, name):
        return 1 - images if name == "b" else images

    domains = {}
    for name in "ab":
        images, labels = slices(12, 16)
        images = look(images, name)
        domains[name] = DomainBatch(Batch(images[:6], labels[:6]), Batch(images[6:]))
    data = Episode(domains, 0, 40, ("a", "b"))
    learner = dgnet(order=1, learning_rate=1e-2, warm_up=0.0, ema_decay=0.5)
    painted = []
    for step in range(40):
        report = learner.update(replace(data, step=step))
        painted.append(float(report["reconstruction"] + report["reconstruction held out"]))
    assert sum(painted[-3:]) < 0.4 * sum(painted[:3])
    images = torch.cat([look(slices(8, 16)[0], name) for name in "ab"])
    seen = learner.factors(images)
    recognised = learner.deployable().classify(seen.domain).argmax(1)
    assert (recognised == torch.arange(2).repeat_interleave(8)).float().mean() > 0.9
    assert (seen.reconstruction - images).abs().mean() < 0.13


# The network, and those that it is not ------------------------------------------------------


def test_describes_a_network_that_can_be_built(kind):
    config = replace(DGNetConfig(), **kind)
    for n_classes, n_domains in ((2, 2), (4, 7), (9, 3)):
        net = build(DGNet.network(config, n_classes, width=4, depth=2, n_domains=n_domains))
        assert net.config.n_domains == n_domains
        assert net.config.anatomy_channels >= n_classes
        with torch.no_grad():
            assert net(torch.rand(2, 1, 16, 16)).shape == (2, n_classes, 16, 16)


@pytest.mark.parametrize("net", [{"kind": "unet", "width": 4, "depth": 2}])
def test_a_plain_network_is_refused(net):
    fabric = Fabric(accelerator="cpu", devices=1)
    with pytest.raises(MethodError, match="anatomy and codes, not a UNet") as caught:
        create("dgnet", build(net), fabric, {}, 10)
    assert "disentangling" in caught.value.remedy


# Bundles ------------------------------------------------------------------------------------


def bundle_of(learner, folder):
    info = BundleInfo(
        name="test",
        method="dgnet",
        network=learner.net.config.model_dump(),
        preprocessing=Preprocessing(spacing_mm=None),
        labels=SPINAL_GM,
        domains=("a", "b"),
    )
    return write_bundle(folder, info, learner.deployable().state_dict())


def test_a_bundle_predicts_and_sees_as_its_method_did(trained, slices, kind, tmp_path):
    learner, images = trained(**kind), slices(2, 19)[0]
    bundle_of(learner, tmp_path / "model")
    info, net = load_network(tmp_path / "model")
    assert info.network["kind"] == "disentangled"
    with torch.no_grad():
        found = net.eval()(images).softmax(1)
    torch.testing.assert_close(found, learner.predict(images), atol=1e-5, rtol=1e-4)
    seen = learner.factors(images)
    for name, tensor in vars(factors_of(net, images)).items():
        torch.testing.assert_close(tensor, vars(seen)[name], atol=1e-5, rtol=1e-4)


@pytest.fixture
def scan(tmp_path):
    """Four slices of 24 x 20 pixels on disk."""
    array = np.random.default_rng(3).uniform(0, 9, (24, 20, 4)).astype(np.float32)
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(array, np.diag([1, 1, 5, 1])), path)
    return read_nifti(path)


def test_a_bundle_segments_scans(trained, scan, tmp_path):
    bundle_of(trained(), tmp_path / "model")
    for precision in ("fp32", "bf16"):
        segmenter = Segmenter(tmp_path / "model", device="cpu", precision=precision)
        found = segmenter.segment(scan)
        assert found.labels.shape == scan.array.shape
        assert found.labels.max() <= 2
        assert found.warnings == ()


class Silent:
    def should_stop(self):
        return False

    def phase(self, name, message):
        pass

    def progress(self, step, total, losses=None):
        pass

    def warn(self, problem, *, scan_id=None):
        raise AssertionError(problem)


def adapted(scan, folder, **settings):
    labels = np.zeros(scan.array.shape, np.uint8)
    labels[:, 4:12, 4:12] = 1
    marks = np.array([True, True, False, False])
    item = SnapshotScan(scan.scan_id, scan.source, "clinic", labels, marks)
    common = {"steps": 2, "device": "cpu", "precision": "fp32", "threads": 1, "patch_px": 16}
    config = AdaptConfig(**common, batch_labelled=2, batch_unlabelled=2, **settings)
    reader, plan = SiteReader([item], Silent()), Plan({}, folder)
    return train_candidate(reader, folder / "model", config, plan, Silent())


def test_the_default_method_adapts_a_disentangled_bundle(trained, scan, tmp_path):
    """The path to the classes learns; encoders and decoder stay as they were."""
    before = bundle_of(trained(), tmp_path / "model")
    candidate = adapted(scan, tmp_path)
    info = read_info(candidate)
    assert (info.method, info.parent_id) == ("two-teachers", before.bundle_id)
    assert info.network == before.network
    old, new = (
        load_network(folder)[1].state_dict() for folder in (tmp_path / "model", candidate)
    )
    for name, value in old.items():
        same = torch.equal(value, new[name])
        assert same != name.startswith(("feature.", "task.")), name
    assert Segmenter(candidate, device="cpu").segment(scan).labels.shape == scan.array.shape


def test_dgnet_cannot_adapt_to_one_site_and_says_so(trained, scan, tmp_path):
    bundle_of(trained(), tmp_path / "model")
    with pytest.raises(MethodError, match="two domains") as caught:
        adapted(scan, tmp_path, method="dgnet")
    assert "deepall" in caught.value.remedy
