"""Coming near to a small part of a scan."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dgseg.framing import come_near


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((5, 100, 80)), scale=(3, 0.5, 0.5), translate=(0, 10, -20))
    viewer.reset_view()
    return viewer


def _mask(rows, columns):
    mask = np.zeros((100, 80), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def test_a_small_part_fills_more_of_the_view(viewer):
    before = viewer.camera.zoom
    come_near(viewer, viewer.layers[0], _mask((20, 28), (60, 68)))
    assert viewer.camera.zoom == pytest.approx(before * 80 / (2.5 * 8))
    assert viewer.camera.center[-2:] == pytest.approx((10 + 0.5 * 23.5, -20 + 0.5 * 63.5))


def test_a_large_part_or_none_leaves_the_view_alone(viewer):
    before = viewer.camera.zoom, viewer.camera.center
    come_near(viewer, viewer.layers[0], _mask((10, 60), (10, 60)))
    come_near(viewer, viewer.layers[0], _mask((0, 0), (0, 0)))
    assert (viewer.camera.zoom, viewer.camera.center) == before


def test_other_directions_of_view_are_left_alone(viewer):
    viewer.dims.order = (1, 0, 2)
    before = viewer.camera.zoom
    come_near(viewer, viewer.layers[0], _mask((20, 28), (60, 68)))
    viewer.dims.ndisplay = 3
    come_near(viewer, viewer.layers[0], _mask((20, 28), (60, 68)))
    assert viewer.camera.zoom == pytest.approx(before)
