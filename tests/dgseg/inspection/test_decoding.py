"""Slices with other codes, and what is drawn of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgseg.errors import MethodError, ScanError
from dgseg.inspection.decoding import compare, decode, painted_on_scan, slice_parts
from dgseg.inspection.pictures import scan_pictures
from dgseg.inspection.sheet import DEVIATIONS, spread, traverse, write_sheet
from dgseg.inspection.swaps import reconstruct, swap_with_domains


@pytest.fixture
def kept(segmenter, scan):
    return slice_parts(segmenter, scan, 2)


def test_a_slice_with_its_own_codes_is_its_reconstruction(segmenter, scan, kept):
    expected = scan_pictures(segmenter, scan).reconstruction[2]
    for codes in ({}, {"style": kept.style, "domain": kept.domain}):
        picture = decode(segmenter, kept, **codes)
        np.testing.assert_allclose(painted_on_scan(picture, kept), expected, atol=1e-5)


def test_other_codes_make_another_picture(segmenter, kept):
    own = decode(segmenter, kept)
    for code in ("style", "domain"):
        other = tuple(value + 2 for value in getattr(kept, code))
        assert (decode(segmenter, kept, **{code: other}) - own).abs().max() > 0.01


def test_a_picture_like_the_slice_is_segmented_like_it(segmenter, kept):
    found = compare(segmenter, kept, kept.parts.images)
    np.testing.assert_array_equal(found.labels, found.own)
    assert found.own.shape == (24, 20)
    assert set(found.dice) == {"GM", "WM"}
    for value, name in ((1, "GM"), (2, "WM")):
        assert found.dice[name] == (1.0 if (found.own == value).any() else None)


def test_the_dice_is_between_the_two(segmenter, kept, monkeypatch):
    def probabilities(images):
        found = torch.zeros(1, 3, *images.shape[-2:])
        found[:, 0] = 0.5
        found[:, 1, :, : 8 if images is kept.parts.images else 4] = 1
        return found

    monkeypatch.setattr(segmenter.runner, "probabilities", probabilities)
    found = compare(segmenter, kept, kept.parts.images.clone())
    inside = [(labels == 1).sum() for labels in (found.own, found.labels)]
    assert found.dice["GM"] == pytest.approx(2 * inside[1] / sum(inside))
    assert found.dice["WM"] is None


def test_codes_of_another_model_are_refused(segmenter, kept):
    with pytest.raises(MethodError, match="style of this model has 3 dimensions, not 2"):
        decode(segmenter, kept, style=(0.0, 1.0))


@pytest.mark.parametrize("index", [-1, 5])
def test_a_slice_that_is_not_there_is_refused(segmenter, scan, index):
    with pytest.raises(ScanError, match=f"no slice {index} among 5"):
        slice_parts(segmenter, scan, index)


def test_a_slice_that_runs_away_is_named(segmenter, scan, runaway):
    runaway(scan, 2)
    slice_parts(segmenter, scan, 1)
    with pytest.raises(MethodError, match="in slice 2"):
        slice_parts(segmenter, scan, 2)


def test_a_model_without_factors_says_so(plain, scan):
    with pytest.raises(MethodError, match="does not tell anatomy"):
        slice_parts(plain, scan, 0)


def test_swaps_take_the_means_of_each_domain(segmenter, kept):
    swaps = swap_with_domains(segmenter, kept)
    assert [swap.name for swap in swaps] == ["north", "south"]
    expected = decode(segmenter, kept, (1.0,) * 3, (2.0,) * 2)
    np.testing.assert_allclose(swaps[1].picture, painted_on_scan(expected, kept), atol=1e-6)
    net = segmenter.runner.net
    with torch.no_grad():
        told = net.classify(net.encode(expected).domain_mean).softmax(dim=1)
    assert swaps[1].after == pytest.approx(float(told[0, 1]), abs=1e-5)
    assert swaps[0].before == pytest.approx(1 - swaps[1].before, abs=1e-5)


def test_swapping_with_itself_is_the_reconstruction(segmenter, kept):
    itself = decode(segmenter, kept, kept.style, kept.domain)
    assert reconstruct(segmenter, kept).compared.dice == compare(segmenter, kept, itself).dice


@pytest.mark.parametrize("code", ["style", "domain"])
def test_a_sheet_changes_one_dimension_after_the_other(segmenter, kept, code):
    pictures = traverse(segmenter, kept, code)
    dims = 3 if code == "style" else 2
    assert pictures.shape == (dims, 7, 19, 16)
    middle, deviation = spread(segmenter.info.style_bank, code, dims)
    codes = list(getattr(kept, code))
    codes[1] = middle[1] - 2 * deviation[1]
    expected = decode(segmenter, kept, **{code: codes})
    np.testing.assert_allclose(pictures[1, DEVIATIONS.index(-2)], expected[0, 0], atol=1e-5)


def test_without_a_bank_deviations_are_the_priors():
    middle, deviation = spread(None, "style", 2)
    assert middle.tolist() == [0, 0]
    assert deviation.tolist() == [1, 1]


def test_with_a_bank_they_are_those_of_all_domains(segmenter):
    middle, deviation = spread(segmenter.info.style_bank, "domain", 2)
    np.testing.assert_allclose(middle, [1, 1])
    np.testing.assert_allclose(deviation, np.sqrt([2, 2]))


def test_the_sheet_is_a_picture(segmenter, kept, tmp_path):
    from matplotlib.image import imread

    path = write_sheet(tmp_path / "sheet.png", traverse(segmenter, kept, "style"), "style")
    assert imread(path).std() > 0.05
