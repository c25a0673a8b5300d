"""Corrections that cannot be learnt together are named; sound ones are left alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from dgseg.factors.distance import Distance
from dgseg.site.concerns import concerns
from dgseg.site.known import KnownScan, know_scan, stamp_of
from dgseg.site.proposals import Proposal, write_proposal
from dgseg.site.traits import measure_traits

NAMES = ("grey matter", "white matter")
SIDE = 40


def disc(radius, at=(20, 20)):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.hypot(rows - at[0], columns - at[1]) <= radius


def cord(grey=6, white=12):
    """Labels of one slice: a disc within a disc."""
    return np.where(disc(grey), 1, np.where(disc(white), 2, 0))


def change(proposed, left):
    counts = np.bincount((3 * proposed + left).ravel(), minlength=9)
    return counts.reshape(3, 3)


def scan(number, pairs, look=None, distance=None):
    """A scan of ten slices with (proposal, correction) by slice."""
    changes = {index: change(*pair) for index, pair in pairs.items()}
    rng = np.random.default_rng(number)
    return KnownScan(
        scan_id=f"id-{number}",
        title=f"scan-{number}",
        corrected={index: found.sum(axis=0) for index, found in changes.items()},
        changes=changes,
        look=rng.normal(size=(10, 6)).astype(np.float32) if look is None else look,
        distance=distance,
    )


def kinds(found):
    return [each.kind for each in found]


EXCHANGED = np.array([0, 2, 1])
ALIKE = np.tile(np.arange(10, dtype=np.float32)[:, None], 6)
"""Two scans with these looks are alike, height by height."""


def test_corrections_that_could_not_be_read_are_told():
    scans = [
        replace(scan(n, {2: (cord(), cord())}), loss=loss)
        for n, loss in enumerate(("", "torn", "damaged", "damaged"))
    ]
    damaged, torn = concerns(scans, NAMES)
    assert kinds([damaged, torn]) == ["damaged", "damaged"]
    assert damaged.sentence.startswith("Part of the corrections of scan-2 and scan-3 could")
    assert [scan_id for scan_id, _ in damaged.slices] == ["id-2", "id-3"]
    assert torn.sentence.startswith("The last change to the corrections of scan-1 was not")


def test_sound_corrections_raise_nothing():
    rng = np.random.default_rng(0)
    scans = [
        scan(
            number,
            {
                index: (cord(*rng.uniform((5, 10), (7, 13))), cord())
                for index in rng.choice(10, 3, replace=False)
            },
            look=ALIKE,
        )
        for number in range(12)
    ]
    assert concerns(scans, NAMES) == ()


def test_exchanged_names_are_found_and_told_by_slice():
    right, wrong = cord(), EXCHANGED[cord()]
    scans = [
        scan(1, {3: (right, right), 7: (right, cord(7))}),
        scan(2, {4: (right, wrong), 5: (right, wrong), 9: (right, wrong)}),
        scan(3, {}),
    ]
    (found,) = concerns(scans, NAMES)
    assert found.kind == "contradiction"
    assert found.sentence == (
        "Grey matter and white matter are exchanged in slices 4–5 and 9 of scan-2, and are not "
        "in slices 3 and 7 of scan-1, by what the model finds there. A model cannot learn "
        "both: look at these slices again in step 3."
    )
    assert found.slices == (
        ("id-2", 4), ("id-2", 5), ("id-2", 9), ("id-1", 3), ("id-1", 7),
    )  # fmt: skip


def test_a_model_that_exchanges_names_everywhere_is_put_right():
    pair = (EXCHANGED[cord()], cord())
    assert concerns([scan(1, {3: pair}), scan(2, {4: pair})], NAMES) == ()


def test_names_exchanged_within_one_scan_are_no_matter_of_two():
    right = cord()
    scans = [scan(1, {3: (right, right), 4: (right, EXCHANGED[right])}), scan(2, {})]
    assert concerns(scans, NAMES) == ()


def test_exchanged_names_are_found_where_the_model_is_poor():
    """It finds half of the grey matter and takes some of the white for it."""
    truth = cord(6, 16)
    poor = np.where(disc(4), 1, np.where(disc(15.3), 2, np.where(disc(16), 1, 0)))
    sound = [scan(n, {n: (poor, truth)}) for n in (1, 2)]
    (found,) = concerns([*sound, scan(3, {3: (poor, EXCHANGED[truth])})], NAMES)
    assert found.sentence.startswith("Grey matter and white matter are exchanged")
    assert concerns([*sound, scan(3, {3: (poor, truth)})], NAMES) == ()


def test_one_slice_against_its_scan_counts_where_each_has_the_others_name():
    right, mistaken = cord(), np.where(disc(12), 2, 0)
    there = {3: (right, right), 4: (right, right)}
    (found,) = concerns(
        [scan(1, there), scan(2, there | {5: (right, EXCHANGED[right])})], NAMES
    )
    assert ("id-2", 5) in found.slices
    # Here the model has found nothing but white matter, all of which is grey.
    alone = {5: (mistaken, np.where(disc(12), 1, 0))}
    assert concerns([scan(1, there), scan(2, there | alone)], NAMES) == ()
    assert kinds(concerns([scan(1, there), scan(2, alone)], NAMES)) == ["contradiction"]


def test_opposite_changes_where_slices_look_alike():
    larger, smaller = (cord(8, 11), cord(11, 14)), (cord(8, 11), cord(5, 11))
    scans = [scan(1, {3: larger}, look=ALIKE), scan(2, {3: smaller}, look=ALIKE)]
    (found,) = concerns(scans, NAMES)
    assert found.sentence.startswith(
        "The grey matter was made much larger in slice 3 of scan-1, and much smaller in "
        "slice 3 of scan-2, though they look alike"
    )
    assert found.slices == (("id-1", 3), ("id-2", 3))


@pytest.mark.parametrize(
    ("second", "look"),
    [
        ((cord(8, 11), cord(5, 11)), -ALIKE),  # of another look
        ((cord(8, 11), cord(5, 11)), np.empty((10, 0))),  # of a look that nobody knows
        ((cord(12, 15), cord(8, 15)), ALIKE),  # the model proposed much more
        ((cord(8, 11), cord(7, 11)), ALIKE),  # changed a little
        ((cord(8, 11), cord(-1, 11)), ALIKE),  # taken away: it may well end there
    ],
)
def test_changes_that_can_both_be_right(second, look):
    first = (cord(8, 11), cord(11, 14))
    scans = [scan(1, {8: first}, look=ALIKE), scan(2, {8: second}, look=look)]
    assert "contradiction" not in kinds(concerns(scans, NAMES))


def test_one_odd_pair_among_hundreds_is_not_told():
    larger, smaller = (cord(8, 11), cord(11, 14)), (cord(8, 11), cord(5, 11))
    sound = (cord(8, 11), cord(8, 11))
    flat = np.ones((10, 6), np.float32) * np.arange(10)[:, None]
    odd = [scan(1, {3: larger}, look=flat), scan(2, {3: smaller}, look=flat)]
    many = [scan(n, dict.fromkeys(range(10), sound), look=flat) for n in range(3, 12)]
    assert kinds(concerns(odd, NAMES)) == ["contradiction"]
    assert concerns([*odd, *many], NAMES) == ()


def test_absent_structures_are_named():
    no_grey = np.where(cord() == 1, 2, cord())
    pair = (cord(), no_grey)
    scans = [scan(1, {3: pair}), scan(2, {3: pair})]
    (found,) = concerns(scans, NAMES)
    assert found.kind == "absent"
    # Source data may show it: the corrections are all that is spoken of.
    told = "No corrected slice shows the grey matter: of that the corrections teach nothing"
    assert told in found.sentence
    nothing = np.zeros_like(no_grey)
    pair = (cord(), nothing)
    (found,) = concerns([scan(1, {3: pair}), scan(2, {3: pair})], NAMES)
    assert "show no structure at all" in found.sentence
    assert concerns([scan(1, {}), scan(2, {})], NAMES) == ()


def test_a_slice_without_a_proposal_counts_for_what_it_shows():
    known = scan(1, {at: (cord(), cord()) for at in (3, 4)})
    bare = KnownScan("id-2", "scan-2", known.corrected, {}, np.empty((0, 0)))
    assert concerns([bare, scan(3, {})], NAMES) == ()


def test_one_corrected_slice_is_too_few_and_two_are_not():
    drawn = (cord(), cord())
    (found,) = concerns([scan(1, {4: drawn}), scan(2, {})], NAMES)
    assert (found.kind, found.slices) == ("few", (("id-1", 4),))
    assert "Correct two more" in found.sentence
    assert concerns([scan(1, {4: drawn}), scan(2, {0: drawn})], NAMES) == ()


def test_a_single_scan():
    (found,) = concerns([scan(1, {})], NAMES)
    assert (found.kind, found.slices) == ("one-scan", (("id-1", -1),))
    assert concerns([], NAMES) == ()


def test_foreign_scans_come_first_and_are_named():
    far = Distance("a", 9.0, 100.0, "far", foreign=True)
    near = Distance("a", 1.0, 40.0, "near", foreign=False)
    scans = [scan(n, {}, distance=far if n < 2 else near) for n in range(6)]
    (found,) = concerns(scans, NAMES)
    assert found.kind == "foreign"
    assert "trained on: 2 of 6 scans (scan-0 and scan-1)." in found.sentence
    assert found.slices == (("id-0", -1), ("id-1", -1))
    many = [scan(n, {}, distance=far) for n in range(5)] + [scan(9, {})]
    assert "(scan-0, scan-1, scan-2 and 2 more)" in concerns(many, NAMES)[0].sentence
    assert "trained on: all 5 scans." in concerns(many[:5], NAMES)[0].sentence
    assert kinds(concerns(many[:1], NAMES)) == ["foreign", "one-scan"]


def test_a_scan_is_known_by_its_proposal_and_its_corrections(site, make_scan):
    found = make_scan(1)
    site.add(found)
    bundle_id = site.accepted_info.bundle_id
    bare = know_scan(site, found.scan_id, "scan-1", bundle_id)
    assert (bare.corrected, bare.changes, bare.look.size, bare.distance) == ({}, {}, 0, None)
    labels = np.zeros(found.array.shape, np.uint8)
    labels[:, 4:9, 5:9] = 2
    far = Distance("a", 9.0, 100.0, "far", foreign=True)
    traits = measure_traits(labels, labels, 2, np.arange(15.0).reshape(5, 3))
    certain = np.zeros(len(labels), np.float32)
    folder = site.proposal_folder(found.scan_id, bundle_id)
    before = stamp_of(site, found.scan_id, bundle_id)
    write_proposal(folder, Proposal(labels, labels, certain, bundle_id, traits, far))
    corrections = site.corrections(found.scan_id)
    corrections.start(labels, bundle_id)
    left = labels[3].copy()
    left[4, 5:9] = 1
    corrections.record(3, left, "changed")
    site.flush()
    known = know_scan(site, found.scan_id, "scan-1", bundle_id)
    assert list(known.corrected) == list(known.changes) == [3]
    assert known.corrected[3].tolist() == [labels[3].size - 20, 4, 16]
    assert known.changes[3].tolist() == [[labels[3].size - 20, 0, 0], [0, 0, 0], [0, 4, 16]]
    assert np.array_equal(known.look, traits.look)
    assert known.distance == far
    after = stamp_of(site, found.scan_id, bundle_id)
    assert after != before
    assert after == stamp_of(site, found.scan_id, bundle_id)
    unproposed = know_scan(site, found.scan_id, "scan-1", "")
    assert list(unproposed.corrected) == [3]
    assert not unproposed.changes


def test_no_torch():
    code = "import dgseg.site.concerns, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
