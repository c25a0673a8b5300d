from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dgseg.adaptation import crossing as module
from dgseg.adaptation.candidate import Plan, fine_tune, train_candidate
from dgseg.adaptation.config import AdaptConfig
from dgseg.adaptation.crossing import cross_judge, share_of, site_crossing
from dgseg.adaptation.holdout import FOLD_SHARE, choose_split, fold_steps
from dgseg.adaptation.reader import SiteReader
from dgseg.adaptation.watcher import AdaptationStopped
from dgseg.bundles.bundle import read_info, read_weights
from dgseg.methods.one_network import OneNetwork
from dgseg.site.proposals import read_proposal

CONFIG = AdaptConfig(
    method="mean-teacher",
    steps=6,
    device="cpu",
    precision="fp32",
    patch_px=32,
    threads=1,
    batch_unlabelled=2,
)


@pytest.fixture
def site(make_item, watcher):
    """Two corrected scans, three slices; a scan that nobody corrected."""
    items = [make_item(0, corrected=(1, 4)), make_item(1, corrected=(3,)), make_item(2)]
    return SiteReader(items, watcher)


@pytest.fixture
def crossed(bundle, site, watcher, tmp_path):
    """The candidate, and what judges it."""
    plan = Plan({}, tmp_path / "checkpoint")
    plan.checkpoint.mkdir()
    corrected = {
        item.scan_id: np.flatnonzero(item.annotated).tolist() for item in site.usable[:2]
    }
    candidate = train_candidate(site, bundle, CONFIG, plan, watcher)
    return candidate, site_crossing(site, bundle, choose_split(corrected, 4), plan)


def test_each_slice_is_judged_by_a_training_that_never_saw_it(
    crossed, site, watcher, monkeypatch
):
    candidate, crossing = crossed
    seen = []

    def look(items, *args, **options):
        found = {item.scan.scan_id: item for item in items()}
        seen.append({key: item.annotated & ~item.hidden for key, item in found.items()})
        hidden = {key: np.flatnonzero(item.hidden).tolist() for key, item in found.items()}
        fold = crossing.folds[len(seen) - 1]
        assert hidden == {key: list(fold.get(key, ())) for key in found}
        return fine_tune(items, *args, **options)

    monkeypatch.setattr(module, "fine_tune", look)
    scores = cross_judge(crossing, candidate, CONFIG, watcher)
    assert [sum(marks.sum() for marks in each.values()) for each in seen] == [2, 2, 2]
    corrected = {item.scan_id: item for item in site.usable[:2]}
    assert {(s.scan_id, s.slice) for s in scores.slices} == {
        (key, index)
        for key, item in corrected.items()
        for index in np.flatnonzero(item.annotated)
    }
    assert scores.crossed
    for number, fold in enumerate(crossing.folds, start=1):
        for scan_id, (index,) in fold.items():
            (score,) = (s for s in scores.slices if (s.scan_id, s.slice) == (scan_id, index))
            folder = crossing.folder / f"fold-{number}" / "proposals" / scan_id
            proposal = read_proposal(folder).labels[index]
            truth = corrected[scan_id].labels[index]
            sizes = (proposal == 1).sum() + (truth == 1).sum()
            assert score.after["GM"] == pytest.approx(
                2 * ((proposal == 1) & (truth == 1)).sum() / sizes
            )


def test_the_trainings_are_like_the_candidates_but_shorter(crossed, bundle, watcher):
    candidate, crossing = crossed
    # Where time decides, they take their share of the steps that the candidate has taken.
    cross_judge(crossing, candidate, replace(CONFIG, steps=None, minutes=60.0), watcher)
    learnt = [candidate, *(crossing.folder / f"fold-{i}" / "candidate" for i in (1, 2, 3))]
    infos = [read_info(folder) for folder in learnt]
    assert [info.training["steps"] for info in infos] == [6, 3, 3, 3]
    assert {info.parent_id for info in infos} == {read_info(bundle).bundle_id}
    assert {info.training["config"]["seed"] for info in infos} == {0}
    weights = [
        next(iter(read_weights(folder, info).values())).flatten()
        for folder, info in zip(learnt, infos, strict=True)
    ]
    assert len({tuple(each.tolist()) for each in weights}) == 4


def test_a_training_without_some_slices_learns_as_one_with_all(crossed, watcher, monkeypatch):
    """Of three slices two are left: fewer, but what is judged is a training with three."""
    candidate, crossing = crossed
    asked = []
    monkeypatch.setattr(OneNetwork, "prepare", lambda _, labelled: asked.append(labelled))
    cross_judge(crossing, candidate, CONFIG, watcher)
    assert [labelled.n_slices for labelled in asked] == [3, 3, 3]


def test_a_shorter_training_is_a_complete_one(crossed, bundle, site, watcher, tmp_path):
    """Not the beginning of a longer one: its schedules end with it."""
    candidate, crossing = crossed
    cross_judge(crossing, candidate, CONFIG, watcher)
    folder = tmp_path / "alone"
    folder.mkdir()
    alone = fine_tune(
        lambda: crossing.items(crossing.folds[0]),
        bundle,
        replace(CONFIG, steps=3),
        folder,
        watcher,
        unlabelled=crossing.unlabelled,
    )
    judge = crossing.folder / "fold-1" / "candidate"
    expected, found = (read_weights(path, read_info(path)) for path in (alone, judge))
    assert all(found[name].equal(weight) for name, weight in expected.items())


@pytest.mark.parametrize(
    ("method", "share"),
    [
        ("mean-teacher", FOLD_SHARE),
        ("finetune", FOLD_SHARE),
        ("meta-disentangle", FOLD_SHARE),
        ("tent", 1.0),
        ("tent-sar", 1.0),
    ],
)
def test_what_no_label_holds_is_judged_by_trainings_as_long(method, share):
    assert share_of(replace(CONFIG, method=method)) == share


@pytest.mark.parametrize(("steps", "expected"), [(1, 1), (2, 1), (3, 2), (5, 2), (200, 100)])
def test_no_training_is_without_a_step(steps, expected):
    assert fold_steps(steps, 0.5) == expected


def test_trainings_of_a_job_that_began_with_longer_ones_stay_as_long(crossed, watcher):
    candidate, crossing = crossed
    cross_judge(replace(crossing, share=1.0), candidate, CONFIG, watcher)
    info = read_info(crossing.folder / "fold-1" / "candidate")
    assert info.training["steps"] == CONFIG.steps
    assert watcher.steps[-1] == (24, 24)


def test_progress_is_over_all_trainings_and_without_their_losses(crossed, watcher):
    candidate, crossing = crossed
    watcher.steps.clear()
    watcher.phases.clear()
    cross_judge(crossing, candidate, CONFIG, watcher)
    assert watcher.phases == ["judging"] * 3
    # 6 of the candidate, and 3 of each of the others.
    assert watcher.steps[-1] == (15, 15)
    assert {total for _, total in watcher.steps} == {15}
    assert min(step for step, _ in watcher.steps) > 6
    assert [step for step, _ in watcher.steps] == sorted(step for step, _ in watcher.steps)


def test_what_is_finished_is_not_done_again(crossed, watcher, monkeypatch):
    candidate, crossing = crossed
    done = []

    def stop_after_two(*args, **options):
        if len(done) == 2:
            raise AdaptationStopped
        done.append(fine_tune(*args, **options))
        return done[-1]

    monkeypatch.setattr(module, "fine_tune", stop_after_two)
    with pytest.raises(AdaptationStopped):
        cross_judge(crossing, candidate, CONFIG, watcher)
    monkeypatch.setattr(module, "fine_tune", fine_tune)
    made = {path: read_info(path).bundle_id for path in done}
    watcher.steps.clear()
    scores = cross_judge(crossing, candidate, CONFIG, watcher)
    assert {path: read_info(path).bundle_id for path in done} == made
    assert min(step for step, _ in watcher.steps) > 12
    assert len(scores.slices) == 3
