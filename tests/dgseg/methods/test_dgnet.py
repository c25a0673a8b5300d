"""DGNet's step: its gradient, its terms, and what it learns from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.func import functional_call

from dgseg.errors import MethodError
from dgseg.methods import dgnet as dgnet_module
from dgseg.methods import disentangling as disentangling_module
from dgseg.methods.base import Batch, DomainBatch

ALL_TERMS = {
    "task_weight": 5.0,
    "reconstruction_weight": 1.0,
    "kl_weight": 0.1,
    "hsic_weight": 0.2,
    "classification_weight": 0.7,
    "rank_weight": 0.1,
    "latent_weight": 0.3,
    "consistency_weight": 2.0,
    "ramp": 0.0,
}
AS_IN_THE_REFERENCE = {
    "step_size": 0.05,
    "dice_weight": 1.0,
    "ce_weight": 1.0,
    "background_dice": True,
    "hsic": "biased",
    "hsic_bandwidth": 1.0,
    "classification": "logits",
    "consistency": "ce",
    "confidence": 0.0,
    "clip_norm": 0.0,
}
"""The bandwidth is fixed, for the median of distances is a constant by definition."""
AT_META_TEST = {"task", "reconstruction", "classification", "consistency"}


@pytest.fixture
def first_held_out(monkeypatch):
    """Domain b is learnt from, a held out, in every step."""
    monkeypatch.setattr(dgnet_module, "split_domains", lambda episode, n_test: (["b"], ["a"]))


def gradients(learner, data, seed=1):
    """Of a step, before any clipping, by parameter; and its report."""
    torch.manual_seed(seed)
    report = learner.update(data)
    return {k: p.grad for k, p in learner.net.named_parameters() if p.grad is not None}, report


def norm_of(gradient):
    return float(torch.stack([g.norm() for g in gradient.values()]).norm())


def difference(first, second):
    """Norm of the difference of two gradients, relative to that of the first."""
    return norm_of({k: first[k] - second[k] for k in first}) / norm_of(first)


# The two-level objective again, from the equations, in float64 ------------------------------


class Parts(nn.Module):
    """All that the losses look at, for given noise."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images, style_noise, domain_noise):
        anatomy, codes = self.net.anatomy(images), self.net.encode(images)
        style = codes.style_mean + (codes.style_log_variance / 2).exp() * style_noise
        domain = codes.domain_mean + (codes.domain_log_variance / 2).exp() * domain_noise
        painted = self.net.decode(anatomy, style, domain)
        again = self.net.encode(painted)
        found = torch.cat([again.style_mean, again.domain_mean], 1)
        return {
            # Logits are squashed before their rank is judged.
            "ranked": anatomy.softmax(1) if self.net.config.anatomy == "none" else anatomy,
            "codes": codes,
            "style": style,
            "domain": domain,
            "logits": self.net.segment(anatomy),
            "recognised": self.net.classify(domain),
            "painted": painted,
            "missed": (found - torch.cat([style, domain], 1)).abs().mean(),
        }


def kl(mean, log_variance):
    return (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2


def dice_and_ce(logits, labels):
    p = logits.softmax(1)
    dice = 0
    for k in range(p.shape[1]):
        here = (labels == k).double()
        overlap, sizes = (p[:, k] * here).sum(), p[:, k].sum() + here.sum()
        dice += (1 - (2 * overlap + 1e-5) / (sizes + 1e-5)) / p.shape[1]
    return dice - logits.log_softmax(1).gather(1, labels[:, None]).mean()


def hsic(x, y, sigma):
    m = len(x)
    k, l = (  # noqa: E741
        torch.exp(-((c[:, None] - c[None]) ** 2).sum(-1) / (2 * sigma**2)) for c in (x, y)
    )
    h = torch.eye(m, dtype=x.dtype) - 1 / m
    return torch.trace(k @ h @ l @ h) / (m - 1) ** 2


def singular_value(anatomy, k):
    matrix = anatomy.transpose(0, 1).flatten(1)
    value = torch.linalg.svdvals(matrix)[k]
    return (2000 * (value**2 / matrix.shape[1] + 1e-8)).sqrt()


def equation_5(seen, view, weights):
    images, labels, place, target = view
    n = len(labels)
    rest = seen["logits"][n:].log_softmax(1)
    recognised = seen["recognised"].log_softmax(1)[:, place].mean()
    return (
        weights["task_weight"] * dice_and_ce(seen["logits"][:n], labels)
        + weights["reconstruction_weight"] * (seen["painted"] - images).abs().mean()
        - weights["classification_weight"] * recognised
        - weights["consistency_weight"] * (target * rest).sum(1).mean()
    )


def equation_4(seen, view, weights):
    codes = seen["codes"]
    both = kl(codes.style_mean, codes.style_log_variance) + kl(
        codes.domain_mean, codes.domain_log_variance
    )
    return (
        equation_5(seen, view, weights)
        + weights["kl_weight"] * both
        + weights["hsic_weight"] * hsic(seen["style"], seen["domain"], 1.0)
        + weights["rank_weight"] * singular_value(seen["ranked"], 3)
        + weights["latent_weight"] * seen["missed"]
    )


class Objective:
    """L_train(p) + L_test(p - a grad L_train(p)) of parameters p by name."""

    def __init__(self, net, start, train, test, noise, step_size):
        self.parts, self.start = Parts(net), start
        self.train, self.test, self.noise, self.step_size = train, test, noise, step_size

    def slope(self, direction, h):
        ends = [
            self(self.start | {k: self.start[k] + side * v for k, v in direction.items()})
            for side in (h, -h)
        ]
        return (ends[0] - ends[1]) / (2 * h)

    def __call__(self, parameters):
        p = {f"net.{k}": v.clone().requires_grad_() for k, v in parameters.items()}
        noise = self.noise
        seen = functional_call(self.parts, p, (self.train[0], *noise[:2]))
        train = equation_4(seen, self.train, ALL_TERMS)
        slopes = torch.autograd.grad(train, list(p.values()))
        with torch.no_grad():
            moved = {
                k: v - self.step_size * g for (k, v), g in zip(p.items(), slopes, strict=True)
            }
            seen = functional_call(self.parts, moved, (self.test[0], *noise[2:]))
            return float(train + equation_5(seen, self.test, ALL_TERMS))


def in_double(data):
    domains = {
        name: DomainBatch(
            Batch(d.labelled.images.double(), d.labelled.labels),
            Batch(d.unlabelled.images.double()),
        )
        for name, d in data.domains.items()
    }
    return replace(data, domains=domains)


def reference_view(data, name, place, teacher):
    d = data.domains[name]
    images = torch.cat([d.labelled.images, d.unlabelled.images])
    with torch.no_grad():
        target = teacher(d.unlabelled.images).softmax(1)
    return images, d.labelled.labels, place, target


@pytest.fixture
def double(monkeypatch):
    """What would be widened to float32 stays in float64."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


@pytest.fixture
def noise(monkeypatch):
    """All noise that codes are drawn with, in its order."""
    drawn, original = [], disentangling_module.reparameterise

    def spy(mean, log_variance):
        drawn.append(torch.randn_like(mean))
        return original(mean, log_variance, drawn[-1])

    monkeypatch.setattr(disentangling_module, "reparameterise", spy)
    return drawn


@pytest.mark.usefixtures("double", "first_held_out")
@pytest.mark.parametrize("anatomy", ["softmax", "none"])
def test_gradient_is_that_of_the_two_level_objective(dgnet, domains, noise, anatomy):
    """All of it, against central differences of the equations, for each part of the network."""
    settings = ALL_TERMS | AS_IN_THE_REFERENCE | {"anatomy": anatomy}
    data = in_double(domains(size=16))
    learner = dgnet(double=True, **settings)
    teacher = learner.mean.net
    views = [reference_view(data, "b", 1, teacher), reference_view(data, "a", 0, teacher)]
    start = {k: p.detach().clone() for k, p in learner.net.named_parameters()}
    found, report = gradients(learner, data)
    objective = Objective(learner.net, start, *views, noise, settings["step_size"])
    assert float(report["loss"]) == pytest.approx(objective(start), rel=1e-10)
    for part in ("feature", "task", "encoders.0", "encoders.1", "classifier", "decoder", ""):
        names = [k for k in found if k.startswith(part)]
        direction = {k: torch.randn_like(found[k]) for k in names}
        length = norm_of(direction)
        direction = {k: v / length for k, v in direction.items()}
        slope = sum(float((found[k] * v).sum()) for k, v in direction.items())
        expected = objective.slope(direction, 1e-6)
        assert slope == pytest.approx(expected, rel=1e-5, abs=1e-6 * norm_of(found)), part
    noise.clear()
    first_order, _ = gradients(dgnet(double=True, order=1, **settings), data)
    assert difference(found, first_order) > 0.01


@pytest.mark.parametrize("adapted", ["all", "published"])
def test_order_is_nothing_without_an_inner_step(dgnet, domains, adapted):
    data = domains(size=16)
    settings = {"step_size": 0.0, "clip_norm": 0.0, "adapted": adapted}
    second, _ = gradients(dgnet(order=2, **settings), data)
    first, _ = gradients(dgnet(order=1, **settings), data)
    assert first.keys() == second.keys()
    assert difference(second, first) < 1e-5
    moved, _ = gradients(dgnet(order=2, **settings | {"step_size": 0.05}), data)
    assert difference(second, moved) > 0.01


def test_half_precision_gives_nearly_the_same_gradient(dgnet, domains):
    data = domains(size=16)
    whole, _ = gradients(dgnet(clip_norm=0.0), data)
    half, _ = gradients(dgnet(clip_norm=0.0, precision="bf16-mixed"), data)
    assert all(g.dtype == torch.float32 for g in half.values())
    assert 0 < difference(whole, half) < 0.2


# What the loss is made of -------------------------------------------------------------------


def weights_of(report):
    names = {name.removesuffix(" held out") for name in report} - {"loss"}
    return {name: ALL_TERMS[f"{name}_weight"] for name in names}


def test_loss_is_the_weighted_sum_of_its_terms(dgnet, domains):
    _, report = gradients(dgnet(**ALL_TERMS), domains(size=16))
    weights = weights_of(report)
    expected = sum(
        weights[name.removesuffix(" held out")] * term
        for name, term in report.items()
        if name != "loss"
    )
    torch.testing.assert_close(report["loss"], expected)


def test_at_meta_test_there_are_the_terms_of_equation_5_alone(dgnet, domains):
    _, report = gradients(dgnet(**ALL_TERMS), domains(size=16))
    held_out = {name for name in report if name.endswith(" held out")}
    assert held_out == {f"{name} held out" for name in AT_META_TEST}
    learnt = set(report) - held_out - {"loss"}
    assert learnt == AT_META_TEST | {"kl", "hsic", "rank", "latent"}


@pytest.mark.parametrize("weight", [name for name in ALL_TERMS if name != "ramp"])
def test_a_weight_of_zero_takes_away_its_term_and_no_other(dgnet, domains, weight):
    # Without an inner step the terms at meta-test do not depend on those at meta-train.
    data, settings = domains(size=16), ALL_TERMS | {"step_size": 0.0}
    _, whole = gradients(dgnet(**settings), data)
    _, rest = gradients(dgnet(**settings | {weight: 0.0}), data)
    name = weight.removesuffix("_weight")
    taken = {name, f"{name} held out"} & set(whole)
    assert set(whole) - set(rest) == taken
    for kept in set(rest) - {"loss"}:
        assert torch.equal(rest[kept], whole[kept]), kept
    missing = ALL_TERMS[weight] * sum(whole[term] for term in taken)
    torch.testing.assert_close(whole["loss"] - rest["loss"], missing, atol=1e-4, rtol=1e-4)


def test_no_weight_no_change(dgnet, domains):
    nothing = dict.fromkeys(ALL_TERMS, 0.0)
    learner = dgnet(**nothing)
    found, report = gradients(learner, domains(size=16))
    assert {name: float(term) for name, term in report.items()} == {"loss": 0.0}
    assert all(not g.any() for g in found.values())


def test_anatomy_of_as_many_channels_as_classes_has_no_rank_to_lose(dgnet, domains):
    _, report = gradients(dgnet(anatomy_channels=3), domains(size=16))
    assert "rank" not in report
    assert torch.isfinite(report["loss"])


def test_too_few_slices_for_an_estimate_of_dependence(dgnet, domains):
    data = domains(size=16, labelled=1, unlabelled=1)
    _, report = gradients(dgnet(hsic="unbiased"), data)
    assert "hsic" not in report


def test_pixels_from_outside_do_not_count(dgnet, domains):
    far = dgnet(augment={"translation_px": 1000.0})
    _, report = gradients(far, domains(size=16))
    for name in ("task", "reconstruction", "task held out", "reconstruction held out"):
        assert report[name] == 0


def test_labels_that_nobody_vouches_for_do_not_teach(dgnet, domains):
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
def test_unlabelled_slices_of_every_domain_change_the_gradient(dgnet, domains, name, order):
    """Whether the domain is learnt from (b) or held out (a), and in every part but the task's."""
    data = domains(size=16)
    plain, _ = gradients(dgnet(order=order, clip_norm=0.0), data)
    other, _ = gradients(dgnet(order=order, clip_norm=0.0), with_other_unlabelled(data, name))
    assert difference(plain, other) > 0.01
    for part in ("feature", "encoders.0", "encoders.1", "decoder", "classifier"):
        names = [k for k in plain if k.startswith(part)]
        assert any(not torch.equal(plain[k], other[k]) for k in names), part


@pytest.mark.parametrize("steps_apart", [False, True])
def test_a_domain_without_labels_is_learnt_from(dgnet, domains, steps_apart):
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
def test_labels_of_one_centre_and_scans_of_another_are_enough(dgnet, episode, steps_apart):
    """The one has no unlabelled slice, the other no labelled one."""
    learner = dgnet(steps_apart=steps_apart)
    found, report = gradients(learner, episode())
    assert report["task"] > 0
    assert found["feature.head.weight"].any()
    assert learner.mean.n_updates == 1 + steps_apart


@pytest.mark.parametrize("unlabelled", [0, 2])
def test_labelled_slices_alone_are_enough(dgnet, domains, unlabelled):
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


def test_a_domains_class_is_its_place_among_all(dgnet, domains, monkeypatch):
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


def test_what_is_no_number_shows_in_the_terms_and_stops_nothing(dgnet, domains):
    """The training loop names the term; an exception of an eigensolver would not."""
    data = domains(size=16)
    for d in data.domains.values():
        d.unlabelled.images[0, 0, 0, 0] = float("nan")
    _, report = gradients(dgnet(**ALL_TERMS), data)
    assert not torch.isfinite(report["loss"])
    assert not torch.isfinite(report["reconstruction"])
    assert torch.isfinite(report["task"])
