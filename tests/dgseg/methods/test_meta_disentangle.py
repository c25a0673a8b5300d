"""DGNet's steps at a site, beside the domains that a style bank remembers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from dgseg.bundles.style_bank import DomainStyle, StyleBank
from dgseg.errors import MethodError
from dgseg.methods.base import Batch, DomainBatch, Episode, Labelled
from dgseg.methods.meta_disentangle import MetaDisentangle
from dgseg.methods.meta_disentangle_config import MetaDisentangleConfig
from dgseg.nets.build import build

SOURCES = ("north", "south")
DIMS = 8


def bank_of(names=SOURCES, spread=0.0, dims=DIMS):
    """Source domains whose codes lie apart, with one variance for all."""

    def style(place):
        mean = tuple(float(place + 1) for _ in range(dims))
        square = tuple(
            tuple(spread if i == j else 0.0 for j in range(dims)) for i in range(dims)
        )
        return DomainStyle(
            n_slices=9,
            style_mean=mean,
            style_covariance=square,
            domain_mean=mean,
            domain_covariance=square,
        )

    return StyleBank(domains={name: style(place) for place, name in enumerate(names)})


def make(site=("here",), bank=None, **options):
    config = replace(MetaDisentangleConfig(), **({"augment": "none"} | options))
    described = MetaDisentangle.network(config, 3, width=4, depth=2, n_domains=len(SOURCES))
    with torch.random.fork_rng():
        torch.manual_seed(7)
        net = MetaDisentangle.adopt(build(described), SOURCES, site)
        fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
        return MetaDisentangle(net, fabric, config, 40, style_bank=bank or bank_of()).train()


def site_episode(slices, names=("here",), labelled=2, unlabelled=2):
    domains = {}
    for name in names:
        domains[name] = DomainBatch(
            Batch(*slices(labelled, 16)) if labelled else None,
            Batch(slices(unlabelled, 16)[0]) if unlabelled else None,
        )
    return Episode(domains, 0, 40, tuple(names))


# Imagined domains ---------------------------------------------------------------------------


def test_an_imagined_domain_is_the_sites_anatomy_in_a_sources_style(slices):
    method, episode = make(painting="decoded"), site_episode(slices)
    everything = method._with_imagined(episode)
    (name,) = set(everything.domains) - {"here"}
    batch = episode.domains["here"].unlabelled.images
    code = torch.full((len(batch), DIMS), float(SOURCES.index(name) + 1))
    net = method.deployable()
    # The smallest variance that a covariance is given is no more than this.
    torch.testing.assert_close(
        everything.domains[name].unlabelled.images,
        net.decode(net.anatomy(batch), code, code),
        atol=1e-2,
        rtol=0,
    )


def test_a_slice_repainted_with_its_own_codes_stays_as_it_is(slices):
    method = make(painting="change")
    images = slices(1, 16)[0]
    codes = method.deployable().encode(images)
    style, domain = (tuple(c[0].tolist()) for c in (codes.style_mean, codes.domain_mean))
    zeros = tuple((0.0,) * DIMS for _ in range(DIMS))
    own = StyleBank(
        domains={
            "own": DomainStyle(
                n_slices=1,
                style_mean=style,
                style_covariance=zeros,
                domain_mean=domain,
                domain_covariance=zeros,
            )
        }
    )
    repainted = make(painting="change", bank=own)._repainted(images, "own")
    torch.testing.assert_close(repainted, images, atol=5e-3, rtol=0)


def test_labels_and_marks_go_with_the_repainted_slices(slices):
    method, episode = make(), site_episode(slices)
    marks = torch.rand(2, 16, 16) > 0.5
    batch = replace(episode.domains["here"].labelled, annotated=marks)
    episode = replace(episode, domains={"here": DomainBatch(batch, None)})
    everything = method._with_imagined(episode)
    (name,) = set(everything.domains) - {"here"}
    painted = everything.domains[name].labelled
    assert torch.equal(painted.labels, batch.labels)
    assert torch.equal(painted.annotated, marks)
    assert not torch.equal(painted.images, batch.images)


def test_codes_are_drawn_with_the_banks_mean_and_covariance():
    torch.manual_seed(0)
    root = torch.randn(3, 3)
    wanted = root @ root.T
    from dgseg.methods.meta_disentangle import _Normal

    normal = _Normal([1.0, -2.0, 0.5], wanted.tolist(), torch.device("cpu"))
    drawn = normal.sample((200_000,))
    torch.testing.assert_close(drawn.mean(0), torch.tensor([1.0, -2.0, 0.5]), atol=0.03, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), wanted, atol=0.06, rtol=0.02)


def test_a_source_domain_that_is_there_is_not_imagined(slices):
    method = make(imagined=5)
    everything = method._with_imagined(site_episode(slices, ("here", "south")))
    assert set(everything.domains) == {"here", "south", "north"}


# Domains and their classes ------------------------------------------------------------------


def test_the_site_is_a_class_after_all_sources(slices):
    method = make()
    everything = method._with_imagined(site_episode(slices))
    assert everything.all_domains == (*SOURCES, "here")
    assert method.net.config.n_domains == 3


def test_a_site_that_the_model_was_adapted_to_before_keeps_its_class():
    method = make(site=("south",))
    assert method.net.config.n_domains == len(SOURCES)


def test_the_sites_class_is_learnt(slices):
    torch.manual_seed(0)
    method = make(learning_rate=1e-2, warm_up=0.0)
    episode = site_episode(slices)
    before = method.net.classifier.weight[2].clone()
    method.update(episode)
    assert not torch.equal(method.net.classifier.weight[2], before)


# Steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
def test_held_out_is_an_imagined_domain_where_the_site_is_one(slices, order):
    torch.manual_seed(0)
    method, episode = make(order=order), site_episode(slices)
    train, test = method._split(method._with_imagined(episode), episode)
    assert train == ["here"]
    assert set(test) < set(SOURCES)
    report = method.update(episode)
    for term in ("task", "task held out", "reconstruction held out", "classification"):
        assert torch.isfinite(report[term])


def test_of_several_scanners_each_may_be_held_out(slices):
    method = make(site=("one", "two"))
    episode = site_episode(slices, ("one", "two"))
    everything = method._with_imagined(episode)
    held_out = set()
    for seed in range(30):
        torch.manual_seed(seed)
        held_out |= set(method._split(everything, episode)[1])
    assert {"one", "two"} <= held_out


@pytest.mark.parametrize("order", [1, 2])
def test_what_no_correction_shows_is_held_in_every_domain(slices, order):
    torch.manual_seed(0)
    method, episode = make(order=order, imagined=2), site_episode(slices)
    batch = episode.domains["here"]
    shown = replace(batch.labelled, labels=batch.labelled.labels.clamp_max(1))
    method.prepare(Labelled(4, (2,)))
    report = method.update(replace(episode, domains={"here": replace(batch, labelled=shown)}))
    # Nothing has changed yet on either side but by the inner step.
    assert report["absent"] < 1e-4
    assert report["absent held out"] < 1e-2
    for weight in method.net.parameters():
        assert torch.isfinite(weight).all()


def test_nothing_is_held_where_all_structures_are_shown(slices):
    reports = []
    for absent in (None, ()):
        method = make()
        if absent is not None:
            method.prepare(Labelled(4, absent))
        torch.manual_seed(0)
        reports.append(method.update(site_episode(slices)))
    assert reports[0] == reports[1]
    assert not any(name.startswith("absent") for name in reports[0])


def test_corrections_are_not_needed(slices):
    torch.manual_seed(0)
    report = make(ramp=0.0).update(site_episode(slices, labelled=0))
    assert "task" not in report
    assert {"consistency", "reconstruction", "rank"} <= set(report)


@pytest.mark.parametrize(("labelled", "asked"), [(2, "mean"), (0, "start")])
def test_without_corrections_the_teacher_is_the_bundle(slices, labelled, asked):
    torch.manual_seed(0)
    method = make(learning_rate=1e-2, imagined=0)
    heard = []
    nets = {"mean": method.mean.net, "start": method.start}
    nets[asked].feature.register_forward_pre_hook(lambda *_: heard.append(asked))
    method.update(site_episode(slices, labelled=labelled))
    assert heard


def test_without_imagined_domains_it_learns_from_the_site_alone(slices):
    report = make(imagined=0).update(site_episode(slices))
    assert not any(name.endswith(" held out") for name in report)


def test_learns_the_toy_task_at_the_site(slices):
    torch.manual_seed(0)
    method = make(learning_rate=1e-2)
    images, labels = slices(4, 32)
    episode = Episode({"here": DomainBatch(Batch(images, labels), Batch(images))}, 0, 40)
    losses = [float(method.update(replace(episode, step=i))["task"]) for i in range(30)]
    assert losses[-1] < 0.7 * losses[0]


# Bundles that will not do -------------------------------------------------------------------


def test_a_plain_network_is_refused():
    net = build({"kind": "unet", "in_channels": 1, "n_classes": 3, "width": 4, "depth": 2})
    with pytest.raises(MethodError, match="anatomy"):
        MetaDisentangle.adopt(net, SOURCES, ("here",))


def test_a_style_bank_of_another_network_is_refused():
    with pytest.raises(MethodError, match="dimensions"):
        make(bank=bank_of(dims=3))


def test_the_scales_of_normalisation_alone_can_be_adapted(slices):
    torch.manual_seed(0)
    method = make(trained="norm", learning_rate=1e-2, warm_up=0.0)
    before = {name: p.clone() for name, p in method.net.named_parameters()}
    method.update(site_episode(slices))
    moved = {name for name, p in method.net.named_parameters() if not p.equal(before[name])}
    assert moved
    assert all(before[name].ndim == 1 or ".code." in name for name in moved)
