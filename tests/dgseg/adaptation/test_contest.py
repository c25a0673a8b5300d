"""Several methods are trained alike and judged by the same slices; the best is offered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dgseg.adaptation import contest as module
from dgseg.adaptation import run
from dgseg.adaptation.candidate import Plan, train_candidate
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.contest import LEAD, Contest, Entrant, in_turn, told_of
from dgseg.adaptation.gate import Verdict, judge
from dgseg.adaptation.holdout import HeldoutScores, choose_split
from dgseg.adaptation.reader import SiteReader
from dgseg.bundles.bundle import read_info, read_weights, write_bundle
from dgseg.errors import MethodError
from dgseg.scans.schema import SPINAL_GM

CONFIG = AdaptConfig(
    method="mean-teacher",
    rivals=("tent",),
    steps=4,
    device="cpu",
    precision="fp32",
    patch_px=32,
    threads=1,
    batch_unlabelled=2,
    learning_rate=1e-3,
    options={"consistency_weight": 1.0},
)


@pytest.fixture
def make_contest(bundle, make_item, watcher, tmp_path):
    """A contest over a site with corrections of these slices, and a scan without any."""

    def make(*corrected, every=4):
        items = [make_item(number, slices) for number, slices in enumerate(corrected)]
        reader = SiteReader([*items, make_item(len(items))], watcher)
        marks = {
            item.scan_id: np.flatnonzero(item.annotated).tolist()
            for item in items
            if item.annotated is not None
        }
        split = choose_split(marks, every)
        plan = Plan(split.heldout, tmp_path / "checkpoint")
        plan.checkpoint.mkdir(exist_ok=True)
        return Contest(reader, bundle, split, plan)

    return make


def entrant(method, share):
    """An entrant that finds such a share of a slice's structure; the model in use finds half."""
    scores = HeldoutScores(SPINAL_GM, crossed=True)
    truth = np.ones((1, 100), np.uint8)
    old, new = (np.where(np.arange(100) < n, 1, 0)[None] for n in (50, round(100 * share)))
    scores.add("scan", 0, truth, old, new)
    return Entrant(replace(CONFIG, method=method), None, 0.5, scores)


def gain(share):
    return 2 * share / (1 + share) - 2 / 3


def test_a_rival_must_be_clearly_better():
    chosen = entrant("mean-teacher", 0.6)
    assert chosen.gain == pytest.approx(gain(0.6))
    close, clear, clearer = (entrant("tent", share) for share in (0.61, 0.65, 0.7))
    assert 0 < close.gain - chosen.gain < LEAD < clear.gain - chosen.gain
    assert in_turn([chosen]) == [chosen]
    assert in_turn([chosen, close]) == [chosen]
    assert in_turn([chosen, clear, close, clearer]) == [clearer, clear, chosen]


def test_the_verdict_tells_what_was_tried():
    verdict = Verdict("green", True, "It is better.", {"n_heldout": 1})
    chosen, rival = entrant("mean-teacher", 0.6), entrant("tent", 0.7)
    assert told_of([chosen], chosen, verdict) == verdict
    told = told_of([chosen, rival], rival, verdict)
    assert told.sentence == (
        "It is better. Of 2 methods tried, Entropy minimisation is offered: on these slices "
        "Mean teacher 0.75, Entropy minimisation 0.82."
    )
    assert told.numbers == {
        "n_heldout": 1,
        "tried": {"mean-teacher": pytest.approx(0.75), "tent": pytest.approx(1.4 / 1.7)},
    }
    assert (told.colour, told.accept) == ("green", True)


@pytest.mark.parametrize("corrected", [[(1, 4), (3,)], [(0, 1, 2, 3), (1, 2, 3, 4)]])
def test_all_are_trained_alike_and_judged_by_the_same_slices(make_contest, watcher, corrected):
    contest = make_contest(*corrected)
    chosen, rival = contest.enter(CONFIG, watcher)
    infos = [read_info(each.candidate) for each in (chosen, rival)]
    assert [info.method for info in infos] == ["mean-teacher", "tent"]
    assert [info.training["steps"] for info in infos] == [4, 4]
    assert infos[0].parent_id == infos[1].parent_id == read_info(contest.bundle).bundle_id
    # Options and learning rate are those of the chosen method alone.
    configs = [info.training["config"] for info in infos]
    assert [config["options"] for config in configs] == [CONFIG.options, {}]
    assert [config["learning_rate"] for config in configs] == [1e-3, None]
    judged = [[(s.scan_id, s.slice) for s in each.scores.slices] for each in (chosen, rival)]
    assert judged[0] == judged[1] != []
    before = [[s.before for s in each.scores.slices] for each in (chosen, rival)]
    assert before[0] == before[1]
    folds = contest.split.folds
    assert chosen.scores.crossed == rival.scores.crossed == bool(folds)
    assert [chosen.share, rival.share] == [0.5, 1.0]
    total = 4 + 4 + len(folds) * (2 + 4)
    assert {each[1] for each in watcher.steps} == {total}
    steps = [step for step, _ in watcher.steps]
    assert steps == sorted(steps)
    assert steps[-1] == total
    # The rival's curve begins where the chosen method's judges have ended, and is one.
    told = {name for name, _ in watcher.losses}
    assert {"loss", "supervised", "Entropy minimisation: loss"} <= told
    assert not any(name.startswith("Entropy") and not name.endswith(": loss") for name in told)
    rivals = [step for name, step in watcher.losses if name.startswith("Entropy")]
    assert min(rivals) > max(step for name, step in watcher.losses if name == "loss")
    assert max(rivals) == 4 + len(folds) * 2 + 4


def test_a_rival_that_learns_nothing_takes_no_time(make_contest, watcher, monkeypatch):
    minutes = []

    def look(reader, bundle, config, *rest):
        minutes.append(config.minutes)
        return train_candidate(reader, bundle, config, *rest)

    monkeypatch.setattr(module, "train_candidate", look)
    contest = make_contest((1, 4), (3,))
    config = replace(CONFIG, rivals=("pose-search",), minutes=5.0)
    chosen, rival = contest.enter(config, watcher)
    assert minutes[0] == pytest.approx(5.0 / 2.5)  # as if it were alone
    assert [(s.scan_id, s.slice) for s in rival.scores.slices] == [
        (s.scan_id, s.slice) for s in chosen.scores.slices
    ]
    total = 4 + 3 * 2
    assert {each[1] for each in watcher.steps} == {total}
    steps = [step for step, _ in watcher.steps]
    assert steps == sorted(steps)
    assert steps[-1] == total


def test_a_bundle_that_seeks_is_not_made_again_by_a_rival(make_contest, bundle, watcher):
    contest = make_contest((1, 4), (3,))
    seeking = contest.plan.checkpoint.parent / "seeking"
    info = read_info(bundle)
    write_bundle(seeking, info.seeking_pose(), read_weights(bundle, info))
    config = replace(CONFIG, rivals=("pose-search",))
    (alone,) = replace(contest, bundle=seeking).enter(config, watcher)
    assert alone.config.method == "mean-teacher"


def test_beside_who_learns_nothing_nothing_is_tried(make_contest, watcher):
    config = replace(CONFIG, method="pose-search", learning_rate=None, options={})
    (alone,) = make_contest((1, 4), (3,)).enter(config, watcher)
    assert alone.config.method == "pose-search"


def test_who_learns_nothing_is_judged_by_every_correction(make_item, bundle, watcher, tmp_path):
    scans = [make_item(0, (1, 4)), make_item(1, (3,)), make_item(2)]
    (tmp_path / "job" / "checkpoint").mkdir(parents=True)
    config = AdaptConfig(method="pose-search", device="cpu", precision="fp32", threads=1)
    result = run.adapt(scans, bundle, config, tmp_path / "job", watcher)
    assert {(s["scan_id"], s["slice"]) for s in result["holdout"]} == {
        (scans[0].scan_id, 1),
        (scans[0].scan_id, 4),
        (scans[1].scan_id, 3),
    }
    assert (result["steps"], result["judging_steps"]) == (0, ())
    assert result["verdict"]["numbers"]["n_heldout"] == 3
    assert not result["verdict"]["numbers"]["crossed"]
    assert read_info(tmp_path / "job" / result["bundle"]).preprocessing.seek_pose


def test_who_learns_nothing_is_judged_where_every_slice_is_corrected(
    make_item, bundle, watcher, tmp_path
):
    scans = [make_item(0, (0, 1, 2, 3, 4, 5))]
    (tmp_path / "job" / "checkpoint").mkdir(parents=True)
    config = AdaptConfig(method="pose-search", device="cpu", precision="fp32", threads=1)
    result = run.adapt(scans, bundle, config, tmp_path / "job", watcher)
    assert result["verdict"]["numbers"]["n_heldout"] == scans[0].annotated.sum() == 6


@pytest.mark.parametrize("method", ["two-teachers", "finetune"])
def test_a_job_refuses_a_method_without_the_labels_that_it_needs(
    make_item, bundle, watcher, tmp_path, method
):
    config = AdaptConfig(method=method, steps=2, device="cpu", threads=1)
    with pytest.raises(MethodError, match=r"no corrected slice to learn from.* pose-search"):
        run.adapt([make_item(0), make_item(1)], bundle, config, tmp_path, watcher)


@pytest.mark.parametrize(("corrected", "every"), [([(2,)], 4), ([(1, 4), (3,)], 0)])
def test_nothing_is_tried_where_nothing_can_tell(make_contest, watcher, corrected, every):
    (alone,) = make_contest(*corrected, every=every).enter(CONFIG, watcher)
    assert alone.dice is None
    assert alone.config.method == "mean-teacher"
    assert watcher.warnings == []


def test_a_rival_that_cannot_run_is_warned_of_and_passed_over(make_contest, watcher):
    config = replace(CONFIG, rivals=("meta-disentangle", "mean-teacher", "tent", "tent"))
    entrants = make_contest((1, 4)).enter(config, watcher)
    assert [each.config.method for each in entrants] == ["mean-teacher", "tent"]
    ((words, _),) = watcher.warnings
    assert "does not tell anatomy from appearance" in words


def test_an_unknown_rival_is_refused_before_anything_is_trained(make_contest, watcher):
    contest = make_contest((1, 4))
    with pytest.raises(MethodError, match="magic"):
        contest.enter(replace(CONFIG, rivals=("magic",)), watcher)
    assert not (contest.plan.checkpoint / "candidate").exists()


def test_the_chosen_method_leaves_time_for_its_rivals(make_contest, watcher, monkeypatch):
    minutes = []

    def look(reader, bundle, config, *rest):
        minutes.append(config.minutes)
        return train_candidate(reader, bundle, config, *rest)

    monkeypatch.setattr(module, "train_candidate", look)
    contest = make_contest((1, 4))
    contest.enter(replace(CONFIG, minutes=8.0), watcher)
    # Two groups of slices, each judged in half of the steps, and in as many of the rival's.
    assert minutes[0] == pytest.approx(8.0 / (2 + 0.4 * 3))


def test_what_is_finished_is_not_done_again(make_contest, watcher):
    contest = make_contest((1, 4))
    first = [read_info(each.candidate).bundle_id for each in contest.enter(CONFIG, watcher)]
    watcher.steps.clear()
    again = contest.enter(CONFIG, watcher)
    assert [read_info(each.candidate).bundle_id for each in again] == first
    assert watcher.steps == []


@pytest.mark.parametrize(
    ("lead", "accepts", "offered"),
    [(-2.0, True, "tent"), (2.0, True, "mean-teacher"), (-2.0, False, "mean-teacher")],
)
def test_a_job_offers_a_rival_that_leads_and_is_accepted(
    make_item, bundle, watcher, tmp_path, monkeypatch, lead, accepts, offered
):
    monkeypatch.setattr(module, "LEAD", lead)
    monkeypatch.setattr(run, "judge", lambda seen: replace(judge(seen), accept=accepts))
    scans = [make_item(0, (1, 4)), make_item(1, (3,)), make_item(2)]
    (tmp_path / "job" / "checkpoint").mkdir(parents=True)
    result = run.adapt(scans, bundle, CONFIG, tmp_path / "job", watcher)
    info = read_info(tmp_path / "job" / result["bundle"])
    assert info.method == offered
    assert result["bundle_id"] == info.bundle_id
    assert result["judging_steps"] == ((4, 4, 4) if offered == "tent" else (2, 2, 2))
    tried = result["verdict"]["numbers"]["tried"]
    assert set(tried) == {"mean-teacher", "tent"}
    assert result["dice_after"] == pytest.approx(tried[offered])
    assert "2 methods tried" in result["verdict"]["sentence"]
