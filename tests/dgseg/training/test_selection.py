"""The best weights are remembered, by a Dice of whole scans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dgseg.datasets.registry import Entry
from dgseg.errors import TrainingError
from dgseg.metrics.scores import score
from dgseg.scans.annotated import AnnotatedScan
from dgseg.scans.preprocessing import Preprocessing
from dgseg.training.config import LoopConfig
from dgseg.training.devices import make_fabric
from dgseg.training.episodes import EpisodeSampler, EpisodeShape
from dgseg.training.loop import fit
from dgseg.training.selection import Selection, ValidationScan, mean_dice, prepare_scans
from dgseg.training.store import SliceStore

CPU = torch.device("cpu")


def entry_of(item, labelled=True):
    return Entry(item.domain, "p", item.scan.source, labelled, lambda: item)


class Fixed:
    """Predicts what the image's intensity says, in four classes."""

    def __init__(self):
        self.net = nn.Linear(1, 1)

    def predict(self, images):
        return nn.functional.one_hot(images[:, 0].round().long(), 4).movedim(-1, 1).float()

    def deployable(self):
        return self.net


def test_dice_is_that_of_the_scores(rng):
    scans, expected = [], []
    for n in (3, 40):
        found, true = rng.integers(0, 3, (2, n, 20, 24))
        true[:, :, :5] = 0
        scans.append(
            ValidationScan(
                torch.from_numpy(found)[:, None].half(), torch.from_numpy(true).to(torch.uint8)
            )
        )
        expected.append(score(found, true, (1, 1, 1), 4).dice)
    # Structure 3 is nowhere: it counts as 1.
    assert [dice[2] for dice in expected] == [1, 1]
    assert mean_dice(Fixed(), scans) == pytest.approx(np.mean(expected), abs=1e-12)


def test_only_annotated_slices_are_prepared_on_the_models_grid(make_scan):
    item = make_scan("a", size=(4, 40, 48), annotated=[True, False, True, False])
    unlabelled = AnnotatedScan(item.scan, None, None, "a")
    entries = [entry_of(item), entry_of(unlabelled), entry_of(unlabelled, labelled=False)]
    (scan,) = prepare_scans(entries, Preprocessing(pixel_scale=2), CPU)
    assert scan.images.shape == (2, 1, 20, 24)
    assert scan.images.dtype == torch.float16
    assert scan.labels.shape == (2, 20, 24)
    assert scan.labels.sum() == pytest.approx(item.labels[::2].sum() / 4, rel=0.1)
    with pytest.raises(TrainingError, match="labelled"):
        prepare_scans(entries[1:], Preprocessing(), CPU)


def test_the_first_of_the_best_is_kept(monkeypatch):
    scores = iter([0.2, 0.7, 0.6, 0.7, 0.1])
    monkeypatch.setattr("dgseg.training.selection.mean_dice", lambda *_: next(scores))
    method = Fixed()
    selection = Selection((), every=10)
    for step in (10, 20, 30, 40, 50):
        with torch.no_grad():
            method.net.weight.fill_(step)
        selection.look(method, step)
    assert (selection.step, selection.score) == (20, 0.7)
    assert selection.weights["weight"].item() == 20
    assert [step for step, _ in selection.history] == [10, 20, 30, 40, 50]
    other = Selection((), every=10)
    other.load_state(selection.state())
    assert other.state() == selection.state()


def test_it_is_due_now_and_then_and_at_the_end():
    selection = Selection((), every=10)
    assert [step for step in range(1, 25) if selection.due(step, last=False)] == [10, 20]
    assert selection.due(24, last=True)
    selection.history.append((24, 0.5))
    assert not selection.due(24, last=True)


@pytest.fixture
def train_with(make_scan, make_method, tmp_path: Path):
    store = SliceStore.build([make_scan("a"), make_scan("b", seed=1)], Preprocessing())
    sampler = EpisodeSampler(store, EpisodeShape(2, 0, 16), seed=1)
    scans = prepare_scans([entry_of(make_scan("c", seed=2))], Preprocessing(), CPU)
    fabric = make_fabric("cpu", "fp32")

    def run(name, stop_after=None, kind=make_method, steps=23):
        method, selection = kind(), Selection(scans, every=4)
        result = fit(
            method,
            sampler,
            LoopConfig(steps),
            fabric,
            should_stop=lambda: stop_after is not None and len(method.seen) == stop_after,
            checkpoint_path=tmp_path / name,
            selection=selection,
        )
        return result, method, selection

    return run


def test_a_resumed_training_chooses_the_same(train_with):
    _, _, whole = train_with("whole.pt")
    assert [step for step, _ in whole.history] == [4, 8, 12, 16, 20, 23]
    assert whole.score == max(score for _, score in whole.history) > 0.5
    stopped, _, _ = train_with("parts.pt", stop_after=9)
    assert (stopped.steps, stopped.stopped) == (9, True)
    _, method, parts = train_with("parts.pt")
    assert method.seen == list(range(9, 23))
    assert parts.history == whole.history
    assert (parts.step, parts.score) == (whole.step, whole.score)
    for name, value in whole.weights.items():
        assert torch.equal(parts.weights[name], value)
    # Finished, but killed before the bundle was written.
    _, method, again = train_with("parts.pt")
    assert method.seen == []
    assert again.history == whole.history


def test_looking_changes_no_step(train_with, make_method, tmp_path):
    class Dreams(make_method):
        def predict(self, images):
            return super().predict(images + torch.randn_like(images))

    _, seen, _ = train_with("a.pt")
    _, dreamt, _ = train_with("b.pt", kind=Dreams)
    for one, two in zip(seen.parameters(), dreamt.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_method_that_ran_away_is_not_looked_at(train_with, make_method):
    class RunsAway(make_method):
        def update(self, episode):
            return super().update(episode) | {"extra": torch.tensor(float("nan"))}

        def predict(self, images):
            raise AssertionError

    with pytest.raises(TrainingError, match="loss term extra"):
        train_with("nan.pt", kind=RunsAway)


def test_a_checkpoint_without_selection_is_refused(train_with, tmp_path):
    train_with("x.pt", steps=5)
    content = torch.load(tmp_path / "x.pt", weights_only=True)
    del content["selection"]
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(TrainingError, match="another training"):
        train_with("x.pt", steps=5)
