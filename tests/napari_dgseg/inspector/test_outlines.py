"""Where the names of domains are written."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dgseg.inspector.outlines import outwards
from napari_dgseg.inspector.points import Outline

ANGLES = np.linspace(0, 2 * np.pi, 64)
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def _outlines(*middles):
    return [Outline("a", CIRCLE + middle, np.array(middle, float)) for middle in middles]


def test_names_are_where_domains_part():
    apart = _outlines((-5, 0), (5, 0))
    assert outwards(apart, 0)[0] < -0.9
    assert outwards(apart, 1)[0] > 0.9


@pytest.mark.parametrize("n", [1, 2, 9])
def test_domains_that_coincide_have_names_on_different_sides(n):
    directions = np.array([outwards(_outlines(*[(0, 0)] * n), at) for at in range(n)])
    np.testing.assert_allclose(np.hypot(*directions.T), 1)
    apart = np.linalg.norm(directions[:, None] - directions[None], axis=2)
    assert n == 1 or apart[~np.eye(n, dtype=bool)].min() > 0.6


def test_a_domain_without_extent_has_a_side():
    point = [Outline("a", np.zeros((64, 2)), np.zeros(2))]
    assert np.hypot(*outwards(point, 0)) == pytest.approx(1)
