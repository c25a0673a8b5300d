"""Random slices are the same everywhere; suggested ones are those that the plugin suggests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dgseg.adaptation.judging import LazySegmenter
from dgseg.bundles.bundle import read_info
from dgseg.datasets.registry import load
from dgseg.errors import DatasetError
from dgseg.evaluation.adaptation.cells import bundle_of
from dgseg.evaluation.adaptation.choices import (
    Pick,
    as_suggested,
    at_random,
    by_scan,
    saved_picks,
    survey_half,
)
from dgseg.evaluation.adaptation.corrections import Candidates, candidates, every
from dgseg.evaluation.adaptation.halves import make_halves
from dgseg.evaluation.adaptation.listener import Listener
from dgseg.evaluation.adaptation.plan import FLOOR
from dgseg.site.pool import ScanSlices, pool_of
from dgseg.site.suggest import suggest_slice
from dgseg.site.traits import SliceTraits

NAMES = ("left ventricle", "right ventricle")
THERE = [Candidates(who, f"{who}-ED", tuple(range(2, 8))) for who in "abc"]


def scan(scan_id, uncertainty):
    """Slices that look alike, and differ in uncertainty and in height alone."""
    n = len(uncertainty)
    traits = SliceTraits(np.full((n, 2), 0.3), np.zeros((n, 6)), np.empty((n, 0)))
    return ScanSlices(scan_id, np.array(uncertainty, dtype=np.float32), traits)


SCANS = [scan("one", [0.9, 0.2, 0.8, 0.1]), scan("two", [0.3, 0.7, 0.4, 0.6])]
ALL = [Candidates("p", "one", (0, 1, 2, 3)), Candidates("q", "two", (0, 1, 2, 3))]


def test_random_slices_depend_on_the_seed_and_the_target_alone():
    first = at_random(THERE, 4, "east", 0)
    assert first == at_random(THERE[::-1], 4, "east", 0)
    others = [at_random(THERE, 4, "east", 1), at_random(THERE, 4, "west", 0)]
    assert first not in others
    assert others[0] != others[1]


def test_fewer_random_slices_are_among_more():
    counts = [sum(map(len, at_random(THERE, k, "east", 0).values())) for k in (0, 3, 99)]
    assert counts == [0, 3, 18]
    more = at_random(THERE, 6, "east", 0)
    for scan_id, slices in at_random(THERE, 3, "east", 0).items():
        assert set(slices) <= set(more[scan_id])


def test_random_slices_have_all_the_same_chance():
    drawn = [at_random(THERE, 1, "east", seed) for seed in range(360)]
    counts: dict[object, int] = {}
    for one in drawn:
        key = str(one)
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 18
    assert max(counts.values()) < 45  # 20 on average


def test_suggestions_are_those_of_the_plugin_each_corrected_before_the_next():
    picks = as_suggested(SCANS, ALL, 3, NAMES)
    done: dict[str, list[int]] = {}
    for pick in picks:
        advice = suggest_slice(pool_of(SCANS), done, NAMES)
        assert advice is not None
        assert (pick.scan_id, pick.slice, pick.reason) == (
            advice.scan_id,
            advice.slice,
            advice.reason,
        )
        done.setdefault(pick.scan_id, []).append(pick.slice)
    assert len({(pick.scan_id, pick.slice) for pick in picks}) == 3


def test_nothing_is_suggested_whose_true_labels_are_not_known():
    there = [Candidates("p", "one", (1, 3)), Candidates("r", "gone", (0,))]
    picks = as_suggested(SCANS, there, 9, NAMES)
    assert by_scan(picks) == {"one": (1, 3)}
    assert as_suggested(SCANS, [], 2, NAMES) == []


def test_slices_that_cannot_be_chosen_are_a_part_of_the_site():
    there = [Candidates("p", "one", (0, 1, 2))]
    (pick,) = as_suggested([scan("one", [0.5] * 7)], there, 1, NAMES)
    assert pick.slice == 2  # the next to the middle of all, not the middle of these


@pytest.fixture
def surveyed(make_plan, bundles, cell_of, hearts, tmp_path):
    """What the bundle knows of the adaptation half, asked as often as one likes."""
    plan = make_plan()
    bundle = bundle_of(cell_of(plan, FLOOR, 0), plan, bundles)
    entries = load("cardiac", root=hearts).entries
    halves = make_halves(entries, "east", 0)

    def survey():
        model = LazySegmenter(bundle, read_info(bundle), "cpu", "fp32")
        found = survey_half(halves, entries, model, tmp_path / "before", Listener())
        return found, model

    return survey, candidates(halves, entries)


def test_a_half_is_segmented_once_and_known_with_its_looks(surveyed, monkeypatch):
    survey, there = surveyed
    (found,), _ = survey()
    assert found.scan_id == there[0].scan_id
    assert len(found.uncertainty) == 3
    assert found.traits.by_structure.shape == (3, 3)
    assert found.traits.look.shape[1] > 0
    monkeypatch.setattr("dgseg.adaptation.judging.Segmenter", None)
    (again,), model = survey()
    np.testing.assert_allclose(again.uncertainty, found.uncertainty, atol=1e-6)
    picks = as_suggested([again], there, 9, model.info.labels.names)
    assert by_scan(picks) == every(there)


def test_suggestions_are_found_once(tmp_path):
    picks = [Pick("one", 3, "Least certain."), Pick("two", 0, "Unlike.")]
    path = tmp_path / "suggested" / "east.json"
    assert saved_picks(path, lambda: picks) == picks
    assert saved_picks(path, lambda: pytest.fail("made again")) == picks
    assert by_scan([*picks, replace(picks[0], slice=1)]) == {"one": (1, 3), "two": (0,)}
    path.write_text("{}")
    with pytest.raises(DatasetError, match="suggested is damaged"):
        saved_picks(path, lambda: picks)
