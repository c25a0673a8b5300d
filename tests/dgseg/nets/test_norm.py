from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import grad, gradcheck, gradgradcheck
from torch.nn import functional as F

from dgseg.nets import norm
from dgseg.nets.norm import FusedSequential, normalise
from dgseg.nets.twice import differentiated_twice


@pytest.fixture(autouse=True)
def _twice():
    with differentiated_twice():
        yield


FORMATS = [torch.contiguous_format, torch.channels_last]


def _inputs(shape=(2, 4, 3, 5), *, per_image=False, dtype=torch.float64, layout=None):
    generator = torch.Generator().manual_seed(0)

    def draw(*size):
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    of_factors = shape[:2] if per_image else shape[1:2]
    x = draw(*shape) * 2 + 1
    x = x.to(dtype).contiguous(memory_format=layout or torch.contiguous_format)
    wide = torch.promote_types(dtype, torch.float32)
    return tuple(
        t.requires_grad_()
        for t in (x, draw(*of_factors).to(wide) + 1, draw(*of_factors).to(wide))
    )


def _plain(x, weight, bias, groups):
    found = F.group_norm(x, groups) * weight[..., None, None] + bias[..., None, None]
    return F.leaky_relu(found, 0.01)


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_first_and_second_derivatives(groups, layout, per_image):
    inputs = _inputs(per_image=per_image, layout=layout)

    def of(x, weight, bias):
        # The checks lay their own inputs out anew.
        x = x.contiguous(memory_format=layout)
        return normalise(x, weight, bias, groups, slope=0.01)

    torch.testing.assert_close(of(*inputs), _plain(*inputs, groups))
    assert gradcheck(of, inputs, fast_mode=True)
    assert gradgradcheck(of, inputs, fast_mode=True)


@pytest.mark.parametrize("block", [1, 20, 45, 1 << 16])
def test_blocks_change_nothing(block, monkeypatch):
    monkeypatch.setattr(norm, "_BLOCK", block)
    inputs = _inputs((3, 4, 5, 2), per_image=True)
    along = [torch.ones_like(t) for t in inputs]

    def second(y):
        first = grad(y.sin().sum(), inputs, create_graph=True)
        return (*first, *grad(first, inputs, along))

    ours = second(normalise(*inputs, 2, slope=0.01))
    for a, b in zip(ours, second(_plain(*inputs, 2)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("groups", "size"), [(1, 24), (4, 24), (4, 96)])
def test_bfloat16_is_as_near_as_its_rounding(groups, size):
    inputs = _inputs((2, 32, size, size), dtype=torch.bfloat16, layout=torch.channels_last)
    exact = [t.detach().double().requires_grad_() for t in inputs]

    def all_of(inputs, f):
        y = f(*inputs)
        first = grad(y, inputs, torch.cos(3 * y.detach()), create_graph=True)
        second = grad(first, inputs[:2], [torch.sin(5 * t.detach() + 1) for t in inputs])
        return (y, *first, *second)

    ours = all_of(inputs, lambda *t: normalise(*t, groups, slope=0.01))
    for a, b in zip(ours, all_of(exact, lambda *t: _plain(*t, groups)), strict=True):
        assert a.isfinite().all()
        assert (a.double() - b).norm() < 0.03 * b.norm()


@pytest.mark.parametrize("per_image", [False, True])
def test_inference_gives_the_same(per_image):
    inputs = _inputs((2, 8, 6, 6), per_image=per_image, dtype=torch.float32)
    wanted = normalise(*inputs, 2, slope=0.01)
    with torch.no_grad():
        torch.testing.assert_close(normalise(*inputs, 2, slope=0.01), wanted)
    assert not torch.equal(inputs[0], wanted)


def test_a_sequence_computes_what_its_layers_do():
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(2, 8, 3),
        nn.GroupNorm(2, 8),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Conv2d(8, 3, 1),
    ]
    nn.init.normal_(layers[1].weight)
    images = torch.randn(2, 2, 9, 9)
    fused, plain = FusedSequential(*layers), nn.Sequential(*layers)
    torch.testing.assert_close(fused(images), plain(images))
    assert list(fused.state_dict()) == list(plain.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(fused(images), plain(images))


@pytest.mark.parametrize("twice", [True, False])
def test_gradient_for_the_scale_alone(monkeypatch, twice):
    """Of an image from a frozen layer: PyTorch's own crashes the process in this layout."""
    monkeypatch.setattr(norm, "is_differentiated_twice", lambda x: twice)
    found = []
    for layout in FORMATS:
        x = (
            torch.linspace(-1, 1, 2 * 4 * 6 * 6)
            .square()
            .view(2, 4, 6, 6)
            .contiguous(memory_format=layout)
        )
        weight, bias = (
            torch.full((4,), 1.5, requires_grad=True),
            torch.zeros(4, requires_grad=True),
        )
        out = normalise(x, weight, bias, 2, slope=0.1)
        found.append(grad(out.square().sum(), [weight, bias]))
        assert not x.requires_grad
    for first, second in zip(*found, strict=True):
        torch.testing.assert_close(first, second)
