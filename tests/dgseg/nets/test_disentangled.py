"""Anatomy, style and domain of slices of any size, and slices of any three of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dgseg.errors import BundleError
from dgseg.nets.build import build, count_parameters
from dgseg.nets.config import DisentangledConfig
from dgseg.nets.disentangled import DisentangledNet

DESCRIPTION = {
    "kind": "disentangled",
    "n_classes": 3,
    "width": 4,
    "depth": 3,
    "groups": 2,
    "n_domains": 3,
    "anatomy_channels": 5,
    "style_dims": 4,
    "domain_dims": 2,
}
KINDS = ["none", "sigmoid", "softmax", "binary"]


def make(**change):
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return build(DESCRIPTION | change).eval()


NET = make()


def codes_of(net, images):
    codes = net.encode(images)
    return (
        codes.style_mean,
        codes.style_log_variance,
        codes.domain_mean,
        codes.domain_log_variance,
    )


def painted(net, images):
    codes = net.encode(images)
    return net.decode(net.anatomy(images), codes.style_mean, codes.domain_mean)


def everything(net, images):
    """All that a net says about images, one row a slice."""
    found = [net(images), net.anatomy(images), painted(net, images), *codes_of(net, images)]
    return [*found, net.classify(net.encode(images).domain_mean)]


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 50),
    width=st.integers(1, 50),
    encoders=st.sampled_from(["separate", "shared"]),
)
def test_any_size_comes_back(height, width, encoders):
    net = NET if encoders == "separate" else SHARED
    assume(height * width > 1)  # AdaIN takes the deviation of pixels
    images = torch.rand(2, 1, height, width)
    with torch.no_grad():
        found = everything(net, images)
    size = (height, width)
    shapes = [(3, *size), (5, *size), (1, *size), (4,), (4,), (2,), (2,), (3,)]
    assert [x.shape for x in found] == [(2, *shape) for shape in shapes]
    assert all(x.isfinite().all() for x in found)
    assert found[2].min() >= 0
    assert found[2].max() <= 1


SHARED = make(encoders="shared")


@pytest.mark.parametrize("images", [torch.zeros(1, 1, 16, 16), torch.ones(2, 1, 17, 9)])
def test_empty_slices_have_finite_gradients(images):
    net = make()
    sum(x.square().sum() for x in everything(net, images)).backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("encoders", ["separate", "shared"])
@pytest.mark.parametrize("kind", KINDS)
def test_slices_do_not_leak_into_each_other(kind, encoders):
    net = make(anatomy=kind, encoders=encoders).train()
    images = torch.rand(3, 1, 24, 20)
    other = images.clone()
    other[0], other[2] = 100 * torch.rand(1, 24, 20), 0.0
    with torch.no_grad():
        before, after = everything(net, images), everything(net, other)
        alone = everything(net, images[1:2])
    for first, second, third in zip(before, after, alone, strict=True):
        torch.testing.assert_close(first[1], second[1])
        torch.testing.assert_close(first[1], third[0])
        assert not torch.allclose(first[0], second[0])


@pytest.mark.parametrize("encoders", ["separate", "shared"])
def test_no_gradient_from_one_slice_to_another(encoders):
    net = make(encoders=encoders)
    images = torch.rand(3, 1, 16, 16, requires_grad=True)
    total = sum(x[1].square().sum() for x in everything(net, images))
    (gradient,) = torch.autograd.grad(total, images)
    assert not gradient[[0, 2]].any()
    assert gradient[1].any()


@pytest.mark.parametrize("encoders", ["separate", "shared"])
def test_evaluation_is_the_same_every_time_and_as_in_training(encoders):
    net = make(encoders=encoders)
    images = torch.rand(2, 1, 20, 20)
    with torch.no_grad():
        first, second = everything(net, images), everything(net, images)
        third = everything(net.train(), images)
    for a, b, c in zip(first, second, third, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


@pytest.mark.parametrize("encoders", ["separate", "shared"])
def test_swapped_codes_change_the_slice_and_not_its_anatomy(encoders):
    net = make(encoders=encoders)
    images = torch.stack([torch.rand(1, 24, 24), 0.2 * torch.rand(1, 24, 24) + 0.5])
    with torch.no_grad():
        z, codes = net.anatomy(images), net.encode(images)
        s, d = codes.style_mean, codes.domain_mean
        own = net.decode(z, s, d)
        for swapped in (net.decode(z, s.flip(0), d), net.decode(z, s, d.flip(0))):
            assert swapped.shape == images.shape
            assert ((swapped >= 0) & (swapped <= 1)).all()
            assert (swapped - own).abs().max() > 1e-4
        both = net.decode(z, s.flip(0), d.flip(0))
        torch.testing.assert_close(net.decode(z.flip(0), s, d).flip(0), both)
        drawn = net.decode(z, 3 * torch.randn(2, 4), 3 * torch.randn(2, 2))
        assert drawn.isfinite().all()


def test_decoding_in_other_sizes_and_batches():
    with torch.no_grad():
        z = NET.anatomy(torch.rand(1, 1, 9, 14)).expand(4, -1, -1, -1)
        codes = NET.encode(torch.rand(4, 1, 40, 31))
        assert NET.decode(z, codes.style_mean, codes.domain_mean).shape == (4, 1, 9, 14)


@pytest.mark.parametrize("encoders", ["separate", "shared"])
def test_codes_follow_brightness_and_contrast(encoders):
    """What normalisation alone would hide from the encoders."""
    net = make(encoders=encoders)
    image = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        plain = net.encode(image).style_mean
        for changed in (image + 0.3, 0.5 * image):
            assert (net.encode(changed).style_mean - plain).abs().max() > 1e-3


def test_anatomy_is_what_it_says():
    images = torch.rand(2, 1, 16, 16)
    nets = {kind: make(anatomy=kind) for kind in KINDS}
    with torch.no_grad():
        found = {kind: net.anatomy(images) for kind, net in nets.items()}
    raw = found["none"]
    torch.testing.assert_close(found["sigmoid"], raw.sigmoid())
    torch.testing.assert_close(found["softmax"], raw.softmax(dim=1))
    torch.testing.assert_close(found["binary"], found["softmax"].round())
    torch.testing.assert_close(found["softmax"].sum(dim=1), torch.ones(2, 16, 16))


def test_rounding_lets_the_gradient_of_the_unrounded_through():
    """With the same weight of every pixel, the two are told apart by values alone."""
    images, weights = torch.rand(2, 1, 16, 16), torch.randn(2, 5, 16, 16)
    gradients = []
    for kind in ("softmax", "binary"):
        net = make(anatomy=kind)
        (net.anatomy(images) * weights).sum().backward()
        gradients.append([p.grad for p in net.feature.parameters()])
    for soft, rounded in zip(*gradients, strict=True):
        torch.testing.assert_close(rounded, soft)
        assert soft.any()


def test_first_channels_are_the_logits():
    net = make(task="first-channels", anatomy="none")
    images = torch.rand(2, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(net(images), net.anatomy(images)[:, :3])
    assert count_parameters(net.task) == 0


def test_segmentation_goes_through_anatomy_alone():
    images = torch.rand(2, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(NET(images), NET.segment(NET.anatomy(images)))
    net = make()
    net(images).sum().backward()
    used = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert used == {"feature", "task"}


def test_each_code_has_its_encoder_unless_shared():
    images = torch.rand(2, 1, 16, 16)
    net = make()
    net.encode(images).style_mean.sum().backward()
    touched = [any(p.grad is not None for p in e.parameters()) for e in net.encoders]
    assert touched == [True, False]
    assert len(SHARED.encoders) == 1
    assert count_parameters(SHARED.encoders) < count_parameters(NET.encoders)


@pytest.mark.parametrize("change", [{}, {"encoders": "shared"}, {"upsampling": "transposed"}])
def test_every_parameter_is_of_use(change):
    net = make(**change)
    sum(x.square().sum() for x in everything(net, torch.rand(2, 1, 24, 24))).backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


def test_several_channels_of_an_image():
    net = make(in_channels=2)
    with torch.no_grad():
        assert painted(net, torch.rand(3, 2, 12, 10)).shape == (3, 2, 12, 10)


def test_bfloat16_is_close_and_comes_out_in_float32():
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        exact = everything(NET, images)
        with torch.autocast("cpu", torch.bfloat16):
            rough = everything(NET, images)
    for a, b in zip(exact, rough, strict=True):
        assert (a - b.float()).abs().max() < 0.1 * max(1.0, float(a.abs().max()))
    assert all(x.dtype == torch.float32 for x in rough[1:7])


def test_signal_keeps_its_size_at_the_start():
    net = build({"kind": "disentangled", "n_classes": 4, "width": 16, "n_domains": 3})
    images = torch.rand(4, 1, 64, 64)
    with torch.no_grad():
        codes, made = net.encode(images), painted(net, images)
        raw = net.feature(images)
    assert 0.1 < raw.std() < 10
    assert codes.style_mean.abs().max() < 5
    assert codes.domain_log_variance.abs().max() < 5
    assert 0.02 < made.std() < 0.5


def test_learns_to_paint_a_slice():
    net = make().train()
    images = torch.zeros(2, 1, 16, 16)
    images[0, :, 4:12, 4:12] = 0.9
    images[1, :, 2:8, 6:14] = 0.4
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    errors = []
    for _ in range(60):
        optimiser.zero_grad()
        error = (painted(net, images) - images).abs().mean()
        error.backward()
        optimiser.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.3 * errors[0]


def test_same_seed_same_weights():
    first, second = make().state_dict(), make().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_description_round_trips():
    config = DisentangledConfig(**{k: v for k, v in DESCRIPTION.items() if k != "kind"})
    first, second = build(config.model_dump()), build(config.model_dump())
    assert isinstance(first, DisentangledNet)
    second.load_state_dict(first.state_dict())
    images = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(first(images), second(images))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_domains": 0}, "n_domains"),
        ({"style_dims": 0}, "style_dims"),
        ({"domain_dims": 257}, "domain_dims"),
        ({"anatomy": "gumbel"}, "anatomy"),
        ({"encoders": "three"}, "encoders"),
        ({"task": "none"}, "task"),
        ({"task": "first-channels", "anatomy_channels": 2}, "cannot hold 3 classes"),
        ({"width": 5}, "2 groups do not divide"),
        ({"dropout": 0.5}, "dropout"),
    ],
)
def test_foreign_descriptions_are_refused(change, said):
    with pytest.raises(BundleError, match=said) as caught:
        build(DESCRIPTION | change)
    assert caught.value.remedy
