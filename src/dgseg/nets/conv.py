"""Convolutions that can be differentiated twice, fast and right in bfloat16.

PyTorch computes the weight's part of a convolution's second derivative by a
convolution whose kernel is as large as the image. On CPUs that is slow, and
in bfloat16 (2.13, oneDNN with AMX) wrong for images of more than about 32
pixels. A convolution is linear in the image and in the weight, so that its
second derivatives are ordinary convolutions and ordinary first derivatives;
here they are computed by those, within `dgseg.nets.twice.differentiated_twice`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from dgseg.nets.twice import is_differentiated_twice

_aten = torch.ops.aten
_NO_DILATION = [1, 1]
_Maybe = Tensor | None


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d` without groups, dilation and padding other than by zeros."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: _Maybe) -> Tensor:  # noqa: A002
        if not is_differentiated_twice(input):
            return super()._conv_forward(input, weight, bias)
        return convolve(input, weight, bias, list(self.stride), _padding(self))


class ConvTranspose2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` without groups, dilation and padding of the output."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002
        """Of an input (N, C, H, W)."""
        if output_size is not None or not is_differentiated_twice(input):
            return super().forward(input, output_size)
        return convolve(
            input,
            self.weight,
            self.bias,
            list(self.stride),
            _padding(self),
            transposed=True,
        )


def convolve(
    images: Tensor,
    weight: Tensor,
    bias: _Maybe,
    stride: list[int],
    padding: list[int],
    *,
    transposed: bool = False,
) -> Tensor:
    """A convolution, in autocast's type where that is on.

    Parameters
    ----------
    images : Tensor, shape (N, C, H, W)
    weight : Tensor, shape (K, C, h, w), or (C, K, h, w) if transposed
    bias : Tensor, shape (K,), or None
    stride, padding : list of int
    transposed : bool

    Returns
    -------
    Tensor, shape (N, K, H', W')
    """
    kind = images.device.type
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
        images, weight = images.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    convolved: Tensor = _Convolution.apply(images, weight, bias, stride, padding, transposed)
    return convolved


def _padding(module: nn.Conv2d | nn.ConvTranspose2d) -> list[int]:
    assert not isinstance(module.padding, str)
    return list(module.padding)


def _conv(x: Tensor, weight: Tensor, bias: _Maybe, how: tuple[Any, ...]) -> Tensor:
    stride, padding, transposed = how
    out: Tensor = _aten.convolution(
        x, weight, bias, stride, padding, _NO_DILATION, transposed, [0, 0], 1
    )
    return out


def _backward(
    grad: Tensor, x: Tensor, weight: Tensor, how: tuple[Any, ...], wanted: list[bool]
) -> list[_Maybe]:
    """Gradients for images, weight and bias."""
    stride, padding, transposed = how
    sizes = [weight.shape[1] if transposed else weight.shape[0]]
    found = _aten.convolution_backward(
        grad, x, weight, sizes, stride, padding, _NO_DILATION, transposed, [0, 0], 1, wanted
    )
    return [g if want else None for g, want in zip(found, wanted, strict=True)]


class _Convolution(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: _Maybe,
        stride: list[int],
        padding: list[int],
        transposed: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = (stride, padding, transposed)
        return _conv(x, weight, bias, ctx.how)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, weight = ctx.saved_tensors
        wanted = list(ctx.needs_input_grad[:3])
        found = _ConvolutionBackward.apply(grads[0], x, weight, ctx.how, wanted)
        return (*found, None, None, None)


class _ConvolutionBackward(Function):
    @staticmethod
    def forward(
        ctx: Any,
        grad: Tensor,
        x: Tensor,
        weight: Tensor,
        how: tuple[Any, ...],
        wanted: list[bool],
    ) -> tuple[_Maybe, ...]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(grad, x, weight)
        ctx.how = how
        return tuple(_backward(grad, x, weight, how, wanted))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        # Of <u, grad_x> + <v, grad_weight> + <b, grad_bias>, where grad_x does not
        # depend on x, nor grad_weight on the weight.
        u, v, b = grads
        grad, x, weight = ctx.saved_tensors
        need_grad, need_x, need_weight = ctx.needs_input_grad[:3]
        for_grad = _for_grad(u, v, b, x, weight, ctx.how) if need_grad else None
        ask_x, ask_weight = need_x and v is not None, need_weight and u is not None
        for_x = for_weight = None
        if ask_x or ask_weight:
            for_x, for_weight, _ = _backward(
                grad,
                x if u is None else u,
                weight if v is None else v,
                ctx.how,
                [ask_x, ask_weight, False],
            )
        return for_grad, for_x, for_weight, None, None


def _for_grad(
    u: _Maybe, v: _Maybe, b: _Maybe, x: Tensor, weight: Tensor, how: tuple[Any, ...]
) -> _Maybe:
    found = None if u is None else _conv(u, weight, b, how)
    if v is None:
        return _spread(b, x, weight, how) if found is None else found
    along = _conv(x, v, b if found is None else None, how)
    return along if found is None else found.add_(along)


def _spread(b: _Maybe, x: Tensor, weight: Tensor, how: tuple[Any, ...]) -> _Maybe:
    return None if b is None else _conv(x, torch.zeros_like(weight), b, how)
