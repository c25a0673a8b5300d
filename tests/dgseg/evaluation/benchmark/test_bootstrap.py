"""Intervals against SciPy's, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from dgseg.evaluation.benchmark.bootstrap import paired_difference


def by_name(values):
    return {f"p{number}": float(value) for number, value in enumerate(values)}


def test_agrees_with_scipy(rng):
    first = rng.normal(0.8, 0.1, 25)
    second = first - rng.normal(0.03, 0.05, 25)
    ours = paired_difference({"a": by_name(first)}, {"a": by_name(second)})
    theirs = bootstrap(
        (first - second,), np.mean, n_resamples=10_000, method="percentile", rng=1
    ).confidence_interval
    assert ours.mean == pytest.approx((first - second).mean())
    assert ours.low == pytest.approx(theirs.low, abs=1e-3)
    assert ours.high == pytest.approx(theirs.high, abs=1e-3)
    assert (ours.n_subjects, ours.fewest, ours.targets) == (25, 25, ("a",))


def test_agrees_with_scipy_on_two_targets(rng):
    small, large = rng.normal(0.1, 0.1, 6), rng.normal(0, 0.1, 40)
    ours = paired_difference(
        {"a": by_name(small), "b": by_name(large)},
        {"a": by_name(np.zeros(6)), "b": by_name(np.zeros(40))},
    )
    theirs = bootstrap(
        (small, large),
        lambda a, b, axis: (a.mean(axis) + b.mean(axis)) / 2,
        n_resamples=10_000,
        method="percentile",
        rng=1,
    ).confidence_interval
    assert ours.mean == pytest.approx((small.mean() + large.mean()) / 2)
    assert ours.low == pytest.approx(theirs.low, abs=3e-3)
    assert ours.high == pytest.approx(theirs.high, abs=3e-3)
    assert (ours.n_subjects, ours.fewest) == (46, 6)


def test_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    gain, held = 0.04, 0
    for trial in range(300):
        hardness = rng.normal(0.7, 0.15, 30)
        first = hardness + gain + rng.normal(0, 0.05, 30)
        second = hardness + rng.normal(0, 0.05, 30)
        found = paired_difference(
            {"a": by_name(first[:15]), "b": by_name(first[15:])},
            {"a": by_name(second[:15]), "b": by_name(second[15:])},
            n_resamples=1000,
            seed=trial,
        )
        held += found.low <= gain <= found.high
    # The percentile interval of 15 people is a little narrow: 93 % or so.
    assert 0.88 <= held / 300 <= 0.98


def test_pairing_takes_away_what_is_hard_for_both(rng):
    hardness = rng.normal(0.7, 0.2, 20)
    found = paired_difference({"a": by_name(hardness + 0.01)}, {"a": by_name(hardness)})
    assert found.low == pytest.approx(0.01)
    assert found.high == pytest.approx(0.01)


def test_only_people_of_both_count():
    first = {"a": {"p": 0.9, "q": 0.1}, "b": {"r": 0.5}}
    second = {"a": {"p": 0.8, "s": 0.2}, "c": {"t": 0.4}}
    found = paired_difference(first, second)
    assert found.mean == pytest.approx(0.1)
    assert found.targets == ("a",)
    assert found.n_subjects == 1
    assert found.low is None
    assert found.high is None
    assert paired_difference(first, {"d": {"p": 1.0}}) is None


def test_the_same_seed_gives_the_same_interval(rng):
    first, second = ({"a": by_name(rng.normal(size=9))} for _ in range(2))
    one = paired_difference(first, second, seed=4)
    assert one == paired_difference(first, second, seed=4)
    assert one != paired_difference(first, second, seed=5)
