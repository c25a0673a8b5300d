"""The measurements of the warnings, on tiny sites."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks import measure_absent, measure_concerns, measure_foreign
from benchmarks.measure_contradictions import (
    SOUND,
    Shown,
    exchange,
    is_found,
    mistakes,
    resized,
)
from benchmarks.unseen import Model, centres, entries_of, evenly
from dgseg.datasets.registry import ROOT_VARIABLE
from dgseg.factors.distance import Distance
from dgseg.scans.schema import CARDIAC
from dgseg.site.proposals import Proposal
from dgseg.site.traits import measure_traits

NEW = "synthetic-new"


def rows_of(text):
    return {row[0]: row[1:] for row in map(_cells, text.splitlines()[2:])}


def _cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_only_centres_that_the_model_has_never_seen(bundle, at_hand):
    model = Model.read(bundle)
    assert {name: len(found) for name, found in centres(model, 3).items()} == {NEW: 3}
    assert centres(model, 3, only="real") == {}
    assert evenly("abcde", 2) == ["a", "e"]
    assert evenly("ab", 9) == ["a", "b"]


def test_what_is_not_at_hand_is_skipped_with_a_reason(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    assert entries_of("cardiac") == ()
    out = capsys.readouterr().out
    assert out.startswith("Skipped:")
    assert "The data set cardiac is not on this machine." in out


def test_foreign_scans_are_counted(bundle, at_hand, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    options = ["foreign", "--bundles", str(bundle), "--scans", "3", "--every", "1"]
    assert measure_concerns.main(options) == 0
    first = capsys.readouterr().out
    table = rows_of(
        first[first.index("| models") : first.index("\n\n", first.index("| models"))]
    )
    assert table["cardiac: the right one, made-up, unseen centres"][0] == "3"
    assert table["cardiac: another body part, synthetic-cord"][0] == "2"
    assert table["cardiac: another body part, **all**"][0] == "2"
    assert measure_concerns.main(options) == 0
    assert capsys.readouterr().out.split("\n\n")[1] == first.split("\n\n")[1]


def test_the_table_of_foreign_scans_says_how_many_were_named():
    def seen(right, foreign, value):
        distance = Distance("", value, 99.0, "far", foreign=foreign)
        return measure_foreign.Seen("cord", right, "x", distance)

    looks = [seen(True, False, 1.0), seen(False, True, 5.0), seen(False, False, 3.0)]
    table = rows_of(measure_foreign.table(looks))
    assert table["cord: the right one, x"] == ["1", "0 (0 %)", "1.00", "1.00", "1.00"]
    assert table["cord: another body part, **all**"] == [
        "2",
        "1 (50 %)",
        "3.00",
        "5.00",
        "5.00",
    ]


# --- contradictions ---------------------------------------------------------------------


@pytest.fixture
def site(heart):
    """Three scans that look alike, with proposals that are right."""

    def scan(at):
        truth = heart(at)
        nothing = np.zeros_like(truth)
        looks = np.tile(np.arange(5.0)[:, None], 6)
        traits = measure_traits(truth, nothing, 3, looks)
        proposal = Proposal(truth, nothing, np.zeros(5, np.float32), "0" * 12, traits)
        return Shown(proposal, truth, tuple(range(5)))

    return [scan((24, 18 + shift)) for shift in range(3)]


def test_every_mistake_is_found_where_the_model_is_right(site):
    for mistake in mistakes(CARDIAC):
        for k in (1, 2, 4, 8):
            assert is_found(site, CARDIAC, k, mistake) == (mistake.name != SOUND), mistake.name


def test_exchanging_twice_changes_nothing(heart):
    truth = heart()[0]
    once = exchange(1, 3)(truth)
    assert np.array_equal(once == 3, truth == 1)
    assert np.array_equal(once == 2, truth == 2)
    assert np.array_equal(exchange(1, 3)(once), truth)


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_a_structure_is_drawn_in_another_size(factor, heart):
    truth = heart()[0]
    left = resized(1, factor)(truth)
    assert np.count_nonzero(left == 1) == round(factor * np.count_nonzero(truth == 1))
    smaller, larger = sorted((left == 1, truth == 1), key=np.count_nonzero)
    assert not (smaller & ~larger).any()
    assert not resized(1, factor)(np.zeros_like(truth)).any()


def test_contradictions_are_measured_at_drawn_sites(bundle, at_hand, capsys):
    options = ["contradictions", "--bundles", str(bundle), "--ks", "1", "3", "--sites", "2"]
    assert measure_concerns.main(options) == 0
    out = capsys.readouterr().out
    table = rows_of(out[out.index("| mistake") : out.index("\n\n", out.index("| mistake"))])
    assert len(table) == 7
    assert all(cells[0] == "2" for cells in table.values())


# --- absent structures ------------------------------------------------------------------


def test_corrections_do_not_have_the_absent_structure(new_centre):
    right = CARDIAC.labels[2]
    site = measure_absent.site_of(new_centre, "not-drawn", right, 2, 0)
    drawn = [item for item in site.scans() if item.labels is not None]
    assert sum(int(item.annotated.sum()) for item in drawn) == 2
    assert all(not (item.labels == right.value).any() for item in drawn)
    people = {entry.subject for entry in site.scored(9)}
    assert people
    assert not people & {item.subject for item in site.scans()}


def test_slices_that_do_not_show_the_structure_are_chosen(new_centre):
    right = CARDIAC.labels[2]
    site = measure_absent.site_of(new_centre, "not-shown", right, 2, 0)
    assert list(site.corrected.values()) == [(4,), (4,)]


def test_a_structure_is_kept_or_not(bundle, at_hand, capsys):
    options = ["absent", "--bundles", str(bundle), "--steps", "3", "--methods"]
    assert measure_concerns.main([*options, "finetune", "meta-disentangle"]) == 0
    out = capsys.readouterr().out
    assert "Skipped: meta-disentangle:" in out  # not for a network without codes
    table = rows_of(out[out.index("| absent") : out.index("\n\n", out.index("| absent"))])
    (cells,) = table.values()
    _before, kept, lost = map(float, cells[:3])
    assert 0 <= min(kept, lost) <= max(kept, lost) <= 1
    assert list(table) == [f"{NEW}: RV not drawn, finetune"]


def test_not_keeping_makes_a_difference_to_the_training(bundle, new_centre):
    site = measure_absent.site_of(new_centre, "not-drawn", CARDIAC.labels[2], 2, 0)
    told = []
    kind = measure_absent.registry.resolve("finetune")[0]
    prepare = kind.prepare

    def listen(method, labelled):
        told.append((labelled.n_slices, labelled.absent))
        prepare(method, labelled)

    config = measure_absent.AdaptConfig("finetune", steps=1, device="cpu", threads=1)
    model = Model.read(bundle)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kind, "prepare", listen)
        for keeps in (True, False):
            measure_absent.adapted(model, site, config, site.scored(1), keep=keeps)
    assert told == [(2, (3,)), (2, ())]


def test_where_every_slice_shows_the_structure_that_is_said(new_centre, bundle, capsys):
    everywhere = CARDIAC.labels[0]
    items = [replace_labels(entry.load(), everywhere.value) for entry in new_centre]
    entries = [
        replace(entry, loader=partial(same, item))
        for entry, item in zip(new_centre, items, strict=True)
    ]
    options = argparse.Namespace(k=2, seed=0)
    model = Model.read(bundle)
    assert not list(measure_absent.outcomes(model, entries, "not-shown", everywhere, options))
    assert f"every slice of {NEW} shows the {everywhere.name}" in capsys.readouterr().out


def replace_labels(item, value):
    return replace(item, labels=np.full_like(item.labels, value))


def same(item):
    return item
