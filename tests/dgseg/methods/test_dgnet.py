"""DGNet's step: its terms, its orders, and what it learns from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dgseg.errors import MethodError
from dgseg.methods import dgnet as dgnet_module
from dgseg.methods.base import Batch, DomainBatch

AT_META_TEST = {"task", "reconstruction", "classification", "consistency"}
WEIGHTS = (
    "task_weight",
    "reconstruction_weight",
    "kl_weight",
    "hsic_weight",
    "classification_weight",
    "rank_weight",
    "latent_weight",
    "consistency_weight",
)


# What the loss is made of -------------------------------------------------------------------


def test_loss_is_the_weighted_sum_of_its_terms(dgnet, domains, all_terms, gradients):
    _, report = gradients(dgnet(**all_terms), domains(size=16))
    expected = sum(
        all_terms[f"{name.removesuffix(' held out')}_weight"] * term
        for name, term in report.items()
        if name != "loss"
    )
    torch.testing.assert_close(report["loss"], expected)


def test_at_meta_test_there_are_the_terms_of_equation_5_alone(
    dgnet, domains, all_terms, gradients
):
    _, report = gradients(dgnet(**all_terms), domains(size=16))
    held_out = {name for name in report if name.endswith(" held out")}
    assert held_out == {f"{name} held out" for name in AT_META_TEST}
    learnt = set(report) - held_out - {"loss"}
    assert learnt == AT_META_TEST | {"kl", "hsic", "rank", "latent"}


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_weight_of_zero_takes_away_its_term_and_no_other(
    dgnet, domains, all_terms, weight, gradients
):
    # Without an inner step the terms at meta-test do not depend on those at meta-train.
    data, settings = domains(size=16), all_terms | {"step_size": 0.0}
    _, whole = gradients(dgnet(**settings), data)
    _, rest = gradients(dgnet(**settings | {weight: 0.0}), data)
    name = weight.removesuffix("_weight")
    taken = {name, f"{name} held out"} & set(whole)
    assert set(whole) - set(rest) == taken
    for kept in set(rest) - {"loss"}:
        assert torch.equal(rest[kept], whole[kept]), kept
    missing = all_terms[weight] * sum(whole[term] for term in taken)
    torch.testing.assert_close(whole["loss"] - rest["loss"], missing, atol=1e-4, rtol=1e-4)


def test_no_weight_no_change(dgnet, domains, all_terms, gradients):
    nothing = dict.fromkeys(all_terms, 0.0)
    learner = dgnet(**nothing)
    found, report = gradients(learner, domains(size=16))
    assert {name: float(term) for name, term in report.items()} == {"loss": 0.0}
    assert all(not g.any() for g in found.values())


def test_anatomy_of_as_many_channels_as_classes_has_no_rank_to_lose(dgnet, domains, gradients):
    _, report = gradients(dgnet(anatomy_channels=3), domains(size=16))
    assert "rank" not in report
    assert torch.isfinite(report["loss"])


def test_too_few_slices_for_an_estimate_of_dependence(dgnet, domains, gradients):
    data = domains(size=16, labelled=1, unlabelled=1)
    _, report = gradients(dgnet(hsic="unbiased"), data)
    assert "hsic" not in report


def test_pixels_from_outside_do_not_count(dgnet, domains, gradients):
    far = dgnet(augment={"translation_px": 1000.0})
    _, report = gradients(far, domains(size=16))
    for name in ("task", "reconstruction", "task held out", "reconstruction held out"):
        assert report[name] == 0


def test_labels_that_nobody_vouches_for_do_not_teach(dgnet, domains, gradients):
    data, results = domains(size=16), []
    marks = torch.zeros(2, 16, 16, dtype=torch.bool)
    marks[:, 4:9] = True
    for nonsense in (0, 2):
        marked = {
            name: DomainBatch(
                Batch(d.labelled.images, d.labelled.labels.where(marks, nonsense), marks),
                d.unlabelled,
            )
            for name, d in data.domains.items()
        }
        results.append(gradients(dgnet(), replace(data, domains=marked))[0])
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


# Whom it learns from ------------------------------------------------------------------------


def with_other_unlabelled(data, name):
    d = data.domains[name]
    changed = DomainBatch(d.labelled, Batch(1 - d.unlabelled.images))
    return replace(data, domains=dict(data.domains) | {name: changed})


@pytest.mark.usefixtures("first_held_out")
@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("order", [1, 2])
def test_unlabelled_slices_of_every_domain_change_the_gradient(
    dgnet, domains, name, order, gradients, difference
):
    """Whether the domain is learnt from (b) or held out (a), and in every part but the task's."""
    data = domains(size=16)
    plain, _ = gradients(dgnet(order=order, clip_norm=0.0), data)
    other, _ = gradients(dgnet(order=order, clip_norm=0.0), with_other_unlabelled(data, name))
    assert difference(plain, other) > 0.01
    for part in ("feature", "encoders.0", "encoders.1", "decoder", "classifier"):
        names = [k for k in plain if k.startswith(part)]
        assert any(not torch.equal(plain[k], other[k]) for k in names), part


@pytest.mark.parametrize("steps_apart", [False, True])
def test_a_domain_without_labels_is_learnt_from(dgnet, domains, steps_apart, gradients):
    data = domains(size=16)
    bare = DomainBatch(None, data.domains["b"].unlabelled)
    data = replace(data, domains={"a": data.domains["a"], "b": bare})
    learner, other = dgnet(steps_apart=steps_apart), dgnet(steps_apart=steps_apart)
    _, report = gradients(learner, data)
    assert torch.isfinite(torch.stack(list(report.values()))).all()
    assert report["task"] > 0
    assert "task held out" not in report
    assert any(name.startswith("reconstruction held out") for name in report)
    gradients(other, with_other_unlabelled(data, "b"))
    both = zip(learner.net.parameters(), other.net.parameters(), strict=True)
    assert any(not torch.equal(p, q) for p, q in both)


@pytest.mark.parametrize("steps_apart", [False, True])
def test_labels_of_one_centre_and_scans_of_another_are_enough(
    dgnet, episode, steps_apart, gradients
):
    """The one has no unlabelled slice, the other no labelled one."""
    learner = dgnet(steps_apart=steps_apart)
    found, report = gradients(learner, episode())
    assert report["task"] > 0
    assert found["feature.head.weight"].any()
    assert learner.mean.n_updates == 1 + steps_apart


@pytest.mark.parametrize("unlabelled", [0, 2])
def test_labelled_slices_alone_are_enough(dgnet, domains, unlabelled, gradients):
    _, report = gradients(
        dgnet(consistency_weight=1.0), domains(size=16, unlabelled=unlabelled)
    )
    assert report["task held out"] > 0
    assert ("consistency" in report) == bool(unlabelled)


def test_what_cannot_be_learnt_from_is_refused(dgnet, domains):
    learner = dgnet()
    before = [p.detach().clone() for p in learner.parameters()]
    with pytest.raises(MethodError, match="two domains") as caught:
        learner.update(domains(size=16, names=("a",)))
    assert "deepall" in caught.value.remedy
    with pytest.raises(MethodError, match="no labelled slice"):
        learner.update(domains(size=16, labelled=0))
    with pytest.raises(MethodError, match="tells 2 domains apart, and there are 3"):
        learner.update(domains(size=16, names=("a", "b", "c")))
    assert all(torch.equal(p, q) for p, q in zip(before, learner.parameters(), strict=True))


def test_a_domains_class_is_its_place_among_all(dgnet, domains, monkeypatch, gradients):
    data = domains(size=16, names=("a", "b", "c"))
    data = replace(data, domains={name: data.domains[name] for name in ("c", "a")})
    learner, seen = dgnet(n_domains=3), []
    original = learner._classification
    monkeypatch.setattr(
        learner, "_classification", lambda x, where: (seen.append(where), original(x, where))[1]
    )
    gradients(learner, data)
    assert {tuple(where.tolist()) for where in seen} == {(0,) * 4, (2,) * 4}


# The schedule of orders, and what a bad step does -------------------------------------------


def orders(learner, data, steps, monkeypatch):
    taken, original = [], dgnet_module.meta_gradient

    def spy(*args, **keywords):
        taken.append(keywords["order"])
        return original(*args, **keywords | {"order": 1})

    with monkeypatch.context() as patch:
        patch.setattr(dgnet_module, "meta_gradient", spy)
        for step in steps:
            learner.update(replace(data, step=step))
    return taken


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [2] * 10),
        ({"order": 1}, [1] * 10),
        ({"first_order_share": 0.3}, [1] * 3 + [2] * 7),
        ({"second_order_every": 4}, [2, 1, 1, 1, 2, 1, 1, 1, 2, 1]),
        ({"first_order_share": 0.2, "second_order_every": 3}, [1, 1, 2, 1, 1, 2, 1, 1, 2, 1]),
        ({"first_order_share": 1.0}, [1] * 10),
    ],
)
def test_schedule_of_orders(dgnet, domains, monkeypatch, settings, expected):
    data = domains(size=8, labelled=1, unlabelled=1)
    learner = dgnet(total=10, **settings)
    assert orders(learner, data, range(10), monkeypatch) == expected


def test_what_is_no_number_shows_in_the_terms_and_stops_nothing(
    dgnet, domains, all_terms, gradients
):
    """The training loop names the term; an exception of an eigensolver would not."""
    data = domains(size=16)
    for d in data.domains.values():
        d.unlabelled.images[0, 0, 0, 0] = float("nan")
    _, report = gradients(dgnet(**all_terms), data)
    assert not torch.isfinite(report["loss"])
    assert not torch.isfinite(report["reconstruction"])
    assert torch.isfinite(report["task"])
