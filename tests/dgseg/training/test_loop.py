"""The loop reports, stops, saves, and goes on to the bit."""

from __future__ import annotations

import pytest
import torch

from dgseg.errors import TrainingError
from dgseg.scans.preprocessing import Preprocessing
from dgseg.training.checkpoint import load_checkpoint, read_progress
from dgseg.training.config import LoopConfig
from dgseg.training.devices import make_fabric
from dgseg.training.episodes import EpisodeSampler, EpisodeShape
from dgseg.training.loop import fit, measure_step_s
from dgseg.training.store import SliceStore


@pytest.fixture
def sampler(make_scan):
    store = SliceStore.build([make_scan("a"), make_scan("b", seed=1)], Preprocessing())
    return EpisodeSampler(store, EpisodeShape(2, 0, 16), seed=1)


@pytest.fixture
def fabric():
    return make_fabric("cpu", "fp32")


def weights(method):
    return torch.cat([p.detach().flatten() for p in method.parameters()])


def test_a_method_learns(sampler, fabric, make_method):
    seen = []
    method = make_method()
    result = fit(
        method,
        sampler,
        LoopConfig(60, report_every_s=0),
        fabric,
        on_step=lambda *report: seen.append(report),
    )
    assert (result.steps, result.reason, result.stopped) == (60, "finished", False)
    assert [step for step, _, _ in seen] == list(range(1, 61))
    assert {total for _, total, _ in seen} == {60}
    assert seen[-1][2]["loss"] < 0.7 * seen[0][2]["loss"]
    assert seen[-1][2]["twice"] == pytest.approx(2 * seen[-1][2]["loss"])
    assert result.losses == seen[-1][2]


def test_reports_are_rare_and_hold_means(sampler, fabric, make_method):
    every, once = [], []
    fit(
        make_method(), sampler, LoopConfig(10, report_every_s=0), fabric,
        on_step=lambda step, total, losses: every.append(losses["loss"]),
    )  # fmt: skip
    fit(
        make_method(), sampler, LoopConfig(10, report_every_s=1e9), fabric,
        on_step=lambda step, total, losses: once.append((step, losses["loss"])),
    )  # fmt: skip
    assert once == [(10, pytest.approx(sum(every) / 10))]


def test_it_goes_on_to_the_bit(sampler, fabric, make_method, tmp_path):
    unbroken = make_method()
    fit(unbroken, sampler, LoopConfig(20), fabric)

    path = tmp_path / "deep" / "checkpoint.pt"
    first = make_method()
    stop = fit(
        first, sampler, LoopConfig(20), fabric,
        should_stop=lambda: len(first.seen) == 7, checkpoint_path=path,
    )  # fmt: skip
    assert (stop.steps, stop.reason) == (7, "stopped")
    torch.manual_seed(1234)  # whatever happened in between
    second = make_method()
    result = fit(second, sampler, LoopConfig(20), fabric, checkpoint_path=path)
    assert second.seen == list(range(7, 20))
    assert result.steps == 20
    assert result.seconds > stop.seconds
    assert torch.equal(weights(second), weights(unbroken))


def test_the_callers_random_numbers_are_left_alone(sampler, fabric, make_method):
    method = make_method()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(method, sampler, LoopConfig(3), fabric)
    assert torch.equal(torch.rand(3), expected)


def test_the_time_is_kept(sampler, fabric, make_method):
    result = fit(make_method(), sampler, LoopConfig(10**6, minutes=1e-9), fabric)
    assert result.reason == "time"
    assert result.steps < 10


def test_a_loss_that_runs_away_is_an_error_and_the_checkpoint_stays(
    sampler, fabric, make_method, tmp_path
):
    path = tmp_path / "checkpoint.pt"

    class RunsAway(make_method):
        def update(self, episode):
            losses = super().update(episode)
            return {k: v / (0 if episode.step == 12 else 1) for k, v in losses.items()}

    with pytest.raises(TrainingError, match="step 13") as caught:
        fit(
            RunsAway(), sampler,
            LoopConfig(20, checkpoint_every_s=0, report_every_s=1e9), fabric,
            checkpoint_path=path,
        )  # fmt: skip
    assert "learning rate" in caught.value.remedy
    assert read_progress(path).step == 12


def test_weights_that_run_away_are_not_saved(sampler, fabric, make_method, tmp_path):
    path = tmp_path / "checkpoint.pt"

    class Breaks(make_method):
        def update(self, episode):
            losses = super().update(episode)
            if episode.step == 4:
                self.net.weight.data[0] = float("nan")
            return losses

    with pytest.raises(TrainingError, match=r"net\.weight"):
        fit(
            Breaks(), sampler, LoopConfig(9, checkpoint_every_s=0), fabric,
            checkpoint_path=path,
        )  # fmt: skip
    assert read_progress(path).step == 4


def test_a_checkpoint_of_another_training_is_refused(sampler, fabric, make_method, tmp_path):
    path = tmp_path / "checkpoint.pt"
    fit(make_method(), sampler, LoopConfig(2), fabric, checkpoint_path=path)
    with pytest.raises(TrainingError, match="2 steps and seed 0, not 3 and 0"):
        fit(make_method(), sampler, LoopConfig(3), fabric, checkpoint_path=path)
    with pytest.raises(TrainingError, match="not 2 and 1"):
        fit(make_method(), sampler, LoopConfig(2, seed=1), fabric, checkpoint_path=path)
    other = make_method()
    other.net = torch.nn.Conv2d(1, 3, 3)
    with pytest.raises(TrainingError, match="another training"):
        load_checkpoint(path, other)


@pytest.mark.parametrize("content", [b"", b"nonsense", "truncated"])
def test_a_damaged_checkpoint_is_refused(sampler, fabric, make_method, tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    fit(make_method(), sampler, LoopConfig(2), fabric, checkpoint_path=path)
    path.write_bytes(path.read_bytes()[:-300] if content == "truncated" else content)
    with pytest.raises(TrainingError, match="damaged"):
        fit(make_method(), sampler, LoopConfig(2), fabric, checkpoint_path=path)


def test_a_checkpoint_runs_no_code(fabric, make_method, tmp_path):
    path = tmp_path / "checkpoint.pt"
    torch.save({"format": 1, "progress": make_method()}, path)
    with pytest.raises(TrainingError, match="damaged"):
        read_progress(path)


def test_there_may_be_no_checkpoint(tmp_path):
    assert read_progress(tmp_path / "none.pt") is None


def test_a_step_is_timed(sampler, fabric, make_method):
    assert 0 < measure_step_s(make_method(), sampler, fabric) < 5
