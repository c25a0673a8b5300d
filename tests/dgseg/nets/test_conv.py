from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import grad, gradcheck, gradgradcheck

from dgseg.nets.conv import Conv2d, ConvTranspose2d, convolve
from dgseg.nets.twice import differentiated_twice

CASES = [([1, 1], [1, 1], 3, False), ([2, 2], [1, 1], 3, False), ([2, 2], [0, 0], 2, True)]


@pytest.mark.parametrize(("stride", "padding", "kernel", "transposed"), CASES)
def test_first_and_second_derivatives(stride, padding, kernel, transposed):
    torch.manual_seed(0)
    shape = (2, 3) if transposed else (3, 2)
    x = torch.randn(2, 2, 6, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(*shape, kernel, kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def of(*inputs):
        return convolve(*inputs, stride, padding, transposed=transposed)

    assert gradcheck(of, (x, weight, bias))
    assert gradgradcheck(of, (x, weight, bias))


def test_images_that_need_no_gradient():
    torch.manual_seed(0)
    x = torch.randn(2, 2, 6, 5, dtype=torch.float64)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert gradgradcheck(lambda w: convolve(x, w, None, [1, 1], [1, 1]).sin(), (weight,))


@pytest.mark.parametrize("ask", ["x", "weight", "bias"])
def test_the_derivative_of_one_gradient_alone(ask):
    torch.manual_seed(0)
    leaves = {
        "x": torch.randn(1, 2, 6, 6, dtype=torch.float64, requires_grad=True),
        "weight": torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True),
        "bias": torch.randn(3, dtype=torch.float64, requires_grad=True),
    }

    def second(convolution):
        y = convolution(*leaves.values(), [1, 1], [1, 1])
        (first,) = grad(y.pow(3).sum(), leaves[ask], create_graph=True)
        return grad(first.square().sum(), list(leaves.values()))

    for ours, theirs in zip(second(convolve), second(nn.functional.conv2d), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("size", [16, 48])
def test_second_derivatives_are_right_in_bfloat16(size):
    """PyTorch's own are off by their whole size for large images, on some CPUs."""
    torch.manual_seed(0)
    x = torch.randn(2, 8, size, size)
    direction = torch.randn(2, 8, size, size)
    weight = torch.randn(8, 8, 3, 3)

    def second(dtype):
        image, kernel = x.to(dtype).requires_grad_(), weight.to(dtype).requires_grad_()
        y = convolve(image, kernel, None, [1, 1], [1, 1])
        (first,) = grad(y, image, torch.ones_like(y) * 0.5, create_graph=True)
        return grad(first, kernel, direction.to(dtype))[0].double()

    exact = second(torch.float64)
    assert (second(torch.bfloat16) - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize(
    ("ours", "theirs", "kernel"),
    [(Conv2d, nn.Conv2d, 3), (ConvTranspose2d, nn.ConvTranspose2d, 2)],
)
def test_the_modules_are_torchs(ours, theirs, kernel):
    torch.manual_seed(0)
    a, b = ours(4, 6, kernel, stride=2), theirs(4, 6, kernel, stride=2)
    b.load_state_dict(a.state_dict())
    x = torch.randn(2, 4, 16, 16)
    torch.testing.assert_close(a(x), b(x))
    with torch.no_grad():
        torch.testing.assert_close(a(x), b(x))
    with torch.autocast("cpu", torch.bfloat16), differentiated_twice():
        assert a(x).dtype == torch.bfloat16
        torch.testing.assert_close(a(x), b(x))
    with differentiated_twice():
        y = a(x)
        assert type(y.grad_fn).__name__ == "_ConvolutionBackward"
    assert type(a(x).grad_fn).__name__ != "_ConvolutionBackward"
    torch.testing.assert_close(y, b(x))
    y.sum().backward()
    b(x).sum().backward()
    torch.testing.assert_close(a.weight.grad, b.weight.grad)
    torch.testing.assert_close(a.bias.grad, b.bias.grad)
