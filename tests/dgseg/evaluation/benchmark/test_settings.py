"""What the folder of a cell keeps of a training's settings."""

from __future__ import annotations

from dataclasses import asdict, replace

from dgseg.evaluation.benchmark.settings import preset_settings, through_json, training_settings
from dgseg.methods.adapting_config import FineTuneConfig, MeanTeacherConfig, TwoTeachersConfig
from dgseg.methods.config import DeepAllConfig
from dgseg.methods.dgnet_config import PLUS_CPU
from dgseg.training.config import TrainConfig


def test_a_setting_that_came_later_is_kept_only_where_it_changes_something():
    before = {name: value for name, value in asdict(PLUS_CPU).items() if name != "kl_free"}
    assert preset_settings(PLUS_CPU) == before
    changed = preset_settings(replace(PLUS_CPU, kl_free=0.25))
    assert changed == before | {"kl_free": 0.25}
    assert preset_settings(PLUS_CPU, whole=True) == asdict(PLUS_CPU)


def test_a_preset_that_is_younger_than_such_settings_is_kept_whole():
    assert preset_settings(TwoTeachersConfig()) == asdict(TwoTeachersConfig())
    assert "few_slices" not in preset_settings(MeanTeacherConfig())


def test_cells_that_knew_no_poses_are_those_that_seek_none():
    assert preset_settings(MeanTeacherConfig())["seek_pose"]
    assert "seek_pose" not in preset_settings(MeanTeacherConfig(seek_pose=False))
    assert "seek_pose" not in preset_settings(FineTuneConfig())


def test_presets_without_such_settings_are_kept_whole():
    assert preset_settings(DeepAllConfig()) == asdict(DeepAllConfig())


def test_an_option_that_came_later_makes_another_training():
    plain = training_settings(TrainConfig(method="dgnet-plus"), 4, 3)
    free = training_settings(TrainConfig(method="dgnet-plus", options={"kl_free": 0.25}), 4, 3)
    assert through_json(plain) != through_json(free)
    assert "threads" not in plain["config"]
