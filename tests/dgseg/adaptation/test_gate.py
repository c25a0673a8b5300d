from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgseg.adaptation.gate import Evidence, judge, judge_again

RISE = ({"GM": 0.70, "WM": 0.80}, {"GM": 0.80, "WM": 0.86})


def evidence(
    before, after, *, n=4, ratios=None, areas=None, agreement=None, **more
) -> Evidence:
    return Evidence(
        **more,
        n_heldout=n,
        before=before,
        after=after,
        volume_ratio=ratios or {},
        area_ratio=areas or {},
        agreement=agreement or {},
    )


def test_a_clear_rise_is_green_and_says_the_numbers():
    verdict = judge(evidence(*RISE, ratios={"a": {"GM": 1.1, "WM": 0.95}}))
    assert (verdict.colour, verdict.accept) == ("green", True)
    assert "4 held-out slices" in verdict.sentence
    assert "from 0.75 to 0.83" in verdict.sentence
    assert "GM 0.70 to 0.80" in verdict.sentence
    assert "GM +10 %, WM -5 %" in verdict.sentence
    assert verdict.numbers["dice_after"] == pytest.approx(0.83)


def test_better_is_not_called_good():
    verdict = judge(evidence({"GM": 0.05, "WM": 0.11}, {"GM": 0.16, "WM": 0.37}))
    assert verdict.accept
    assert "still poor: correct more" in verdict.sentence
    assert "poor" not in judge(evidence(*RISE)).sentence


def test_crossed_evidence_says_who_judged():
    verdict = judge(evidence(*RISE, n=3, n_better=3, crossed=True))
    assert (verdict.colour, verdict.accept) == ("green", True)
    assert verdict.sentence.startswith(
        "On 3 corrected slices, each judged by a training that had not seen it, Dice rises "
        "from 0.75 to 0.83 (GM 0.70 to 0.80, WM 0.80 to 0.86)."
    )
    assert "held-out" not in verdict.sentence
    assert verdict.numbers["crossed"] is True


@pytest.mark.parametrize("crossed", [False, True])
def test_what_learns_nothing_has_nothing_held_out(crossed):
    more = {"n": 3, "crossed": crossed, "learnt": False}
    verdict = judge(evidence(*RISE, **more, n_better=3))
    assert verdict.sentence.startswith("On 3 corrected slices Dice rises from 0.75 to 0.83")
    verdict = judge(evidence(*reversed(RISE), **more, n_worse=3))
    assert verdict.sentence.startswith("It is worse on GM and WM: keep the old one. On 3 corr")


@pytest.mark.parametrize(
    ("n", "n_corrected", "words"),
    [
        (0, 0, "Without corrections to judge by"),
        (0, 1, "Without corrections to judge by"),
        (0, 3, "No corrected slice was to judge it"),
        (3, 3, "The slices that were to judge show no structure"),
    ],
)
def test_why_nothing_judges(n, n_corrected, words):
    nothing = {"GM": None, "WM": None}
    verdict = judge(evidence(nothing, nothing, n=n, n_corrected=n_corrected))
    assert verdict.colour == "amber"
    assert verdict.sentence.startswith(words)


def test_the_candidate_is_not_called_worse_for_what_it_was_not_asked():
    verdict = judge(evidence(*reversed(RISE), n=3, n_worse=3, crossed=True))
    assert verdict.colour == "red"
    assert verdict.sentence.startswith(
        "What is learnt this way makes unseen slices worse on GM and WM: keep the old one. On 3 "
        "corrected slices, each judged by a training that had not seen it, Dice falls"
    )


@pytest.mark.parametrize(
    ("n", "n_worse", "colour"),
    [(2, 0, "green"), (2, 1, "amber"), (3, 1, "green"), (3, 2, "amber"), (7, 2, "green")],
)
def test_a_mean_that_some_slices_made_alone_is_no_rise(n, n_worse, colour):
    verdict = judge(evidence(*RISE, n=n, n_worse=n_worse, n_better=n - n_worse))
    assert verdict.colour == colour
    assert (f"{n_worse} of these slices became worse" in verdict.sentence) == (
        colour == "amber"
    )


def test_one_held_out_slice_is_an_anecdote():
    verdict = judge(evidence(*RISE, n=1))
    assert (verdict.colour, verdict.accept) == ("amber", False)
    assert "1 held-out slice cannot settle it" in verdict.sentence


def test_one_held_out_slice_does_not_condemn_either():
    assert judge(evidence(*reversed(RISE), n=1)).colour == "amber"


def test_without_held_out_slices_it_says_that_nobody_can_tell():
    nothing = {"GM": None, "WM": None}
    verdict = judge(evidence(nothing, nothing, n=0))
    assert (verdict.colour, verdict.accept) == ("amber", False)
    assert "nobody can tell" in verdict.sentence


def test_a_fall_of_the_mean_is_red():
    verdict = judge(evidence(*reversed(RISE)))
    assert (verdict.colour, verdict.accept) == ("red", False)
    assert "keep the old one" in verdict.sentence


def test_one_structure_that_falls_far_is_red_though_the_mean_rises():
    verdict = judge(evidence({"GM": 0.6, "WM": 0.9}, {"GM": 0.9, "WM": 0.8}))
    assert verdict.colour == "red"
    assert "worse on WM" in verdict.sentence


@pytest.mark.parametrize(("n_better", "n_worse", "colour"), [(2, 1, "amber"), (1, 2, "red")])
def test_a_fall_that_one_slice_made_alone_is_to_be_looked_at(n_better, n_worse, colour):
    counts = {"n": 3, "n_better": n_better, "n_worse": n_worse, "crossed": True}
    one = judge(evidence({"GM": 0.6, "WM": 0.9}, {"GM": 0.9, "WM": 0.7}, **counts))
    every = judge(evidence(*reversed(RISE), **counts))
    assert (one.colour, every.colour) == (colour, colour)
    if colour == "amber":
        assert "Look at WM" in one.sentence
        assert "Yet 2 of these slices became better" in every.sentence


@pytest.mark.parametrize(("n", "colour"), [(8, "amber"), (7, "green")])
def test_one_structure_that_falls_a_little_is_amber_where_slices_are_many(n, colour):
    verdict = judge(evidence({"GM": 0.6, "WM": 0.9}, {"GM": 0.9, "WM": 0.87}, n=n))
    assert verdict.colour == colour
    assert ("Look at WM" in verdict.sentence) == (colour == "amber")


def test_no_change_is_amber():
    verdict = judge(evidence(RISE[0], RISE[0]))
    assert (verdict.colour, verdict.accept) == ("amber", False)
    assert "no clear difference" in verdict.sentence


def test_a_structure_that_vanishes_elsewhere_is_red_whatever_the_dice():
    ratios = {"a": {"GM": 0.0, "WM": 1.0}, "b": {"GM": 0.05, "WM": 1.0}, "c": {"GM": 1.0}}
    verdict = judge(evidence(*RISE, ratios=ratios))
    assert verdict.colour == "red"
    assert "GM vanished" in verdict.sentence


def test_a_flood_that_shrinks_to_the_size_of_the_corrections_has_not_vanished():
    ratios, areas = {"a": {"GM": 0.02, "WM": 0.9}}, {"a": {"GM": 0.8, "WM": 0.9}}
    verdict = judge(evidence({"GM": 0.05, "WM": 0.1}, RISE[1], ratios=ratios, areas=areas))
    assert verdict.colour == "green"


def test_a_structure_that_was_never_there_cannot_vanish():
    ratios = {"a": {"GM": None, "WM": 1.0}}
    assert judge(evidence(*RISE, ratios=ratios)).colour == "green"


def test_volumes_that_change_much_must_be_looked_at():
    verdict = judge(evidence(*RISE, ratios={"a": {"GM": 3.0, "WM": 1.0}}))
    assert verdict.colour == "amber"
    assert "GM +200 %" in verdict.sentence


@pytest.mark.parametrize(
    ("ratio", "colour"), [(0.42, "green"), (0.38, "amber"), (2.4, "green")]
)
def test_mending_half_of_a_structure_is_no_doubt(ratio, colour):
    assert judge(evidence(*RISE, ratios={"a": {"GM": ratio, "WM": 1.0}})).colour == colour


def test_a_verdict_can_be_given_again_from_its_numbers():
    first = judge(evidence(*RISE, n_better=3, crossed=True, ratios={"a": {"GM": 3.0}}))
    again = judge_again(json.loads(json.dumps(first.numbers)))
    assert (again.colour, again.sentence) == (first.colour, first.sentence)
    older = {name: first.numbers[name] for name in ("n_heldout", "before", "after")}
    assert judge_again(older).colour == "green"  # nobody had measured volumes
    with pytest.raises(TypeError):
        judge_again({})


def test_little_agreement_must_be_looked_at():
    verdict = judge(evidence(*RISE, agreement={"a": 0.2, "b": 0.3}))
    assert verdict.colour == "amber"
    assert "Dice 0.25" in verdict.sentence


def test_disagreement_with_a_model_that_fails_is_no_doubt():
    verdict = judge(
        evidence(
            {"GM": 0.1, "WM": 0.2},
            RISE[1],
            ratios={"a": {"GM": 3.0, "WM": 0.4}},
            agreement={"a": 0.1},
        )
    )
    assert verdict.colour == "green"
    assert "GM +200 %" in verdict.sentence


share = st.one_of(st.none(), st.floats(0, 1))
scores = st.fixed_dictionaries({"GM": share, "WM": share})


@given(
    before=scores,
    after=scores,
    n=st.integers(0, 9),
    ratios=st.dictionaries(
        st.text("ab", min_size=1, max_size=2),
        st.fixed_dictionaries({"GM": st.one_of(st.none(), st.floats(0, 9))}),
    ),
    agreement=st.dictionaries(st.text("ab", min_size=1, max_size=2), st.floats(0, 1)),
)
def test_any_evidence_has_a_verdict_that_json_can_hold(before, after, n, ratios, agreement):
    known = {name for name in before if before[name] is not None and after[name] is not None}
    before = {name: before[name] if name in known else None for name in before}
    after = {name: after[name] if name in known else None for name in after}
    verdict = judge(evidence(before, after, n=n, ratios=ratios, agreement=agreement))
    assert verdict.accept == (verdict.colour == "green")
    assert verdict.sentence.endswith(".") or verdict.sentence.endswith("eye.")
    json.dumps(verdict.numbers, allow_nan=False)
