"""A model that turns and enlarges scans is looked into as it looks at them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.inspection.decoding import compare, decode, painted_on_scan, slice_parts
from dgseg.inspection.factors import scan_factors
from dgseg.inspection.measures import Measuring
from dgseg.inspection.parts import look_at, on_scan
from dgseg.inspection.pictures import scan_pictures
from dgseg.inspection.sheet import traverse
from dgseg.methods.disentangling import factors_of
from dgseg.nets.poses import Pose, posed, unposed
from dgseg.nets.resample import resize

POSE = Pose(25.0, 1.4)


@pytest.fixture
def seeking(segmenter, monkeypatch):
    """The model, which knows every scan best in one pose."""
    monkeypatch.setattr(segmenter, "poses", lambda *_: ((Pose(), 0.3), (POSE, 0.7)))
    return segmenter


@pytest.fixture
def direct(seeking, scan):
    """What the network makes of the turned slices, without any of the inspector."""
    images, grid, pose = look_at(seeking, scan)
    assert pose == POSE
    slices = posed(resize(torch.from_numpy(images[:, None]), grid), POSE)
    return slices, factors_of(seeking.runner.net, slices)


def test_factors_are_of_the_turned_slices(seeking, scan, direct):
    slices, expected = direct
    found, _ = scan_factors(seeking, scan)
    np.testing.assert_allclose(found.style, expected.style, atol=1e-5)
    error = (expected.reconstruction - slices).abs().mean(dim=(1, 2, 3))
    np.testing.assert_allclose(found.error, error, atol=1e-5)
    measuring = Measuring(seeking)
    measuring.add(scan)
    assert measuring.result().reconstruction == pytest.approx(float(error.mean()), abs=1e-5)


def test_pictures_lie_as_the_scan_does(seeking, scan, direct):
    _, expected = direct
    found = scan_pictures(seeking, scan)
    back, shown = unposed(expected.reconstruction, POSE)
    painted = resize(back * shown, found.image.shape[1:])[:, 0]
    np.testing.assert_allclose(found.reconstruction, painted, atol=1e-5)
    # What the enlarged slices do not show is black, and no difference.
    assert found.reconstruction[:, 0, 0].max() == found.difference[:, 0, 0].max() == 0
    assert found.anatomy[:, :, 0, 0].max() == 0
    middle = np.s_[:, 8:16, 7:13]
    assert found.reconstruction[middle].min() > 0


def test_a_painted_slice_lies_as_the_scan_does(seeking, scan):
    kept = slice_parts(seeking, scan, 2)
    assert kept.pose == POSE
    picture = painted_on_scan(decode(seeking, kept), kept)
    np.testing.assert_allclose(
        picture, scan_pictures(seeking, scan).reconstruction[2], atol=1e-5
    )
    found = compare(seeking, kept, kept.parts.images)
    assert found.own.shape == picture.shape
    assert found.own[0, 0] == 0
    sheet = traverse(seeking, kept, "style")
    assert sheet[:, :, 0, 0].max() == 0
    assert sheet[:, :, 9, 8].min() > 0


def test_a_smooth_picture_comes_back_to_its_place():
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(40.0), indexing="ij")
    blob = torch.exp(-((rows - 20) ** 2 + (columns - 22) ** 2) / 60)[None, None]
    back = on_scan(posed(blob, POSE), POSE, (96, 80))
    expected = resize(blob, (96, 80))
    assert (back - expected)[..., 30:66, 26:54].abs().max() < 0.05
