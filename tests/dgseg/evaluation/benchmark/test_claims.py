"""A cell's folder belongs to one program and one set of settings; what served alone goes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import pytest
from filelock import FileLock

from dgseg.errors import TrainingError
from dgseg.evaluation.benchmark.claims import (
    FAILED_NAME,
    SCORES_NAME,
    SETTINGS_NAME,
    check_claim,
    folder_of,
    work_in_folder,
)

SETTINGS = {"config": {"steps": 2, "seed": 0}, "kept": {}}


@dataclass(frozen=True)
class Heart:
    name: str = "heart"


@pytest.fixture
def go(tmp_path):
    """Work in the folder of a cell that writes scores, or stops before."""

    def go(settings=SETTINGS, *, ends=True, kept=(), work=None):
        def write(folder):
            (folder / "model").mkdir(exist_ok=True)
            (folder / "training.json").write_text("{}")
            if ends:
                (folder / SCORES_NAME).write_text("{}")
            return ends

        began = time.monotonic() - 5.0
        return work_in_folder(
            Heart(), tmp_path, settings, work or write, began=began, kept=kept
        )

    return go


@pytest.fixture
def names(tmp_path):
    def names():
        return {path.name for path in folder_of(tmp_path, Heart()).iterdir()} - {".lock"}

    return names


def test_what_served_the_training_goes_and_the_seconds_count_from_where_they_began(
    go, names, tmp_path
):
    folder = folder_of(tmp_path, Heart())
    folder.mkdir(parents=True)
    (folder / FAILED_NAME).write_text("{}")
    result = go(kept={"training.json"})
    assert result.status == "finished"
    assert result.seconds >= 5.0
    assert names() == {SCORES_NAME, SETTINGS_NAME, "training.json"}
    assert json.loads((folder / SETTINGS_NAME).read_text()) == SETTINGS


def test_what_is_finished_is_not_worked_on_again(go):
    go()
    assert go(work=lambda _: pytest.fail("worked")).status == "kept"


def test_one_that_was_stopped_keeps_what_it_goes_on_from(go, names):
    assert go(ends=False).status == "stopped"
    assert names() == {SETTINGS_NAME, "training.json", "model"}
    assert go().status == "finished"
    assert names() == {SCORES_NAME, SETTINGS_NAME}


def test_two_programs_do_not_work_on_the_same_cell(go, tmp_path):
    folder = folder_of(tmp_path, Heart())
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        assert go(work=lambda _: pytest.fail("worked")).status == "busy"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"config": {"steps": 3, "seed": 0}}, r"\(steps\)"),
        ({"config": {"steps": 2}}, r"\(seed\)"),
        ({"kept": {"scan": [1]}}, r"\(kept\)"),
        ({"other": 1}, r"\(all of them\)"),
    ],
)
def test_other_settings_are_refused_by_name(go, changes, named):
    go(ends=False)
    with pytest.raises(TrainingError, match=named):
        go(SETTINGS | changes, work=lambda _: pytest.fail("worked"))


def test_a_damaged_claim_is_no_claim_of_these_settings(go, tmp_path):
    folder = folder_of(tmp_path, Heart())
    assert not check_claim(folder, SETTINGS)
    go(ends=False)
    (folder / SETTINGS_NAME).write_text("[")
    with pytest.raises(TrainingError, match="other settings"):
        check_claim(folder, SETTINGS)
