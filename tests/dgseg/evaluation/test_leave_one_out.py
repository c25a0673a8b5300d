"""Every domain is held out once, honestly, and never twice."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from dgseg.datasets.registry import Entry
from dgseg.errors import TrainingError
from dgseg.evaluation import leave_one_out as module
from dgseg.evaluation.leave_one_out import (
    RESULT_NAME,
    TABLE_NAME,
    leave_one_out,
    read_folds,
)
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.geometry import Geometry
from dgseg.scans.scan import Scan, ScanSource
from dgseg.scans.schema import SPINAL_GM
from dgseg.training.config import TrainConfig
from dgseg.training.train import TrainingSet

CONFIG = TrainConfig(
    steps=2,
    batch_per_domain=1,
    patch_px=32,
    spacing_mm=None,
    width=4,
    depth=2,
    device="cpu",
    precision="fp32",
    threads=1,
)


def entry(domain, subject, seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((3, 32, 32), np.uint8)
    labels[:, 10:20, 10:20] = 2
    labels[:, 13:17, 13:17] = 1
    array = (labels + rng.normal(0, 0.1, labels.shape)).astype(np.float32)
    geometry = Geometry((32, 32, 3), np.diag([1.0, 1, 4, 1]), 2)
    source = ScanSource(kind="memory", path=Path("memory"))
    marks = np.array([True, True, False])
    item = AnnotatedScan(Scan(array, geometry, source), labels, marks, domain, subject)
    return Entry(domain, subject, source, True, lambda: item)


@pytest.fixture
def data():
    people = [("a", "p1"), ("b", "p2"), ("b", "p3"), ("synthetic-x", "s1")]
    entries = tuple(entry(d, p, seed) for seed, (d, p) in enumerate(people))
    return TrainingSet(("made-up",), SPINAL_GM, entries, ("CC0-1.0",))


def test_every_real_domain_is_held_out_once(data, tmp_path, monkeypatch):
    learnt = []
    original = module.train

    def spy(config, subset, out, **options):
        learnt.append(subset.domains)
        return original(config, subset, out, **options)

    monkeypatch.setattr(module, "train", spy)
    told = []
    folds = leave_one_out(CONFIG, data, tmp_path, on_fold=lambda *args: told.append(args))
    assert learnt == [("b", "synthetic-x"), ("a", "synthetic-x")]
    assert told == [("a", 0, 2), ("b", 1, 2)]
    assert [fold.domain for fold in folds] == ["a", "b"]
    assert [len(fold.scores) for fold in folds] == [1, 2]
    assert all(score.n_slices == 2 for fold in folds for score in fold.scores)
    assert read_folds(tmp_path) == folds
    table = (tmp_path / TABLE_NAME).read_text(encoding="utf-8")
    assert "GM" in table
    assert "mean over domains" in table
    assert "p2" not in table


def test_a_finished_fold_is_not_trained_again(data, tmp_path, monkeypatch):
    first = leave_one_out(CONFIG, data, tmp_path)
    monkeypatch.setattr(module, "train", lambda *a, **k: pytest.fail("trained again"))
    assert leave_one_out(CONFIG, data, tmp_path) == first


def test_it_goes_on_where_it_was_stopped(data, tmp_path):
    asked = iter([False, False, True])
    stopped = leave_one_out(CONFIG, data, tmp_path, should_stop=lambda: next(asked))
    assert stopped is None
    assert not (tmp_path / RESULT_NAME).exists()
    with pytest.raises(TrainingError, match="no finished evaluation"):
        read_folds(tmp_path)
    folds = leave_one_out(CONFIG, data, tmp_path)
    assert [fold.domain for fold in folds] == ["a", "b"]


def test_folds_of_other_settings_are_not_taken_for_these(data, tmp_path):
    leave_one_out(CONFIG, data, tmp_path, held_out=["a"])
    with pytest.raises(TrainingError, match="other settings"):
        leave_one_out(dataclasses.replace(CONFIG, seed=1), data, tmp_path, held_out=["a"])


def test_unknown_domains_are_named(data, tmp_path):
    with pytest.raises(TrainingError, match="no domain nowhere"):
        leave_one_out(CONFIG, data, tmp_path, held_out=["nowhere"])


def test_folds_start_only_from_a_model_that_never_saw_their_domain(data, tmp_path):
    seen = module.train(CONFIG, data.without("b"), tmp_path / "seen")
    with pytest.raises(TrainingError, match="already learnt from a"):
        leave_one_out(CONFIG, data, tmp_path / "folds", start_from=seen)
    (fold,) = leave_one_out(CONFIG, data, tmp_path / "folds", start_from=seen, held_out=["b"])
    assert fold.domain == "b"
    with pytest.raises(TrainingError, match="other settings"):
        leave_one_out(CONFIG, data, tmp_path / "folds", held_out=["b"])
