"""The bias field against TorchIO's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.augment.bias import bias_field, n_coefficients


def test_polynomial_by_hand():
    coefficients = torch.randn(3, n_coefficients(), dtype=torch.float64)
    field = bias_field(coefficients.float(), (7, 9))
    x, y = np.linspace(-1, 1, 7)[:, None], np.linspace(-1, 1, 9)[None]
    for n in range(3):
        pairs = [(i, j) for i in range(4) for j in range(4 - i)]
        power = sum(
            float(c) * x**i * y**j for c, (i, j) in zip(coefficients[n], pairs, strict=True)
        )
        np.testing.assert_allclose(field[n, 0].numpy(), np.exp(power), rtol=1e-4)


def test_agrees_with_torchio():
    torchio = pytest.importorskip("torchio")
    order, size = 3, (12, 17)
    ours = torch.linspace(-0.4, 0.5, n_coefficients())[None]
    # TorchIO's polynomial is three-dimensional; the terms in z are left out.
    theirs = [float(ours[0, index]) if k == 0 else 0.0 for index, k in _order_of_terms(order)]
    field = torchio.transforms.BiasField.generate_bias_field(
        torch.zeros(1, *size, 1), order, theirs
    )
    np.testing.assert_allclose(
        bias_field(ours, size, order)[0, 0].numpy(), np.asarray(field).squeeze(), rtol=1e-4
    )


def _order_of_terms(order):
    index = 0
    for i in range(order + 1):
        for j in range(order + 1 - i):
            for k in range(order + 1 - i - j):
                yield index, k
            index += 1


def test_no_coefficients_no_field():
    assert torch.equal(
        bias_field(torch.zeros(2, n_coefficients()), (5, 6)), torch.ones(2, 1, 5, 6)
    )
