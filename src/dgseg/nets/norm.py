"""Group normalisation with a leaky rectifier that can be differentiated twice, fast.

Once a gradient has to be differentiable itself, PyTorch takes group
normalisation apart into some twenty operations on whole images, and
differentiates each of these. Here the first derivative stays one operation, in
the memory format that it is fast in, and the second is written out: five sums for each image and channel, then two
linear combinations of images. What is computed in float32 is computed a block
at a time, which stays in the processor's cache. All this on CPUs, within
`dgseg.nets.twice.differentiated_twice`, and where it is faster anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812

from dgseg.nets.twice import is_differentiated_twice

_aten = torch.ops.aten
_BLOCK = 1 << 16
"""Values of an image that are computed on at a time: some 256 KiB in float32."""
_LANES = 16
"""For groups of fewer channels PyTorch's own gradient is slow in bfloat16, channels-last."""


def normalise(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, *, slope: float, eps: float = 1e-5
) -> Tensor:
    """Group normalisation (Wu and He, ECCV 2018), scale, offset and leaky rectifier.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
        Means and variances are float32's whatever its type.
    weight, bias : Tensor, shape (C,) or (N, C)
        Scale and offset of each channel, or of each channel of each image, as
        in adaptive instance normalisation (Huang and Belongie, ICCV 2017).
    groups : int
        Of channels that share a mean and a variance; divides C.
    slope : float
        Of the rectifier for negative values; positive.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor, shape (N, C, H, W)
        Of the type of `x`.
    """
    if _differentiates(x, weight, groups):
        out: Tensor = _Normalise.apply(x, weight, bias, groups, slope, eps)
        return out
    if weight.ndim == 1:
        return F.leaky_relu_(F.group_norm(x, groups, weight, bias, eps), slope)
    found = F.group_norm(x, groups, eps=eps)
    found = torch.addcmul(_wide(bias, found), _wide(weight, found), found)
    return F.leaky_relu_(found, slope)


def _differentiates(x: Tensor, weight: Tensor, groups: int) -> bool:
    if x.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    return is_differentiated_twice(x) or _slow(x, groups) or _crashes(x, weight)


def _crashes(x: Tensor, weight: Tensor) -> bool:
    """Whether the scale of an image from a frozen layer is learnt, channels last.

    There PyTorch's own gradient (2.13) writes to the image's, which it has not made.
    """
    return weight.requires_grad and not x.requires_grad and not x.is_contiguous()


class FusedSequential(nn.Sequential):
    """`torch.nn.Sequential`, in which a group normalisation and a leaky rectifier are one."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """All layers, one after the other."""
        x = input
        layers = iter(self)
        for layer in layers:
            if not isinstance(layer, nn.GroupNorm):
                x = layer(x)
                continue
            rectifier = next(layers)
            assert isinstance(rectifier, nn.LeakyReLU)
            x = normalise(
                x,
                layer.weight,
                layer.bias,
                layer.num_groups,
                slope=rectifier.negative_slope,
                eps=layer.eps,
            )
        return x


class _Normalise(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        groups: int,
        slope: float,
        eps: float,
    ) -> Tensor:
        x = x.contiguous(memory_format=_layout(x))
        seen, scale, offset, n_groups = _own_scales(x, weight, bias, groups)
        y, mean, deviation = torch.native_group_norm(
            seen, scale, offset, *_sizes(seen), n_groups, eps
        )
        y = y.view(x.shape).contiguous(memory_format=_layout(x))
        mean, deviation = (t.view(len(x), groups) for t in (mean, deviation))
        _aten.leaky_relu_(y, slope)
        ctx.save_for_backward(x, weight, y, mean, deviation)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        found = _NormaliseBackward.apply(grads[0], *ctx.saved_tensors, ctx.slope)
        return (*found, None, None, None)


class _NormaliseBackward(Function):
    @staticmethod
    def forward(
        ctx: Any,
        grad: Tensor,
        x: Tensor,
        weight: Tensor,
        y: Tensor,
        mean: Tensor,
        deviation: Tensor,
        slope: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        grad = _aten.leaky_relu_backward(grad, y, slope, True)
        grad = grad.contiguous(memory_format=_layout(x))
        ctx.save_for_backward(grad, x, weight, y, mean, deviation)
        ctx.slope = slope
        return _first(grad, x, weight, mean, deviation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        grad, x, weight, y, mean, deviation = ctx.saved_tensors
        statistics = _Statistics(x, mean, deviation)
        u, v, b = grads
        for_grad, for_x, for_weight = _second(u, v, b, grad, x, weight, statistics)
        for_grad = _aten.leaky_relu_backward(for_grad, y, ctx.slope, True)
        return for_grad, for_x, for_weight, None, None, None, None


class _Statistics:
    """Mean m and inverse deviation r of each image and channel, (N, C)."""

    def __init__(self, x: Tensor, mean: Tensor, deviation: Tensor) -> None:
        self.groups = mean.shape[1]
        self.n_channels = x.shape[1] // self.groups
        self.n_values = self.n_channels * x.shape[2] * x.shape[3]
        dtype = torch.promote_types(x.dtype, torch.float32)
        self.m = mean.to(dtype).repeat_interleave(self.n_channels, 1)
        self.r = deviation.to(dtype).repeat_interleave(self.n_channels, 1)

    def over_group(self, sums: Tensor) -> Tensor:
        """Means over the values of a group from sums (N, C), for each channel."""
        of_groups = sums.unflatten(1, (self.groups, self.n_channels)).sum(dim=2)
        return (of_groups / self.n_values).repeat_interleave(self.n_channels, 1)

    def normalised(self, sums_x: Tensor, sums: Tensor) -> Tensor:
        """Sums with the normalised images, from those with the images and without."""
        return self.r * (sums_x - self.m * sums)


def _first(
    g: Tensor, x: Tensor, weight: Tensor, mean: Tensor, deviation: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients for images, scale and offset from that for the scaled images."""
    groups, layout = mean.shape[1], _layout(x)
    if _slow(x, groups):
        g, x = g.contiguous(), x.contiguous()
    shape = x.shape
    g = _own_scales(g, weight, weight, groups)[0]
    x, factors, _, groups = _own_scales(x, weight, weight, groups)
    for_x, for_weight, for_bias = _aten.native_group_norm_backward(
        g, x, mean.view(len(x), -1), deviation.view(len(x), -1), factors, *_sizes(x), groups,
        [True, True, True],
    )  # fmt: skip
    for_x = for_x.view(shape).contiguous(memory_format=layout)
    for_weight, for_bias = (t.to(weight.dtype).view_as(weight) for t in (for_weight, for_bias))
    return for_x, for_weight, for_bias


def _own_scales(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int
) -> tuple[Tensor, Tensor, Tensor, int]:
    """What PyTorch needs, whose channels of all images have the same scale.

    Where those of each image have their own, all are channels of one image.
    """
    if weight.ndim == 1:
        return x, weight, bias, groups
    wide = torch.promote_types(weight.dtype, torch.float32)
    weight, bias = (t.to(wide).flatten() for t in (weight, bias))
    return x.contiguous().flatten(0, 1)[None], weight, bias, groups * len(x)


def _second(
    u: Tensor, v: Tensor, b: Tensor, g: Tensor, x: Tensor, weight: Tensor, s: _Statistics
) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives of ``<u, grad_x> + <v, grad_weight> + <b, grad_bias>`` for g, x and weight.

    With x^ = r (x - m), h = w g, means over the values of a group and the
    projection P(t) = r (t - mean(t) - x^ mean(t x^)):

    - for g: ``w P(u) + v x^ + b``;
    - for x: ``P(q) - r^2 x^ (mean(u h) - mean(u) mean(h) - mean(u x^) mean(h x^))``
      with ``q = v g - r (mean(h x^) u + mean(u x^) h)``;
    - for weight: the sum of ``g P(u)``.
    """
    r, mean = s.r, s.over_group
    sum_u, sum_g, sum_ux, sum_gx, sum_ug = _sums(
        (u, g, x), lambda u, g, x: (u, g, u * x, g * x, u * g), s.m
    )
    sum_ux, sum_gx = s.normalised(sum_ux, sum_u), s.normalised(sum_gx, sum_g)
    u_, ux, h, hx = mean(sum_u), mean(sum_ux), mean(weight * sum_g), mean(weight * sum_gx)
    uh, vg, vgx = mean(weight * sum_ug), mean(v * sum_g), mean(v * sum_gx)

    g_of_u = weight * r
    g_of_x = r * (v - weight * r * ux)
    g_rest = b - weight * r * u_ - g_of_x * s.m

    q, qx = vg - r * (hx * u_ + ux * h), vgx - 2 * r * hx * ux
    x_of_u = -r.square() * hx
    x_of_g = r * (v - r * ux * weight)
    x_of_x = -r.square() * (qx + r * (uh - u_ * h - ux * hx))
    x_rest = -r * q - x_of_x * s.m

    for_g, for_x = _combined(
        (u, g, x), [(g_rest, g_of_u, None, g_of_x), (x_rest, x_of_u, x_of_g, x_of_x)]
    )
    for_weight = r * (sum_ug - u_ * sum_g - ux * sum_gx)
    if weight.ndim == 1:
        for_weight = for_weight.sum(dim=0)
    return for_g, for_x, for_weight.to(weight.dtype)


def _slow(x: Tensor, groups: int) -> bool:
    few = x.shape[1] // groups < _LANES and not x.is_contiguous()
    return few and x.dtype == torch.bfloat16


def _sums(
    images: tuple[Tensor, ...], products: Callable[..., tuple[Tensor, ...]], like: Tensor
) -> list[Tensor]:
    """Sums over the pixels, (N, C), of some products of images."""
    found: list[Tensor] = []
    for block in _blocks(images[0]):
        terms = products(*(_wide_block(image, block) for image in images))
        found = found or [torch.zeros_like(like) for _ in terms]
        for total, term in zip(found, terms, strict=True):
            total[block[0]] += term.sum(dim=(2, 3))
    return found


def _combined(
    images: tuple[Tensor, ...], rows: Sequence[tuple[Tensor | None, ...]]
) -> list[Tensor]:
    """For each row of factors (N, C): the first, plus each other times its image."""
    found = [torch.empty_like(images[0]) for _ in rows]
    for block in _blocks(images[0]):
        parts = [_wide_block(image, block) for image in images]
        for out, (rest, *factors) in zip(found, rows, strict=True):
            assert rest is not None
            total = rest[block[0], :, None, None]
            for factor, part in zip(factors, parts, strict=True):
                if factor is not None:
                    total = torch.addcmul(total, factor[block[0], :, None, None], part)
            out[block] = total
    return found


def _blocks(x: Tensor) -> Iterator[tuple[slice, slice, slice]]:
    """Whole images, or rows of one, of about `_BLOCK` values."""
    n, channels, height, width = x.shape
    rows = max(1, _BLOCK // (channels * width))
    step = max(1, rows // height)
    for first in range(0, n, step):
        for row in range(0, height, rows):
            yield slice(first, first + step), slice(None), slice(row, row + rows)


def _wide_block(image: Tensor, block: tuple[slice, slice, slice]) -> Tensor:
    return image[block].to(torch.promote_types(image.dtype, torch.float32))


def _wide(factors: Tensor, like: Tensor) -> Tensor:
    return factors.to(like.dtype)[..., None, None]


def _sizes(x: Tensor) -> tuple[int, int, int]:
    return x.shape[0], x.shape[1], x.shape[2] * x.shape[3]


def _layout(x: Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format
