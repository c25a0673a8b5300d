"""Slices that are turned show what they should, and the search finds how a scan lies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from dgseg.nets.poses import (
    AS_IT_IS,
    TURN_DEG,
    ZOOMS,
    Pose,
    answer,
    expected_dice,
    expected_overlap,
    posed,
    seek,
    slices_to_ask,
    unposed,
)

LATTICE = [Pose(k * TURN_DEG, zoom) for k in (-2, -1, 0, 1, 2) for zoom in ZOOMS]
poses = st.builds(Pose, st.floats(-50, 50), st.floats(0.8, 1.5))


def blob(size, at, width=6.0):
    rows, columns = torch.meshgrid(*(torch.arange(float(n)) for n in size), indexing="ij")
    return torch.exp(-(((rows - at[0]) / width) ** 2) - ((columns - at[1]) / width) ** 2)


@given(poses)
def test_slices_that_are_not_square_turn_as_another_library_turns_them(pose):
    image = blob((60, 90), (22, 50)) + blob((60, 90), (35, 30), 4.0)
    turn = math.radians(pose.turn_deg)
    matrix = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    matrix /= pose.zoom
    middle = np.array([29.5, 44.5])
    expected = ndimage.affine_transform(
        image.double().numpy(), matrix, middle - matrix @ middle, order=1, mode="reflect"
    )
    found = posed(image[None, None], pose)[0, 0].numpy()
    assert np.abs(found - expected)[8:-8, 8:-8].max() < 1e-4


@given(poses)
def test_what_is_shown_comes_back_to_where_it_was(pose):
    image = blob((64, 80), (30, 44), 8.0)[None, None]
    back, shown = unposed(posed(image, pose), pose)
    assert shown[0, 0, 24:40, 32:48].all()
    assert (back - image)[shown].abs().max() < 0.03


def test_an_enlarged_slice_does_not_show_its_margin():
    _, shown = unposed(torch.zeros(1, 2, 70, 70), Pose(zoom=1.4))
    assert shown.shape == (1, 1, 70, 70)
    assert shown.float().mean() == pytest.approx(1 / 1.4**2, abs=1e-6)
    assert shown[0, 0, 10:-10, 10:-10].all()


def test_as_it_is_changes_nothing():
    image = torch.rand(2, 1, 8, 9)
    assert posed(image, AS_IT_IS) is image
    assert unposed(image, AS_IT_IS)[0] is image


def test_labels_stay_labels():
    labels = (torch.rand(1, 1, 32, 32) * 4).floor()
    assert set(posed(labels, Pose(25, 1.2), "nearest").unique().tolist()) <= {0, 1, 2, 3}


def test_the_expected_dice_is_that_of_the_sums():
    probabilities = torch.rand(3, 4, 5, 6, dtype=torch.float64).softmax(dim=1)
    labels = probabilities.argmax(dim=1)
    dice = []
    for c in (1, 2, 3):
        both = total = 0.0
        for n, row, column in np.ndindex(3, 5, 6):
            p = float(probabilities[n, c, row, column])
            chosen = int(labels[n, row, column]) == c
            both += 2 * p * chosen
            total += p + chosen
        dice.append(both / total)
    assert expected_dice(expected_overlap(probabilities)) == pytest.approx(np.mean(dice))


def test_who_is_sure_expects_a_dice_of_one_and_of_what_is_not_found_none():
    labels = torch.zeros(1, 6, 6, dtype=torch.int64)
    labels[0, 2:4, 2:4] = 1
    sure = torch.nn.functional.one_hot(labels, 2).permute(0, 3, 1, 2).double()
    assert expected_dice(expected_overlap(sure)) == 1.0
    none = torch.full((1, 2, 6, 6), 0.5).double()
    none[:, 0] += 0.1
    assert expected_dice(expected_overlap(none)) == 0.0


@given(st.sampled_from(LATTICE), st.floats(0.2, 3), st.floats(0.2, 3))
def test_the_search_finds_the_only_peak(best, steep_turn, steep_zoom):
    asked = []

    def score(pose):
        asked.append(pose)
        off = steep_turn * abs(pose.turn_deg - best.turn_deg) / TURN_DEG
        return -off - steep_zoom * abs(math.log(pose.zoom / best.zoom))

    found = seek(score)
    assert found[-1][0] == best
    assert len(asked) == len(set(asked)) <= 10
    assert sum(weight for _, weight in found) == pytest.approx(1)
    assert [weight for _, weight in found] == sorted(weight for _, weight in found)
    assert len(found) <= 3


def test_a_tie_leaves_the_scan_as_it_is():
    found = seek(lambda pose: 0.5)
    assert found[-1][0] == AS_IT_IS


@pytest.mark.parametrize(("n", "asked"), [(1, [0]), (2, [0, 1]), (4, [1, 2]), (11, [2, 5, 8])])
def test_a_few_slices_are_asked_about(n, asked):
    assert slices_to_ask(n) == asked


def test_answers_in_several_poses_are_averaged_where_they_belong():
    image = blob((64, 64), (30, 36), 7.0)[None, None]

    def predict(images):
        return torch.cat((1 - images, images), dim=1)

    poses = ((Pose(25, 1.4), 0.3), (Pose(-25, 1.0), 0.3), (AS_IT_IS, 0.4))
    found = answer(predict, image, poses)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(1, 64, 64))
    assert (found - predict(image)).abs().max() < 0.03
    plain = predict(image)
    assert answer(lambda _: plain, image, ((AS_IT_IS, 1.0),)) is plain


def test_a_pose_has_no_say_where_it_shows_nothing():
    def predict(images):
        told = torch.full((1, 2, *images.shape[2:]), 0.5)
        if (images == 0).all():
            return told
        told[:, 1], told[:, 0] = 0.9, 0.1
        return told

    marked = torch.zeros(1, 1, 70, 70)
    marked[..., 0, 0] = 1.0  # seen only by the slice as it is
    found = answer(predict, marked, ((Pose(zoom=1.4), 0.5), (AS_IT_IS, 0.5)))
    assert found[0, 1, 35, 35] == pytest.approx(0.7)
    assert found[0, 1, 2, 2] == pytest.approx(0.9, abs=1e-3)
