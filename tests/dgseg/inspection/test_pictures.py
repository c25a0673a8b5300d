"""Pictures of whole scans."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.errors import MethodError, WorkspaceWriteError
from dgseg.files import read_array
from dgseg.inference.segmenter import Segmenter
from dgseg.inspection.pictures import scan_pictures, write_pictures
from dgseg.methods.disentangling import factors_of
from dgseg.nets.resample import resize
from dgseg.scans.preprocessing import normalise


@pytest.fixture
def pictures(segmenter, scan):
    return scan_pictures(segmenter, scan)


def test_they_are_what_the_network_paints(segmenter, scan, pictures):
    images = normalise(scan.array, segmenter.info.preprocessing)
    slices = resize(torch.from_numpy(images[:, None]), (19, 16))
    direct = factors_of(segmenter.runner.net, slices)
    painted = resize(direct.reconstruction, (24, 20))[:, 0]
    off = resize(direct.reconstruction - slices, (24, 20))[:, 0]
    np.testing.assert_array_equal(pictures.image, images)
    np.testing.assert_allclose(pictures.reconstruction, painted, atol=1e-5)
    np.testing.assert_allclose(pictures.difference, off, atol=1e-5)


def test_on_the_models_own_grid_the_difference_is_just_that(
    tmp_path, scan, write_disentangled, monkeypatch
):
    segmenter = Segmenter(write_disentangled(tmp_path / "tiny"), "cpu", "fp32")
    same = segmenter.info.preprocessing.model_copy(update={"spacing_mm": None})
    segmenter.info = segmenter.info.model_copy(update={"preprocessing": same})
    found = scan_pictures(segmenter, scan)
    np.testing.assert_allclose(found.difference, found.reconstruction - found.image, atol=1e-6)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "none"])
def test_anatomy_is_shown_from_black_to_white(tmp_path, scan, write_disentangled, kind):
    segmenter = Segmenter(write_disentangled(tmp_path / kind, anatomy=kind), "cpu", "fp32")
    segmenter.info = segmenter.info.model_copy(
        update={
            "preprocessing": segmenter.info.preprocessing.model_copy(
                update={"spacing_mm": None}
            )
        }
    )
    shown = scan_pictures(segmenter, scan).anatomy
    images = normalise(scan.array, segmenter.info.preprocessing)
    with torch.no_grad():
        z = segmenter.runner.net.anatomy(torch.from_numpy(images[:, None])).numpy()
    assert shown.shape == (4, 5, 24, 20)
    assert shown.dtype == np.uint8
    for channel in range(4):
        values = z[:, channel]
        low, high = (0, 1) if kind != "none" else np.quantile(values, (0.005, 0.995))
        expected = np.clip((values - low) / (high - low), 0, 1) * 255
        np.testing.assert_allclose(shown[channel], expected, atol=1.5)


def test_slices_that_run_away_are_named(segmenter, scan, runaway):
    runaway(scan, 0, 4)
    with pytest.raises(MethodError, match="slices 0, 4"):
        scan_pictures(segmenter, scan)


def test_they_come_back_from_their_files(pictures, tmp_path):
    write_pictures(tmp_path / "a" / "b", pictures)
    for name, array in vars(pictures).items():
        found = read_array(tmp_path / "a" / "b" / f"{name}.npy", memory_map=True)
        np.testing.assert_array_equal(found, array)


def test_a_disk_that_refuses_is_a_typed_error(pictures, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceWriteError, match="pictures could not be saved"):
        write_pictures(tmp_path / "file", pictures)
