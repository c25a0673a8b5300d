"""One step of gradient-based meta-learning, exact to second order.

With parameters ``p``, an inner step of size ``a`` and

    p' = p - a * grad L_train(p)                        (DGNet, equation 1)
    L(p) = L_train(p) + L_test(p')                      (equation 2),

the gradient of ``L`` is

    g_train + g_test - a * H g_test,

where ``g_test`` is the gradient of ``L_test`` at ``p'`` and ``H`` the Hessian of
``L_train`` at ``p``. The product with ``H`` is the derivative of ``<g_train, v>``
for a constant ``v = g_test``, so that the graph of the test loss is gone before
that of the training loss is differentiated again: the same number as
differentiating ``L`` as a whole, for less memory. Without the last term the
gradient is of first order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dgseg.methods.dgnet_config import MetaConfig
from dgseg.nets.twice import differentiated_twice

Parameters = Mapping[str, Tensor]
Terms = Mapping[str, Tensor]
Loss = Callable[[Parameters], tuple[Tensor, Terms]]
"""A loss (0-d) and what it is made of, by name, at given parameters."""


@dataclass(frozen=True)
class MetaGradient:
    """What a step of meta-learning found.

    Attributes
    ----------
    gradients : dict of str to Tensor
        Of the whole objective, by parameter; none for parameters that neither
        loss depends on.
    train, test : Tensor
        Both losses, 0-d, detached.
    train_terms, test_terms : dict of str to Tensor
        What they are made of, detached.
    """

    gradients: dict[str, Tensor]
    train: Tensor
    test: Tensor
    train_terms: dict[str, Tensor]
    test_terms: dict[str, Tensor]

    def report(self) -> dict[str, Tensor]:
        """Both losses together, and the terms; those of the held-out domains with a mark."""
        found = {"loss": self.train + self.test} | self.train_terms
        return found | {f"{name} held out": term for name, term in self.test_terms.items()}


def meta_gradient(
    train: Loss,
    test: Loss,
    parameters: Parameters,
    *,
    step_size: float,
    order: Literal[1, 2],
    adapted: Callable[[str], bool] | None = None,
) -> MetaGradient:
    """The gradient of ``L_train(p) + L_test(p - step_size * grad L_train(p))``.

    Parameters
    ----------
    train, test : callable
        The loss on the meta-train and on the meta-test domains. For second
        order, `train` has to be twice differentiable.
    parameters : mapping of str to Tensor
        Leaves that require a gradient. They and their ``grad`` are not changed.
    step_size : float
        ``a`` above; Liu et al. leave it open, their code has 0.001.
    order : {1, 2}
        2 for the exact gradient.
    adapted : callable, optional
        Whether the parameter of a name takes part in the inner step; all if not
        given. The others enter the test loss as they are.

    Returns
    -------
    MetaGradient
    """
    names = list(parameters)
    values = [parameters[name] for name in names]
    with differentiated_twice(order == 2):
        train_loss, train_terms = train(parameters)
    g_train = torch.autograd.grad(
        train_loss, values, create_graph=order == 2, allow_unused=True
    )
    moves = [
        g is not None and (adapted is None or adapted(name))
        for name, g in zip(names, g_train, strict=True)
    ]
    fast = _inner_step(values, g_train, moves, step_size)
    test_loss, test_terms = test(dict(zip(names, fast, strict=True)))
    g_test = torch.autograd.grad(test_loss, fast, allow_unused=True)
    gradients = _added(names, g_train, g_test)
    if order == 2:
        # The values are detached from here on: what was added stays as it is.
        curved = [
            (g, v)
            for g, v, moved in zip(g_train, g_test, moves, strict=True)
            if moved and g is not None and v is not None and g.requires_grad
        ]
        _subtract_curvature(gradients, names, values, curved, step_size)
    return MetaGradient(
        gradients,
        train_loss.detach(),
        test_loss.detach(),
        {name: term.detach() for name, term in train_terms.items()},
        {name: term.detach() for name, term in test_terms.items()},
    )


def order_of(step: int, total_steps: int, config: MetaConfig) -> Literal[1, 2]:
    """Order of a step's gradient: first at the start, then second every so often."""
    first = round(config.first_order_share * total_steps)
    if config.order == 1 or step < first:
        return 1
    return 2 if (step - first) % config.second_order_every == 0 else 1


def _inner_step(
    values: list[Tensor],
    gradients: tuple[Tensor | None, ...],
    moves: list[bool],
    step_size: float,
) -> list[Tensor]:
    """Leaves at ``p'``."""
    with torch.no_grad():
        fast = [
            torch.sub(value, gradient, alpha=step_size)
            if moved and gradient is not None
            else value.detach()
            for value, gradient, moved in zip(values, gradients, moves, strict=True)
        ]
    return [value.requires_grad_() for value in fast]


def _added(
    names: list[str],
    first: tuple[Tensor | None, ...],
    second: tuple[Tensor | None, ...],
) -> dict[str, Tensor]:
    found = {}
    for name, a, b in zip(names, first, second, strict=True):
        if a is not None and b is not None:
            found[name] = a.detach() + b
        elif a is not None:
            found[name] = a.detach().clone()
        elif b is not None:
            found[name] = b
    return found


def _subtract_curvature(
    gradients: dict[str, Tensor],
    names: list[str],
    values: list[Tensor],
    curved: list[tuple[Tensor, Tensor]],
    step_size: float,
) -> None:
    if not curved:
        return
    products = torch.autograd.grad(
        [g for g, _ in curved], values, [v for _, v in curved], allow_unused=True
    )
    for name, product in zip(names, products, strict=True):
        if product is not None:
            gradients[name].sub_(product, alpha=step_size)
