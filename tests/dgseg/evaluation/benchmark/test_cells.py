"""A cell is trained once, without a look at the target, and keeps to its settings."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dgseg.bundles.bundle import read_info
from dgseg.datasets import cardiac
from dgseg.errors import DatasetError, MethodError, TrainingError
from dgseg.evaluation.benchmark import cells as module
from dgseg.evaluation.benchmark.cells import config_of, run_cell
from dgseg.evaluation.benchmark.claims import folder_of
from dgseg.evaluation.benchmark.plan import Row, row
from dgseg.methods.mean_teacher import MeanTeacher
from dgseg.training.train import training_set


def only_cell(plan):
    (cell,) = plan.cells(("east", "north", "west"))
    return cell


def scores_of(out, cell):
    return json.loads((folder_of(out, cell) / "scores.json").read_text())


@pytest.fixture
def reads(monkeypatch):
    """Domain and subject of every scan whose file is opened, in order, with a mark at each
    step of a cell."""
    seen = []
    load = cardiac._load

    def spy(path, labels_path, domain, subject):
        seen.append((domain, subject))
        return load(path, labels_path, domain, subject)

    monkeypatch.setattr(cardiac, "_load", spy)
    train = module.train

    def marked(config, data, out, *, validation, **options):
        seen.append("train")
        bundle = train(config, data, out, validation=validation, **options)
        seen.append("trained")
        return bundle

    monkeypatch.setattr(module, "train", marked)
    return seen


def test_the_target_is_opened_only_once_the_bundle_is_written(make_plan, tmp_path, reads):
    plan = make_plan("deepall")
    cell = only_cell(plan)
    assert run_cell(cell, plan, tmp_path).status == "finished"
    done = reads.index("trained")
    assert reads[0] == "train"
    learnt = set(reads[1:done])
    split = json.loads(next((tmp_path / "splits").iterdir()).read_text())
    allowed = {tuple(who) for role in ("labelled", "validation") for who in split[role]}
    assert learnt == allowed  # nor the unlabelled, which this method has no use for
    assert {domain for domain, _ in learnt} == {"north", "west"}
    assert {domain for domain, _ in reads[done + 1 :]} == {"east"}


def test_labels_of_the_unlabelled_cannot_be_read(make_plan, tmp_path, monkeypatch):
    monkeypatch.setattr(MeanTeacher, "semi_supervised", True, raising=False)
    given = {}

    def look(config, data, out, *, validation, **_):
        given.update(config=config, data=data, validation=validation)

    monkeypatch.setattr(module, "train", look)
    plan = make_plan("mean-teacher")
    assert run_cell(only_cell(plan), plan, tmp_path).status == "stopped"
    data, validation = given["data"], given["validation"]
    loaded = [entry.load() for entry in data.entries]
    with_labels = [item.subject for item in loaded if item.labels is not None]
    assert len(with_labels) == 2  # one of each source domain
    assert len(loaded) == 4
    assert not {entry.subject for entry in data.entries} & {e.subject for e in validation}
    assert len({entry.domain for entry in validation}) == 2
    config = given["config"]
    assert (config.batch_per_domain, config.unlabelled_per_domain) == (1, 1)


def test_what_it_leaves_behind(make_plan, tmp_path):
    plan = make_plan("deepall-none")
    cell = only_cell(plan)
    run_cell(cell, plan, tmp_path)
    folder = folder_of(tmp_path, cell)
    there = {path.name for path in folder.iterdir()}
    assert there == {".lock", "bundle", "cell.json", "scores.json", "training.json"}
    scores = scores_of(tmp_path, cell)
    assert scores["label"] == "deepall-none"
    assert scores["cell"] == dataclasses.asdict(cell)
    assert [subject["subject"] for subject in scores["subjects"]] == ["P00", "P01", "P02"]
    assert set(scores["subjects"][0]["dice"]) == set(scores["schema"]) == {"LV", "MYO", "RV"}
    assert (scores["steps"], scores["images_seen"], scores["spacing_known"]) == (3, 12, False)
    assert scores["selection"]["step"] in (2, 3)
    assert scores["distance_correlation"] is None
    config = read_info(folder / "bundle").training["config"]
    assert config["augment"] == "none"


def test_a_finished_cell_is_not_trained_again(make_plan, tmp_path, monkeypatch):
    plan = make_plan("deepall")
    cell = only_cell(plan)
    run_cell(cell, plan, tmp_path)
    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("trained again"))
    assert run_cell(cell, plan, tmp_path).status == "kept"


def test_a_killed_cell_goes_on_and_ends_as_if_nothing_had_been(make_plan, tmp_path):
    plan = make_plan("deepall", steps=5)
    cell = only_cell(plan)
    steps = []

    def kill(step, *_):
        steps.append(step)
        if steps == [1, 2, 3]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cell(cell, plan, tmp_path / "killed", on_step=kill)
    assert not (folder_of(tmp_path / "killed", cell) / "scores.json").exists()
    assert run_cell(cell, plan, tmp_path / "killed", on_step=kill).status == "finished"
    assert steps == [1, 2, 3, 3, 4, 5]  # the third was not on disk yet
    run_cell(cell, plan, tmp_path / "whole")
    killed, whole = (scores_of(tmp_path / where, cell) for where in ("killed", "whole"))
    for scores in (killed, whole):
        del scores["seconds"]
    assert killed == whole


def test_a_cell_of_other_settings_is_refused(make_plan, tmp_path):
    plan = make_plan("deepall")
    cell = only_cell(plan)
    run_cell(cell, plan, tmp_path)
    config = dataclasses.replace(plan.config, threads=1, checkpoint_every_s=9)
    assert run_cell(cell, dataclasses.replace(plan, config=config), tmp_path).status == "kept"
    longer = dataclasses.replace(plan, config=dataclasses.replace(plan.config, steps=4))
    with pytest.raises(TrainingError, match=r"other settings than now \(steps\)"):
        run_cell(cell, longer, tmp_path)
    with pytest.raises(DatasetError, match="does not fit"):
        run_cell(cell, dataclasses.replace(plan, n_validation=2), tmp_path)


def test_a_preset_that_was_changed_in_the_code_is_noticed(make_plan, tmp_path, monkeypatch):
    plan = make_plan("deepall")
    cell = only_cell(plan)
    run_cell(cell, plan, tmp_path)
    resolve = module.registry.resolve

    def changed(name, size="cpu"):
        kind, config = resolve(name, size)
        return kind, dataclasses.replace(config, ema_decay=0.5)

    monkeypatch.setattr(module.registry, "resolve", changed)
    with pytest.raises(TrainingError, match="ema_decay"):
        run_cell(cell, plan, tmp_path)


def test_every_method_sees_as_many_images(make_plan, monkeypatch):
    monkeypatch.setattr(MeanTeacher, "semi_supervised", True, raising=False)
    plan = make_plan(
        "deepall", "mean-teacher", "mean-teacher/no-unlabelled", images_per_step=12
    )
    for cell in plan.cells(("east",)):
        config = config_of(cell, plan, 3)
        per_domain = config.batch_per_domain + config.unlabelled_per_domain
        assert per_domain * 3 == plan.images_per_step
        alone = cell.method == "deepall" or cell.variant == "no-unlabelled"
        assert (config.unlabelled_per_domain == 0) is alone
        assert config.unlabelled_per_domain == (0 if alone else 1)
    learns_from_both = plan.cells(("east",))[1]
    with pytest.raises(TrainingError, match=r"12 images .* 5 domains.*multiple of 5"):
        config_of(plan.cells(("east",))[0], plan, 5)
    with pytest.raises(TrainingError, match=r"with and without labels.*at least 24"):
        config_of(learns_from_both, plan, 12)


def test_without_people_for_it_nothing_is_selected(make_plan, tmp_path):
    plan = make_plan("deepall", n_validation=0)
    cell = only_cell(plan)
    run_cell(cell, plan, tmp_path)
    assert scores_of(tmp_path, cell)["selection"] is None


def test_options_that_a_method_does_not_take_are_said(make_plan, tmp_path):
    plan = make_plan("deepall/no-rank")
    with pytest.raises(MethodError, match="rank_weight"):
        run_cell(only_cell(plan), plan, tmp_path)
    plan = dataclasses.replace(plan, rows=(Row("new", "no-such-method"), row("deepall")))
    with pytest.raises(MethodError, match="no method"):
        run_cell(plan.cells(("east",))[0], plan, tmp_path)


def test_the_data_may_be_given(make_plan, hearts, tmp_path):
    plan = dataclasses.replace(make_plan("deepall"), data_root=tmp_path / "nowhere")
    data = training_set(("cardiac",), root=hearts)
    assert run_cell(only_cell(plan), plan, tmp_path, data=data).status == "finished"
