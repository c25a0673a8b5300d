"""What surrounds what in corrected slices, whatever a model finds there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dgseg.datasets.registry import load
from dgseg.site.contradictions import contradictions
from dgseg.site.known import surrounded_pixels, tabulate

NAMES = ("left ventricle", "myocardium", "right ventricle")
EXCHANGED = np.array([0, 2, 1, 3], np.uint8)


def disc(radius, at=(20, 20)):
    rows, columns = np.mgrid[:40, :40]
    return np.hypot(rows - at[0], columns - at[1]) <= radius


def heart(inner=5, outer=8):
    """A ventricle within its muscle, and the other one beside it."""
    ring = np.where(disc(inner), 1, np.where(disc(outer), 2, 0))
    return np.where((ring == 0) & disc(6, (20, 32)), 3, ring).astype(np.uint8)


def scan(number, corrected):
    """A scan of which no model has proposed anything."""
    return tabulate(f"id-{number}", f"scan-{number}", corrected, None, 4)


@given(
    arrays(
        np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3)
    )
)
def test_surrounded_pixels_are_counted_as_defined(labels):
    counts = np.zeros((4, 4), int)
    for (row, column), own in np.ndenumerate(labels):
        for outer in {1, 2, 3} - {own} if own else ():
            sides = (
                labels[:row, column],
                labels[row + 1 :, column],
                labels[row, :column],
                labels[row, column + 1 :],
            )
            counts[own, outer] += all((side == outer).any() for side in sides)
    assert np.array_equal(surrounded_pixels(labels, 4), counts)


def test_exchanged_structures_are_told_where_no_model_has_found_any():
    scans = [
        scan(1, {3: heart(), 4: heart(4, 7)}),
        scan(2, {5: EXCHANGED[heart()]}),
        scan(3, {}),
    ]
    ((sentence, slices),) = contradictions(scans, NAMES)
    assert sentence == (
        "The myocardium surrounds the left ventricle in slices 3–4 of scan-1, and the left "
        "ventricle surrounds the myocardium in slice 5 of scan-2. A model cannot learn both: "
        "look at these slices again in step 3."
    )
    assert slices == (("id-1", 3), ("id-1", 4), ("id-2", 5))


def test_a_slip_within_one_scan_is_told_as_well():
    (found,) = contradictions([scan(1, {3: heart(), 4: EXCHANGED[heart()]})], NAMES)
    assert found[1] == (("id-1", 3), ("id-1", 4))


def test_sound_slices_of_other_shapes_raise_nothing():
    half = heart()
    half[:, :20][half[:, :20] == 2] = 0  # at the base the muscle is open
    alone = np.where(disc(8), 2, 0).astype(np.uint8)  # at the apex there is no cavity
    stray = alone.copy()
    stray[20, 20] = 1
    scans = [scan(1, {1: heart(), 2: half, 3: alone}), scan(2, {1: stray, 2: heart(3, 12)})]
    assert list(contradictions(scans, NAMES)) == []


def test_a_slip_of_the_brush_is_no_structure():
    """One pixel of muscle in the middle of a cavity is not surrounded muscle."""
    slip = np.where(disc(8), 1, 0).astype(np.uint8)
    slip[20, 20] = 2
    assert surrounded_pixels(slip, 4)[2, 1] == 1
    large = np.zeros((80, 80), np.uint8)
    large[:40, :40] = slip
    ordinary = np.zeros_like(large)
    ordinary[:40, :40] = heart()
    assert list(contradictions([scan(1, {1: ordinary}), scan(2, {1: large})], NAMES)) == []


@pytest.mark.parametrize(("name", "step"), [("spinal-gm", 1), ("cardiac", 4)])
def test_in_real_labels_the_second_structure_surrounds_the_first(real_data, name, step):
    """What the bounds of `contradictions` rest on."""
    entries = load(name, root=real_data).entries
    entries = [entry for entry in entries if entry.labelled][::step]
    shares = []
    for entry in entries:
        item = entry.load()
        for labels in item.labels[item.annotated]:
            areas, within = (
                np.bincount(labels.ravel(), minlength=4),
                surrounded_pixels(labels, 4),
            )
            if min(areas[1:3]) >= 5:
                shares.append((within[1, 2] / areas[1], within[2, 1] / areas[2]))
    first, second = np.array(shares).T
    assert len(first) > 50
    assert np.quantile(first, 0.05) > 0.9
    assert second.max() == 0
