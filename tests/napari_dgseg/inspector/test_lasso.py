"""What a line drawn by hand goes round."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path

from napari_dgseg.inspector.lasso import Lasso


@given(seed=st.integers(0, 10_000), n=st.integers(3, 12))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_the_lasso_goes_round_what_a_path_of_matplotlib_does(seed, n):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, n))
    reach = rng.uniform(20, 100, n)
    corners = np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=1)
    lasso = Lasso()
    lasso.begin(*corners[0])
    for corner in corners[1:]:
        lasso.extend(*corner)
    points = rng.uniform(-110, 110, (200, 2))
    kept = lasso.corners
    assert lasso.is_drawn == (len(kept) >= 3)
    expected = Path(np.concatenate([kept, kept[:1]]), closed=True).contains_points(points)
    np.testing.assert_array_equal(lasso.inside(points), expected)


def test_a_trembling_hand_adds_no_corners():
    lasso = Lasso()
    lasso.begin(0, 0)
    lasso.extend(1, 1)
    assert len(lasso.corners) == 1
    assert not lasso.is_drawn
