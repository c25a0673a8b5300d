"""People who are kept from a training on the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dgseg.bundles.bundle import read_info
from dgseg.cli.console import FAILED, OK
from dgseg.cli.main import main


@pytest.fixture
def command(monkeypatch, tmp_path):
    from dgseg.training import train as training

    data = training.training_set(["synthetic-cord"])
    first, second = data.domains[:2]
    few = [next(e for e in data.entries if e.domain == domain) for domain in (first, second)]
    few += [e for e in data.entries if e.domain == first][1:2]
    small = replace(data, entries=tuple(few))
    monkeypatch.setattr(training, "training_set", lambda *_, **__: small)
    settings = "--steps 2 --width 4 --depth 2 --patch-px 32 --spacing-mm 2 --batch-per-domain 1"
    start = ["train", "--data", "synthetic-cord", "--out", str(tmp_path / "run")]
    start += [*settings.split(), "--device", "cpu", "--validate-every", "1"]
    return [*start, "--validation"], f"{few[2].domain}/{few[2].subject}"


def test_they_choose_the_weights_and_are_not_learnt_from(command, tmp_path):
    arguments, person = command
    assert main([*arguments, person]) == OK
    training = read_info(tmp_path / "run" / "bundle").training
    assert training["selection"]["scans"] == 1
    assert [step for step, _ in training["selection"]["history"]] == [1, 2]
    assert set(training["labelled_scans"].values()) == {1}


def test_a_person_who_is_not_there_is_named(command, capsys):
    assert main([*command[0], "nobody"]) == FAILED
    assert "nobody" in capsys.readouterr().err
