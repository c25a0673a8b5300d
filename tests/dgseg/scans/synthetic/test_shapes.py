from __future__ import annotations

import numpy as np
import pytest

from dgseg.scans.synthetic.shapes import (
    Canvas,
    Warp,
    area,
    ellipse,
    mirrored,
    scaled,
    smooth,
    symmetric,
    tube,
)
from dgseg.scans.synthetic.tissues import Tissue


@pytest.fixture
def canvas() -> Canvas:
    return Canvas((120, 160), (0.25, 0.5), (0.0, 0.0))


def painted_mm2(canvas: Canvas, tissue: Tissue) -> float:
    return float((canvas.ids == tissue).sum() * canvas.pixel_mm[0] * canvas.pixel_mm[1])


def test_an_ellipse_covers_its_area(canvas):
    shape = ellipse((3.0, -2.0), (8.0, 5.0), 30, n=80)
    canvas.paint(shape, Tissue.FAT)
    assert painted_mm2(canvas, Tissue.FAT) == pytest.approx(np.pi * 40, rel=0.02)
    assert area(shape) == pytest.approx(np.pi * 40, rel=0.01)


def test_shapes_beyond_the_edge_are_cut_off(canvas):
    canvas.paint(ellipse((40.0, 0.0), (10.0, 10.0)), Tissue.FAT)
    assert painted_mm2(canvas, Tissue.FAT) == pytest.approx(np.pi * 50, rel=0.05)
    canvas.clear()
    canvas.paint(ellipse((400.0, 0.0), (10.0, 10.0)), Tissue.FAT)
    assert not canvas.ids.any()


def test_painting_over_some_tissues_spares_the_others(canvas):
    canvas.paint(ellipse((0, 0), (10, 10)), Tissue.FAT)
    canvas.paint(ellipse((0, 0), (4, 4)), Tissue.MUSCLE)
    canvas.paint(ellipse((0, 0), (20, 12)), Tissue.VEIN, over=(Tissue.FAT,))
    assert set(np.unique(canvas.ids)) == {Tissue.AIR, Tissue.MUSCLE, Tissue.VEIN}
    assert canvas.ids[60, 80] == Tissue.MUSCLE


def test_pairs_are_mirror_images(canvas):
    canvas.paint_pair(ellipse((9, 3), (4, 2), 20), Tissue.FAT)
    assert np.array_equal(canvas.ids, canvas.ids[:, ::-1])


def test_moves_displace_what_is_painted(canvas):
    canvas.clear(lambda points: points + np.array([5.0, 0.0]))
    canvas.paint(ellipse((0, 0), (3, 3)), Tissue.FAT)
    columns = np.nonzero(canvas.ids)[1]
    assert (columns.mean() - 79.5) * 0.5 == pytest.approx(5.0, abs=0.3)


def test_curves_pass_through_their_control_points():
    controls = np.array([(0, 0), (4, 1), (5, 5), (1, 4)], dtype=float)
    assert np.allclose(smooth(controls, 5)[::5], controls)


def test_symmetric_shapes_equal_their_mirror_image():
    shape = symmetric([(0, -1), (2, 0), (0, 1)])
    assert sorted(map(tuple, shape)) == sorted(map(tuple, mirrored(shape)))
    assert area(shape) == pytest.approx(4.0)
    assert area(scaled(shape, 2.0, (1, 1))) == pytest.approx(16.0)


def test_a_tube_is_as_wide_as_asked():
    band = tube([(0, 0), (5, 0), (10, 0)], [1, 1, 1])
    assert area(band) == pytest.approx(20.0)


def test_a_warp_is_calm_at_the_origin_and_changes_slowly(rng):
    warp = Warp(rng, 2.0, calm_mm=20.0)
    far = np.array([(60.0, 30.0), (-50.0, 10.0)])
    near = np.array([(1.0, 1.0)])
    assert np.abs(warp(near, 0.0) - near).max() < 0.1
    assert np.abs(warp(far, 0.0) - warp(far, 0.5)).max() < 0.5


def test_spots_equal_small_ellipses_and_skip_what_is_out_of_sight(canvas):
    spots = np.array([(3.0, 2.0, 1.5), (-4.0, 1.0, 2.0), (900.0, 0.0, 3.0)])
    canvas.paint_spots(spots, Tissue.VEIN)
    together = canvas.ids.copy()
    canvas.clear()
    for x, y, radius in spots:
        canvas.paint(ellipse((x, y), (radius, radius), n=12), Tissue.VEIN)
    assert np.array_equal(together, canvas.ids)


def test_looking_elsewhere_moves_the_picture(canvas):
    canvas.paint(ellipse((0, 0), (3, 3)), Tissue.FAT)
    before = canvas.ids.copy()
    canvas.clear()
    canvas.look_at((0.0, 5.0))
    canvas.paint(ellipse((5, 0), (3, 3)), Tissue.FAT)
    assert np.array_equal(before, canvas.ids)
